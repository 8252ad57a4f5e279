// What apps out there do, and the official bundler and platform let them: each of these has stopped an unmodified public app once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forgePackages, writeForgeApp } from '../../support/forge-packages.ts'
import { createForgeWorld } from '../../support/forge-world.ts'

const { folder: packages, skip } = await forgePackages('3.9')

/** No name of a runtime, an id that nobody has filled in, keys that nothing is done about. */
const APP = `app:
  id: ""
  runtime:
    snapshots: false
permissions:
  scopes: ['storage:app', 'read:jira-work', 'write:jira-work']
  content:
    styles: ['unsafe-inline']
resources:
  - key: not-built-yet
    path: static/panel/build
`

test(
  'functions beside a page of the first UI Kit run, in JSX and in .js; the page itself is refused with one code',
  skip,
  async t => {
    const folder = await writeForgeApp(packages, {
      'manifest.yml': `${APP}modules:
  jira:globalPage:
    - { key: old-page, function: page, title: Old }
  jira:issuePanel:
    - { key: panel, resource: not-built-yet, title: New }
  webtrigger:
    - { key: hook, function: hook }
    - { key: other-hook, function: other }
  rovo:agent:
    - { key: helper, name: Helper, prompt: Help }
  function:
    - { key: page, handler: index.page }
    - { key: hook, handler: index.hook, interval: hour }
    - { key: other, handler: parts/more.run }
`,
      'src/index.jsx': `import ForgeUI, { render, Fragment, GlobalPage, Text } from '@forge/ui'
import { storage } from '@forge/api'
const App = () => <Fragment><Text>Hello</Text></Fragment>
export const page = render(<GlobalPage><App /><>{'!'}</></GlobalPage>)
export async function hook(request) {
  await storage.set('message', request.body)
  return { statusCode: 200, body: String(await storage.get('message')) }
}
`,
      // Modules of both kinds at once, elements of somebody's own, in a file that ends in .js.
      'src/parts/more.js': `import { storage } from '@forge/api'
const React = { createElement: (type, props, ...children) => ({ type, props, children }) }
const element = <b id="x">bold</b>
exports.run = async () => ({ statusCode: 200, body: JSON.stringify({ element, message: await storage.get('message') }) })
`,
    })
    const { forge, site } = await createForgeWorld(t)
    const app = await forge({ folder })
    const installation = await app.install({ url: site('one').url })
    const call = async (key: string, body = '') =>
      (await fetch(await installation.webTriggerUrl(key), { method: 'POST', body })).text()
    assert.equal(await call('hook', 'of the day'), 'of the day')
    assert.deepEqual(JSON.parse(await call('other-hook')), {
      element: { type: 'b', props: { id: 'x' }, children: ['bold'] },
      message: 'of the day',
    })
    for (const module of ['old-page', 'helper', undefined])
      await assert.rejects(installation.invoke('anything', {}, module === undefined ? {} : { module }), {
        code: 'ERR_FORGE_NOT_SIMULATED',
        message: new RegExp(module ?? 'old-page'),
      })
    await assert.rejects(installation.invoke('anything', {}, { module: 'panel' }), { code: 'ERR_FORGE_MODULE_UNKNOWN' })
  },
)

test(
  'what apps read of issues, changes, boards, attachments and pages without asking whether it is there',
  skip,
  async t => {
    const folder = await writeForgeApp(packages, {
      'manifest.yml': `${APP.replace("'write:jira-work'", "'write:jira-work', 'read:board-scope:jira-software', 'read:page:confluence', 'write:page:confluence', 'write:confluence-content'")}modules:
  trigger:
    - { key: changes, function: changed, events: ['avi:jira:updated:issue'] }
  webtrigger:
    - { key: hook, function: hook }
    - { key: seen, function: seen }
  function:
    - { key: hook, handler: index.hook }
    - { key: seen, handler: index.seen }
    - { key: changed, handler: index.changed }
`,
      'src/index.ts': `import api, { route, storage, assumeTrustedRoute } from '@forge/api'
import FormData from 'form-data'
const headers = { Accept: 'application/json', 'Content-Type': 'application/json' }
const call = async (product: 'requestJira' | 'requestConfluence', method: string, path: string, body?: unknown) => {
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
  const answer = await api.asApp()[product](assumeTrustedRoute(path), init)
  if (!answer.ok) throw new Error(path + ' gave ' + answer.status + ' ' + (await answer.text()))
  return answer.status === 204 || answer.status === 201 && path.endsWith('issueLink') ? undefined : answer.json()
}
export const hook = async (request: { body: string }) => {
  const key = request.body
  const issue = await (await api.asApp().requestJira(route\`/rest/api/3/issue/\${key}?fields=summary,status,assignee,labels,created,project\`)).json()
  await call('requestJira', 'PUT', '/rest/api/3/issue/' + key, { update: { labels: [{ add: 'hot' }] }, fields: { priority: { name: 'High' }, description: 'two\\nlines' } })
  const { transitions } = await call('requestJira', 'GET', '/rest/api/3/issue/' + key + '/transitions')
  await call('requestJira', 'POST', '/rest/api/3/issue/' + key + '/transitions', { transition: { id: transitions.find(({ name }) => name === 'Done').id } })
  const form = new FormData()
  form.append('file', Buffer.from('some bytes'), { filename: 'notes.txt', contentType: 'text/plain' })
  const attached = await api.asApp().requestJira(route\`/rest/api/3/issue/\${key}/attachments\`, { method: 'POST', headers: { ...form.getHeaders(), 'X-Atlassian-Token': 'no-check' }, body: form as never })
  const [file] = await attached.json()
  const content = await (await api.asApp().requestJira(route\`/rest/api/3/attachment/content/\${file.id}\`)).text()
  const other = await call('requestJira', 'POST', '/rest/api/3/issue', { fields: { project: { key: 'CAR' }, summary: 'Other', issuetype: { name: 'Bug' }, parent: { key } } })
  await call('requestJira', 'POST', '/rest/api/3/issueLink', { type: { name: 'Blocks' }, inwardIssue: { key }, outwardIssue: { key: other.key } })
  const whole = await call('requestJira', 'GET', '/rest/api/2/issue/' + key + '?expand=changelog')
  const { values: boards } = await call('requestJira', 'GET', '/rest/agile/1.0/board?projectKeyOrId=CAR')
  const { values: sprints } = await call('requestJira', 'GET', '/rest/agile/1.0/board/' + boards[0].id + '/sprint?state=active')
  const { issues } = await call('requestJira', 'GET', '/rest/agile/1.0/sprint/' + sprints[0].id + '/issue?fields=summary')
  const found = await call('requestJira', 'POST', '/rest/api/3/search/jql', { jql: '(project = CAR AND statusCategory = Done) OR text ~ "nothing"', fields: ['status'], maxResults: 10 })
  const { count } = await call('requestJira', 'POST', '/rest/api/3/search/approximate-count', { jql: 'created >= -1d' })
  const { issueTypes } = await call('requestJira', 'GET', '/rest/api/3/project/CAR')
  const { results: [space] } = await call('requestConfluence', 'GET', '/wiki/api/v2/spaces?keys=DOC&limit=1')
  const parent = await call('requestConfluence', 'POST', '/wiki/api/v2/pages', { spaceId: space.id, status: 'current', title: 'Top', body: { representation: 'storage', value: '' } })
  const page = await call('requestConfluence', 'POST', '/wiki/api/v2/pages', { spaceId: space.id, title: 'Below', parentId: parent.id, body: { representation: 'storage', value: '<p/>' } })
  await call('requestConfluence', 'POST', '/wiki/rest/api/content/' + page.id + '/label', [{ prefix: 'global', name: 'one' }, { prefix: 'global', name: 'two' }])
  await call('requestConfluence', 'DELETE', '/wiki/rest/api/content/' + page.id + '/label/two')
  const old = await call('requestConfluence', 'GET', '/wiki/rest/api/content/' + page.id + '?expand=ancestors,version,history,metadata.labels')
  const { results: children } = await call('requestConfluence', 'GET', '/wiki/api/v2/pages/' + parent.id + '/children')
  const { results: hits } = await call('requestConfluence', 'GET', '/wiki/rest/api/search?cql=' + encodeURIComponent('label = one and type = page'))
  return { statusCode: 200, body: JSON.stringify({
    first: [issue.fields.status.name, issue.fields.status.statusCategory.key, issue.fields.assignee, issue.fields.labels.length, Object.keys(issue.fields).length, isNaN(Date.parse(issue.fields.created))],
    now: [whole.fields.status.name, whole.fields.resolution.name, whole.fields.labels, whole.fields.priority.name, whole.fields.description],
    changes: whole.changelog.histories.map(({ items }) => items.map(({ field, fromString, toString }) => [field, fromString, toString].join(':')).join(' ')),
    file: [file.filename, file.size, content, whole.fields.attachment.length],
    tied: [whole.fields.issuelinks[0].outwardIssue.key === other.key, whole.fields.subtasks.length],
    boards: [boards.length, sprints[0].state, issues.length],
    found: [found.issues.map(({ fields }) => Object.keys(fields).join()), count, issueTypes.length > 0],
    page: [old.ancestors.map(({ title }) => title), old.version.number, old.metadata.labels.results.map(({ name }) => name), children.length, hits[0].content.title],
  }) }
}
export const changed = async (event: { changelog?: { items: { field: string }[] } }) => {
  for (const { field } of event.changelog?.items ?? []) await storage.set('seen-' + field, true)
}
export const seen = async () => ({ statusCode: 200, body: JSON.stringify([await storage.get('seen-status'), await storage.get('seen-labels')]) })
`,
    })
    const { forge, site, host } = await createForgeWorld(t)
    const app = await forge({ folder })
    const place = site('one')
    const issue = place.createIssue(place.createProject({ key: 'CAR' }), { summary: 'Brakes' })
    place.createSpace({ key: 'DOC' })
    const installation = await app.install({ url: place.url })
    const told: Promise<unknown>[] = []
    host.on('forge', ({ event }) => told.push(installation.deliver(event, {})))
    const answer = await fetch(await installation.webTriggerUrl('hook'), { method: 'POST', body: issue.key })
    const text = await answer.text()
    assert.equal(answer.status, 200, text)
    assert.deepEqual(JSON.parse(text), {
      first: ['To Do', 'new', null, 0, 6, false],
      now: ['Done', 'Done', ['hot'], 'High', 'two\nlines'],
      changes: ['status:To Do:Done resolution::Done', 'priority:Medium:High description::two\nlines labels::hot'],
      file: ['notes.txt', 10, 'some bytes', 1],
      tied: [true, 1],
      boards: [1, 'active', 2],
      found: [['status'], 2, true],
      page: [['Top'], 1, ['one'], 1, 'Below'],
    })
    await host.idle()
    await Promise.all(told)
    await app.idle()
    assert.deepEqual(await (await fetch(await installation.webTriggerUrl('seen'))).json(), [true, true])
  },
)

const newest = await forgePackages('8.3')

test(
  'the newest SDK with habits of the older ones: form-data, product calls that name nobody, the collector of garbage',
  newest.skip,
  async t => {
    const folder = await writeForgeApp(newest.folder, {
      'manifest.yml': `${APP}modules:
  webtrigger:
    - { key: hook, function: hook }
  function:
    - { key: hook, handler: index.hook }
`,
      'src/index.js': `import { requestJira, asApp, route } from '@forge/api'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Stream } from 'node:stream'
setFlagsFromString('--expose_gc')
const gc = runInNewContext('gc')
gc()
// As the package form-data has it: a stream of the oldest kind.
class Form extends Stream {
  readable = true
  pipe(target) {
    const line = String.fromCharCode(13, 10)
    process.nextTick(() => target.end(['--edge', 'Content-Disposition: form-data; name="file"; filename="a.txt"', 'Content-Type: text/plain', '', 'inside', '--edge--', ''].join(line)))
    return target
  }
}
export const hook = async ({ body: key }) => {
  const plain = await requestJira(route\`/rest/api/3/issue/\${key}?fields=summary\`)
  const headers = { 'content-type': 'multipart/form-data; boundary=edge', 'X-Atlassian-Token': 'no-check' }
  const sent = await asApp().requestJira(route\`/rest/api/3/issue/\${key}/attachments\`, { method: 'POST', headers, body: new Form() })
  const [file] = await sent.json()
  const back = await asApp().requestJira(route\`/rest/api/3/attachment/content/\${file.id}\`)
  return { statusCode: 200, body: JSON.stringify([plain.status, file.filename, await back.text(), typeof back.url]) }
}
`,
    })
    const { forge, site, log } = await createForgeWorld(t)
    const app = await forge({ folder })
    const place = site('one')
    const issue = place.createIssue(place.createProject({ key: 'CAR' }), { summary: 'Brakes' })
    const installation = await app.install({ url: place.url })
    const answer = await fetch(await installation.webTriggerUrl('hook'), { method: 'POST', body: issue.key })
    assert.deepEqual(await answer.json(), [401, 'a.txt', 'inside', 'string'], JSON.stringify(log))
  },
)
