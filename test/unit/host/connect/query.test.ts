// JQL and CQL as apps write them, asked of the simulated products' own issues and pages.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentSubject, issueSubject } from '../../../../src/host/connect/query/fields.ts'
import { select } from '../../../../src/host/connect/query/match.ts'
import { QueryError } from '../../../../src/host/connect/query/parse.ts'
import { changeIssue } from '../../../../src/host/connect/sites/change-issue.ts'
import { startConnectHost } from '../../../../src/host/index.ts'

const DAY = 24 * 3600 * 1000
// A Thursday, in the afternoon.
const NOW = Date.UTC(2026, 10, 26, 15)
let now = NOW - 10 * DAY
const host = await startConnectHost({ clock: { now: () => now } })
const site = host.createSite({ name: 'query' })
const ada = site.createUser({ displayName: 'Ada', email: 'ada@example.com' })
const bear = site.createProject({ key: 'BEAR', name: 'The bears' })
const lion = site.createProject({ key: 'LION' })
site.createIssue(bear, { summary: 'Old honey', fields: { labels: ['red', 'wild'], duedate: '2026-12-01' } })
now = NOW - 2 * 3600 * 1000
const second = site.createIssue(bear, {
  summary: 'New honey jar',
  issueType: { id: '10002', name: 'Bug' },
  fields: { assignee: { accountId: ada.accountId }, priority: { name: 'High' }, customfield_10016: 5 },
})
site.createIssue(lion, { summary: 'Roar', fields: { description: 'louder than honey', customfield_10016: 8 } })
now = NOW
changeIssue(second, { status: { name: 'In Progress' } }, { id: '1', at: NOW, authorId: ada.accountId })
changeIssue(second, { status: { name: 'done' } }, { id: '2', at: NOW, authorId: ada.accountId })
await host.close()

const keysOf = (jql: string): string =>
  select(jql, site.issues.values(), issue => issueSubject(issue, site), { now: NOW, accountId: ada.accountId })
    .map(({ key }) => key)
    .join(' ')

const CASES: readonly (readonly [jql: string, keys: string])[] = [
  ['', 'BEAR-1 BEAR-2 LION-1'],
  ['project = "The bears" ORDER BY key DESC', 'BEAR-2 BEAR-1'],
  ['project in (BEAR, LION) AND status != Done', 'BEAR-1 LION-1'],
  ['(project = BEAR OR project = LION) AND NOT issuetype = Bug', 'BEAR-1 LION-1'],
  ['project = LION or (project = BEAR and (labels = red or labels = blue))', 'BEAR-1 LION-1'],
  ['statusCategory != Done', 'BEAR-1 LION-1'],
  ['statusCategory = done', 'BEAR-2'],
  ['status was "In Progress"', 'BEAR-2'],
  ['status was in ("In Progress", Blocked) AND status changed', 'BEAR-2'],
  ['status was not "In Progress"', 'BEAR-1 LION-1'],
  ['assignee = currentUser() AND resolution is not EMPTY', 'BEAR-2'],
  ['assignee in (currentUser()) OR assignee = "ada@example.com"', 'BEAR-2'],
  ['resolution = Unresolved', 'BEAR-1 LION-1'],
  ['assignee is EMPTY AND assignee != currentUser()', ''],
  ['created >= -1d', 'BEAR-2 LION-1'],
  ['created < "2026-11-20"', 'BEAR-1'],
  ['created >= "2026/11/16" AND created <= "2026-11-17 00:00"', 'BEAR-1'],
  ['created >= startOfDay() AND updated <= now()', 'BEAR-2 LION-1'],
  ['created < startOfWeek()', 'BEAR-1'],
  ['created >= startOfMonth(-1) AND created < endOfDay(-1)', 'BEAR-1'],
  ['due > now() AND due <= endOfWeek(1)', 'BEAR-1'],
  ['resolved = "2026-11-26"', 'BEAR-2'],
  ['labels in (wild, tame)', 'BEAR-1'],
  ['labels is EMPTY', 'BEAR-2 LION-1'],
  ['text ~ "honey" ORDER BY created ASC, key DESC', 'BEAR-1 LION-1 BEAR-2'],
  ['summary ~ "jar honey*"', 'BEAR-2'],
  ['customfield_10016 > 5', 'LION-1'],
  ['priority = 2', 'BEAR-2'],
  ['sprint in openSprints() AND project = LION', 'LION-1'],
  ['key in (BEAR-1, LION-1) ORDER BY Key', 'BEAR-1 LION-1'],
]

test('JQL: parentheses, negation, lists, histories, dates, functions, order', () => {
  for (const [jql, keys] of CASES) assert.equal(keysOf(jql), keys, jql)
})

test('what this host does not know is refused, wherever it stands, and whether or not there is an issue', () => {
  const cases = [
    'project = ',
    'project BEAR',
    'project = BEAR AND',
    '(project = BEAR',
    'assignee in membersOf(all)',
    'assignee in currentUser',
    'assignee is somebody',
    'project = BEAR OR created > yesterday',
    'status changed from Done',
  ]
  for (const jql of cases) {
    assert.throws(() => keysOf(jql), QueryError, jql)
    assert.throws(() => select(jql, [], () => assert.fail(), { now: NOW, accountId: undefined }), QueryError, jql)
  }
})

test('CQL: space, title, label, ancestor, last change', () => {
  const docs = site.createSpace({ key: 'DOC', name: 'Documents' })
  const top = site.createContent(docs, { title: 'Top' })
  const below = site.createContent(docs, { title: 'Below', body: '<p>of honey</p>', parent: top })
  below.labels.add('sweet')
  const idsOf = (cql: string) =>
    select(cql, site.contents.values(), contentSubject, { now: NOW, accountId: undefined }).map(({ title }) => title)
  assert.deepEqual(idsOf('space = DOC and type = page order by title'), ['Below', 'Top'])
  assert.deepEqual(idsOf(`ancestor = ${top.id}`), ['Below'])
  assert.deepEqual(idsOf('label = "sweet" and text ~ "honey"'), ['Below'])
  assert.deepEqual(idsOf('lastmodified > now("-1d") and title = "Top"'), ['Top'])
})
