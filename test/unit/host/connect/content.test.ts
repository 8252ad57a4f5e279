// Comments, searches, pages and their properties; faults by name; moves between realms and licences.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import {
  CONNECT_FAULTS,
  type ConnectHost,
  type ConnectInstallation,
  quotaExceeded,
  type Site,
  startConnectHost,
} from '../../../../src/host/index.ts'
import {
  APP_KEY,
  appToken,
  callProduct,
  type FakeApp,
  type Json,
  startFakeApp,
  tokenOf,
  verifyHs256,
} from './fake-app.ts'

let host: ConnectHost
let app: FakeApp
let site: Site
let jira: ConnectInstallation
let wiki: ConnectInstallation
before(async () => {
  host = await startConnectHost()
  app = await startFakeApp({
    scopes: ['DELETE'],
    enableLicensing: true,
    modules: { webhooks: ['comment_created', 'page_updated'].map(event => ({ event, url: `/${event}` })) },
  })
  const lifecycle = { ...(app.descriptor.lifecycle as Json), 'dare-migration': '/move' }
  app.descriptor = { ...app.descriptor, lifecycle, regionBaseUrls: { EU: `${app.url}/eu` } }
})
after(async () => {
  await app.close()
  await host.close()
})
let count = 0
beforeEach(async () => {
  app.seen.length = 0
  site = host.createSite({ name: `site-${++count}` })
  jira = await host.install(app.descriptorUrl, site.jira)
  wiki = await host.install(app.descriptorUrl, site.confluence)
})
const ask = async (one: ConnectInstallation, method: string, path: string, body?: unknown) => {
  const response = await callProduct(one, method, path, body)
  const content = await response.text()
  return { status: response.status, json: (content === '' ? {} : JSON.parse(content)) as Json }
}

test('a comment is made, told, changed, given a property and removed', async () => {
  const issue = site.createIssue(site.createProject({ key: 'TIGER' }), { summary: 'x' })
  const list = `/rest/api/2/issue/${issue.key}/comment`
  const { id } = (await ask(jira, 'POST', list, { body: 'first' })).json
  await host.idle()
  const told = app.received('POST', '/comment_created')[0]?.body.comment as Json
  assert.deepEqual([told.id, told.body, (told.author as Json).accountId], [id, 'first', `app:${APP_KEY}`])
  assert.equal((await ask(jira, 'PUT', `${list}/${id}`, { body: 'second' })).json.body, 'second')
  const asDocument = (await ask(jira, 'GET', `/rest/api/3/issue/${issue.key}/comment/${id}`)).json.body
  assert.deepEqual(asDocument, {
    type: 'doc',
    version: 1,
    content: [{ type: 'paragraph', content: [{ type: 'text', text: 'second' }] }],
  })
  assert.equal((await ask(jira, 'PUT', `/rest/api/3/comment/${id}/properties/seen`, true)).status, 201)
  assert.equal((await ask(jira, 'GET', list)).json.total, 1)
  assert.equal((await ask(jira, 'DELETE', `${list}/${id}`)).status, 204)
  assert.equal((await ask(jira, 'GET', `${list}/${id}`)).status, 404)
})

test('issues and pages are found by the conditions that this host knows; other queries are refused', async () => {
  const project = site.createProject({ key: 'TIGER' })
  for (const summary of ['one', 'two']) site.createIssue(project, { summary, fields: { status: { name: summary } } })
  const search = (jql: string) => ask(jira, 'GET', `/rest/api/3/search?jql=${encodeURIComponent(jql)}`)
  assert.equal((await search('project = tiger AND status = "two" ORDER BY created')).json.total, 1)
  assert.equal((await search('project = TIGER and status in (one, two)')).json.total, 2)
  assert.equal((await search('status != one')).json.total, 1)
  assert.equal((await search('summary ~ "on"')).json.total, 1)
  assert.equal((await search('project = TIGER and summary !~ "on"')).json.total, 1)
  assert.equal((await search('summary = one or summary = two')).json.total, 2)
  assert.equal((await search('project = TIGER and status not in (one)')).json.total, 1)
  assert.equal((await search('project = TIGER and assignee is empty')).json.total, 2)
  assert.equal((await search('assignee is not EMPTY')).json.total, 0)
  assert.equal((await search('status was one')).json.total, 1)
  assert.equal((await search('status changed during (one, two)')).status, 400)
  assert.equal((await search('assignee in membersOf(all)')).status, 400)
  assert.equal((await search('assignee is somebody')).status, 400)
  site.createContent(site.createSpace({ key: 'DOC' }), { title: 'Home' })
  const cql = encodeURIComponent('space = DOC and title = "Home"')
  assert.equal((await ask(wiki, 'GET', `/rest/api/content/search?cql=${cql}`)).json.size, 1)
})

test('a page is made, changed by its next version alone, told, and trashed', async () => {
  site.createSpace({ key: 'DOC' })
  const page = { type: 'page', title: 'Home', space: { key: 'DOC' }, body: { storage: { value: '<p>1</p>' } } }
  const { id } = (await ask(wiki, 'POST', '/rest/api/content', page)).json
  const change = (number: number) => ask(wiki, 'PUT', `/rest/api/content/${id}`, { title: 'New', version: { number } })
  assert.deepEqual([(await change(1)).status, (await change(2)).status, (await change(2)).status], [409, 200, 409])
  await host.idle()
  assert.deepEqual(app.received('POST', '/page_updated')[0]?.body.page, { id, title: 'New', version: 2 })
  assert.equal((await ask(wiki, 'DELETE', `/rest/api/content/${id}`)).status, 204)
  assert.equal((await ask(wiki, 'GET', `/rest/api/content/${id}`)).status, 404)
})

test('a content property grows by one version at a time', async () => {
  const { id } = site.createContent(site.createSpace({ key: 'DOC' }), { title: 'Home' })
  const list = `/rest/api/content/${id}/property`
  assert.equal((await ask(wiki, 'POST', list, { key: 'colour', value: 'red' })).status, 200)
  assert.equal((await ask(wiki, 'POST', list, { key: 'colour', value: 'red' })).status, 409)
  const set = (number: number) => ask(wiki, 'PUT', `${list}/colour`, { value: 'blue', version: { number } })
  assert.deepEqual([(await set(3)).status, (await set(2)).status], [409, 200])
  assert.deepEqual((await ask(wiki, 'GET', `${list}/colour`)).json.value, 'blue')
  assert.equal((await ask(wiki, 'DELETE', `${list}/colour`)).status, 204)
  assert.equal((await ask(wiki, 'GET', `${list}/colour`)).status, 404)
})

test('an unpaid licence shows in the app’s state, its pages and its tokens', async () => {
  const path = `/rest/atlassian-connect/1/addons/${jira.appKey}`
  jira.licence = 'none'
  const { license } = (await ask(jira, 'GET', path)).json
  assert.deepEqual(license, { active: false, type: 'COMMERCIAL', evaluation: false })
  const { context } = await verifyHs256(jira.sharedSecret, jira.contextToken())
  assert.deepEqual(context, { license: { active: false } })
})

test('a move to another realm is scheduled, started and committed; the app has its other address then', async () => {
  const results = await jira.moveRealm('EU')
  const calls = app.received('POST', '/move')
  assert.deepEqual(
    calls.map(({ body }) => body.phase),
    ['schedule', 'start', 'commit'],
  )
  await verifyHs256(jira.sharedSecret, tokenOf(calls[0]))
  assert.deepEqual([results.length, jira.appUrl], [3, `${app.url}/eu`])
})

test('a move that the app refuses, or that takes too long, is rolled back', async () => {
  await jira.moveRealm('EU', { fails: true })
  app.answers.set('POST /move', () => ({ status: 500 }))
  await wiki.moveRealm('EU')
  app.answers.delete('POST /move')
  assert.deepEqual(
    app.received('POST', '/move').map(({ body }) => body.phase),
    ['schedule', 'start', 'rollback', 'schedule', 'rollback'],
  )
  assert.deepEqual([jira.appUrl, wiki.appUrl], [app.url, app.url])
})

test('a tenant of a realm is installed at the address of that realm', async () => {
  const other = host.createSite({ name: `realm-${count}` })
  await host.install(app.descriptorUrl, other.jira, { realm: 'EU' })
  assert.deepEqual(
    app.seen.slice(-2).map(({ path }) => path),
    ['/eu/installed', '/eu/enabled'],
  )
})

test('faults by name: a quota with its headers, redirects to where no token may go, a broken key server', async () => {
  const path = `/rest/atlassian-connect/1/addons/${jira.appKey}`
  host.faults.inject({ ...quotaExceeded(7, 0), times: 1 })
  const limited = await callProduct(jira, 'GET', path)
  assert.deepEqual(
    ['retry-after', 'x-ratelimit-remaining', 'ratelimit-reason'].map(name => limited.headers.get(name)),
    ['7', '0', 'jira-quota-tenant-based'],
  )
  assert.equal(limited.status, 429)
  host.faults.inject({ ...CONNECT_FAULTS.restToLinkLocal, times: 1 })
  const headers = { authorization: `JWT ${appToken(jira, 'GET', path)}` }
  const redirected = await fetch(jira.baseUrl + path, { headers, redirect: 'manual' })
  assert.deepEqual(
    [redirected.status, redirected.headers.get('location')?.slice(0, 23)],
    [302, 'http://169.254.169.254/'],
  )
  host.faults.inject({ ...CONNECT_FAULTS.keysPage, times: 1 })
  assert.match(await (await fetch(`${host.keyServerUrl}/x`)).text(), /^<h1>/)
})
