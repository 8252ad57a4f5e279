// Pages, context tokens and webhooks as an app meets them.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ConnectHost, type ConnectInstallation, type Site, startConnectHost } from '../../../../src/host/index.ts'
import { APP_KEY, type FakeApp, type Json, qshOf, startFakeApp, tokenOf, verifyHs256 } from './fake-app.ts'

const modules = {
  generalPages: [
    { key: 'board', url: '/board?project={project.key}&macro={macro.id}' },
    { key: 'static', url: '/static?x={issue.key}', cacheable: true },
  ],
  jiraIssueContents: [{ key: 'panel', target: { type: 'web_panel', url: '/panel?i={issue.key}' } }],
  webPanels: [
    { key: 'for-admins', url: '/admins', conditions: [{ condition: 'user_is_admin' }] },
    {
      key: 'for-red',
      url: '/red',
      conditions: [
        {
          or: [
            {
              condition: 'entity_property_equal_to',
              params: { entity: 'issue', propertyKey: 'colour', objectName: 'is', value: 'red' },
            },
            { condition: 'entity_property_exists', params: { entity: 'addon', propertyKey: 'all' } },
          ],
        },
        { condition: 'user_is_logged_in' },
      ],
    },
  ],
  webhooks: [
    { event: 'jira:issue_created', url: '/hook?issue={issue.key}' },
    {
      event: 'jira:issue_updated',
      url: '/filtered',
      filter: 'project = TIGER and priority in (high, urgent)',
      excludeBody: true,
    },
    { event: 'page_created', url: '/page' },
  ],
}

let clockNow = 1_700_000_000_000
let host: ConnectHost
let app: FakeApp
let site: Site
let jira: ConnectInstallation
before(async () => {
  host = await startConnectHost({ clock: { now: () => clockNow } })
  app = await startFakeApp({ modules })
  site = host.createSite({ name: 'acme' })
  jira = await host.install(app.descriptorUrl, site.jira)
})
after(async () => {
  await app.close()
  await host.close()
})
const now = () => new Date(clockNow)

test('a page address has the documented parameters, the variables and a token of exactly this request', async () => {
  const user = site.createUser({ displayName: 'Ada' })
  const issue = site.createIssue(site.createProject({ key: 'A&B' }), { summary: 'odd' })
  const opened = await jira.openPage('board', { user, issue }, { 'macro.id': '7', extra: 'a b' })
  assert.equal(opened.status, 204)
  const url = new URL(opened.url)
  assert.deepEqual(
    ['project', 'macro', 'extra', 'xdm_e', 'xdm_c', 'cp', 'lic'].map(name => url.searchParams.get(name)),
    ['A&B', '7', 'a b', host.url, `channel-${APP_KEY}__board`, '', 'active'],
  )
  const claims = await verifyHs256(jira.sharedSecret, url.searchParams.get('jwt') ?? '', now())
  assert.equal(claims.qsh, qshOf('GET', url.pathname + url.search))
  assert.deepEqual([claims.iss, claims.sub], [jira.clientKey, user.accountId])
  const context = claims.context as { jira: Json; license: Json }
  assert.deepEqual((context.jira.issue as Json).key, issue.key)
  assert.equal(context.license.active, true)
})

test('a panel of issues has its address in a target', () => {
  const issue = site.createIssue(site.createProject({ key: 'PANEL' }), { summary: 'in a target' })
  assert.match(jira.pageUrl('panel', { issue }), new RegExp(`^${app.url}/panel\\?i=PANEL-1&`))
})

test('a cacheable page has no parameter and no token', () => {
  assert.equal(jira.pageUrl('static'), `${app.url}/static`)
})

test('a context token is of a user, and good for any address', async () => {
  const user = site.createUser({ displayName: 'Ada' })
  const claims = await verifyHs256(jira.sharedSecret, jira.contextToken({ user }), now())
  assert.deepEqual([claims.qsh, claims.sub, claims.iss], ['context-qsh', user.accountId, jira.clientKey])
})

test('conditions decide what is shown to whom', () => {
  const ada = site.createUser({ displayName: 'Ada', permissions: ['ADMINISTER'] })
  const grace = site.createUser({ displayName: 'Grace' })
  assert.deepEqual(
    [jira.isShown('for-admins', { user: ada }), jira.isShown('for-admins', { user: grace })],
    [true, false],
  )
  const issue = site.createIssue(site.createProject({ key: 'RED' }), { summary: 'x' })
  assert.equal(jira.isShown('for-red', { user: grace, issue }), false)
  issue.properties.set('colour', { is: 'red' })
  assert.equal(jira.isShown('for-red', { user: grace, issue }), true)
  assert.equal(jira.isShown('for-red', { issue }), false)
  jira.properties.set('all', true)
  assert.equal(jira.isShown('for-red', { user: grace }), true)
  jira.properties.clear()
})

test('a webhook is posted with its variables, an identifier and a token of its address', async () => {
  const user = site.createUser({ displayName: 'Ada' })
  const issue = site.createIssue(site.createProject({ key: 'LION' }), { summary: 'mane' })
  const place = { issue, user }
  const [delivery] = await host.fire(site.jira, 'jira:issue_created', { place, payload: { issue: { id: issue.id } } })
  const call = app.received('POST', '/hook').at(-1)
  assert.equal(call?.target, `/hook?issue=${issue.key}`)
  assert.equal(call?.headers['x-atlassian-webhook-identifier'], delivery?.id)
  assert.equal(call?.headers['x-atlassian-webhook-flow'], 'Primary')
  const claims = await verifyHs256(jira.sharedSecret, tokenOf(call), now())
  assert.deepEqual([claims.qsh, claims.sub], [qshOf('POST', call?.target ?? ''), user.accountId])
  assert.equal(call?.body.webhookEvent, 'jira:issue_created')
})

test('a filter lets through what is equal, and a body can be left out', async () => {
  const project = site.createProject({ key: 'TIGER' })
  const low = site.createIssue(project, { summary: 'low', fields: { priority: { name: 'low' } } })
  const high = site.createIssue(project, { summary: 'high', fields: { priority: { name: 'High' } } })
  for (const issue of [low, high]) await host.fire(site.jira, 'jira:issue_updated', { place: { issue } })
  assert.deepEqual(
    app.received('POST', '/filtered').map(({ text }) => text),
    [''],
  )
})

for (const status of [408, 409, 425, 429, 503]) {
  test(`Jira tries again after ${status}, with the same identifier and a count`, async () => {
    app.answers.set('POST /hook', () => ({ status }))
    const [delivery] = await host.fire(site.jira, 'jira:issue_created')
    assert.equal(delivery?.status, 'pending')
    app.answers.delete('POST /hook')
    clockNow += 5_000
    await host.retryPending({ onlyDue: true })
    assert.equal(delivery?.status, 'delivered')
    const [first, second] = app.received('POST', '/hook').slice(-2)
    assert.deepEqual(
      [first?.headers['x-atlassian-webhook-retry'], second?.headers['x-atlassian-webhook-retry']],
      [undefined, '1'],
    )
    assert.equal(second?.headers['x-atlassian-webhook-identifier'], delivery.id)
  })
}

test('Jira does not try again after 400, and Confluence never does', async () => {
  app.answers.set('POST /hook', () => ({ status: 400 }))
  const [refused] = await host.fire(site.jira, 'jira:issue_created')
  app.answers.delete('POST /hook')
  await host.install(app.descriptorUrl, site.confluence)
  app.answers.set('POST /page', () => ({ status: 503 }))
  const [lost] = await host.fire(site.confluence, 'page_created')
  assert.deepEqual([refused?.status, lost?.status], ['failed', 'failed'])
})
