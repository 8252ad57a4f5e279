// Dynamic webhooks and modules, people, acting as a user, Bitbucket's swap.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import atlassianJwt from 'atlassian-jwt'
import {
  type ConnectHost,
  type ConnectInstallation,
  type ConnectUser,
  type Site,
  startConnectHost,
} from '../../../../src/host/index.ts'
import { APP_KEY, appToken, callProduct, type FakeApp, type Json, startFakeApp } from './fake-app.ts'

const DAY_MS = 24 * 3600 * 1000
let ahead = 0
let host: ConnectHost
let app: FakeApp
let site: Site
let ada: ConnectUser
let jira: ConnectInstallation
before(async () => {
  host = await startConnectHost({ clock: { now: () => Date.now() + ahead }, retryDelaysMs: [] })
  app = await startFakeApp({
    scopes: ['ADMIN', 'ACT_AS_USER'],
    modules: { generalPages: [{ key: 'page', url: '/page' }] },
  })
})
after(async () => {
  await app.close()
  await host.close()
})
let count = 0
beforeEach(async () => {
  site = host.createSite({ name: `site-${++count}` })
  ada = site.createUser({ displayName: 'Ada', permissions: ['EDIT_ISSUES'] })
  jira = await host.install(app.descriptorUrl, site.jira)
})

const ask = async (method: string, path: string, body?: unknown, one = jira) => {
  const response = await callProduct(one, method, path, body)
  const text = await response.text()
  return { status: response.status, headers: response.headers, json: (text === '' ? {} : JSON.parse(text)) as Json }
}
const results = (json: Json) => json.webhookRegistrationResult as Json[]
const createWebhook = async (spec: Json = {}) => {
  const webhooks = [{ events: ['jira:issue_created'], jqlFilter: 'project = TIGER', ...spec }]
  return results((await ask('POST', '/rest/api/3/webhook', { url: `${app.url}/dynamic`, webhooks })).json)[0] ?? {}
}
const total = async () => (await ask('GET', '/rest/api/3/webhook')).json.total

test('a dynamic webhook hears of what its JQL allows, until it is deleted', async () => {
  const { createdWebhookId: id } = await createWebhook()
  const issue = site.createIssue(site.createProject({ key: 'TIGER' }), { summary: 'x' })
  const other = site.createIssue(site.createProject({ key: 'LION' }), { summary: 'x' })
  await host.fire(site.jira, 'jira:issue_created', { place: { issue } })
  await host.fire(site.jira, 'jira:issue_created', { place: { issue: other } })
  const heard = app.received('POST', '/dynamic')
  assert.deepEqual([heard.length, heard[0]?.body.matchedWebhookIds], [1, [id]])
  assert.equal((await ask('DELETE', '/rest/api/3/webhook', { webhookIds: [id] })).status, 202)
  assert.equal(await total(), 0)
})

test('a dynamic webhook expires after 30 days unless it is refreshed', async () => {
  const kept = (await createWebhook()).createdWebhookId
  await createWebhook()
  ahead += 20 * DAY_MS
  const body = { webhookIds: [kept] }
  const headers = {
    authorization: `JWT ${appToken(jira, 'PUT', '/rest/api/3/webhook/refresh', { iat: now(), exp: now() + 60 })}`,
  }
  const url = `${jira.baseUrl}/rest/api/3/webhook/refresh`
  assert.equal((await fetch(url, { method: 'PUT', headers, body: JSON.stringify(body) })).status, 200)
  ahead += 20 * DAY_MS
  assert.deepEqual(
    jira.webhooks.list(Date.now() + ahead).map(({ id }) => id),
    [kept],
  )
  ahead = 0
})
const now = () => Math.floor((Date.now() + ahead) / 1000)

test('an installation has at most 100 dynamic webhooks, all below its own address', async () => {
  const webhooks = Array.from({ length: 101 }, () => ({ events: ['jira:issue_created'], jqlFilter: 'key = A-1' }))
  const { json } = await ask('POST', '/rest/api/3/webhook', { url: `${app.url}/dynamic`, webhooks })
  assert.deepEqual([await total(), Array.isArray(results(json)[100]?.errors)], [100, true])
  const away = await ask('POST', '/rest/api/3/webhook', { url: 'https://evil.example/', webhooks })
  assert.equal(away.status, 400)
})

test('what could not be delivered to a dynamic webhook is listed for 72 hours', async () => {
  await createWebhook({ jqlFilter: 'project = BEAR' })
  const issue = site.createIssue(site.createProject({ key: 'BEAR' }), { summary: 'x' })
  app.answers.set('POST /dynamic', () => ({ status: 500 }))
  const [delivery] = await host.fire(site.jira, 'jira:issue_created', { place: { issue } })
  app.answers.delete('POST /dynamic')
  const { json } = await ask('GET', '/rest/api/3/webhook/failed')
  assert.deepEqual(
    (json.values as Json[]).map(({ id }) => id),
    [delivery?.id],
  )
  assert.equal(jira.webhooks.failures(Date.now() + 3 * DAY_MS + 1).length, 0)
})

test('dynamic modules are registered all or not at all, shown, listed and removed', async () => {
  const path = '/rest/atlassian-connect/1/app/module/dynamic'
  const panel = (key: string) => ({ key, url: `/${key}` })
  assert.equal((await ask('POST', path, { webPanels: [panel('one'), panel('two')] })).status, 200)
  assert.equal((await ask('POST', path, { webPanels: [panel('three'), panel('page')] })).status, 400)
  assert.equal((await jira.openPage('one')).status, 204)
  assert.deepEqual((await ask('GET', path)).json, { webPanels: [panel('one'), panel('two')] })
  await ask('DELETE', `${path}?moduleKey=one`)
  assert.deepEqual((await ask('GET', path)).json, { webPanels: [panel('two')] })
  await ask('DELETE', path)
  assert.deepEqual((await ask('GET', path)).json, {})
})

test('a report of accounts names those that were closed or changed', async () => {
  const grace = site.createUser({ displayName: 'Grace' })
  const path = '/rest/atlassian-connect/latest/report-accounts'
  const accounts = [ada, grace].map(({ accountId }) => ({ accountId, updatedAt: '2026-01-01T00:00:00Z' }))
  const nothing = await ask('POST', path, { accounts })
  assert.deepEqual([nothing.status, nothing.headers.get('cycle-period')], [204, '7'])
  grace.accountStatus = 'closed'
  assert.deepEqual((await ask('POST', path, { accounts })).json, {
    accounts: [{ accountId: grace.accountId, status: 'closed' }],
  })
  const many = Array.from({ length: 91 }, () => accounts[0])
  assert.equal((await ask('POST', path, { accounts: many })).status, 400)
})

test('both products say what a user may', async () => {
  const issue = site.createIssue(site.createProject({ key: 'TIGER' }), { summary: 'x' })
  const asked = { permissions: ['EDIT_ISSUES', 'DELETE_ISSUES'], issues: [Number(issue.id), 1], projects: [] }
  const { json } = await ask('POST', '/rest/api/3/permissions/check', {
    accountId: ada.accountId,
    globalPermissions: ['ADMINISTER'],
    projectPermissions: [asked],
  })
  assert.deepEqual(json, {
    globalPermissions: [],
    projectPermissions: [{ permission: 'EDIT_ISSUES', projects: [], issues: [Number(issue.id)] }],
  })
  const wiki = await host.install(app.descriptorUrl, site.confluence)
  const page = site.createContent(site.createSpace({ key: 'DOC' }), { title: 'x' })
  const check = (operation: string) =>
    ask(
      'POST',
      `/rest/api/content/${page.id}/permission/check`,
      { subject: { type: 'user', identifier: ada.accountId }, operation },
      wiki,
    )
  assert.deepEqual(
    [(await check('read')).json, (await check('update')).json],
    [{ hasPermission: true }, { hasPermission: false }],
  )
})

const assertion = (changes: Json = {}, secret = jira.sharedSecret) => {
  const claims = {
    iss: `urn:atlassian:connect:clientid:${jira.oauthClientId}`,
    sub: `urn:atlassian:connect:useraccountid:${ada.accountId}`,
    tnt: jira.baseUrl,
    aud: host.url,
    iat: now(),
    exp: now() + 60,
    ...changes,
  }
  return atlassianJwt.encodeSymmetric(claims, secret, 'HS256' as never)
}
const exchange = async (text: string, scope?: string) => {
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
  const body = new URLSearchParams({ grant_type, assertion: text, ...(scope && { scope }) })
  const response = await fetch(host.tokenUrl, { method: 'POST', body })
  return { status: response.status, json: (await response.json()) as Json }
}
const asUser = (token: unknown, path: string, method = 'GET') =>
  fetch(jira.baseUrl + path, { method, headers: { authorization: `Bearer ${token}` } })

test('an assertion buys a token with which the app is the user', async () => {
  const { status, json } = await exchange(assertion())
  assert.deepEqual([status, json.token_type, json.expires_in], [200, 'Bearer', 900])
  const myself = (await (await asUser(json.access_token, '/rest/api/3/myself')).json()) as Json
  assert.equal(myself.accountId, ada.accountId)
  const narrow = (await exchange(assertion(), 'READ')).json.access_token
  assert.equal((await asUser(narrow, '/rest/api/3/issue/1', 'DELETE')).status, 403)
  ahead += 901_000
  assert.equal((await asUser(json.access_token, '/rest/api/3/myself')).status, 401)
  ahead = 0
})

const oddAssertions: Readonly<Record<string, () => string>> = {
  'signed with another secret': () => assertion({}, 'x'.repeat(40)),
  'for another audience': () => assertion({ aud: 'https://elsewhere.example' }),
  'of another tenant': () => assertion({ tnt: `${host.url}/other` }),
  'for a user of another site': () => assertion({ sub: 'urn:atlassian:connect:useraccountid:nobody' }),
  'with a life of two minutes': () => assertion({ exp: now() + 120 }),
  'of an unknown client': () => assertion({ iss: 'urn:atlassian:connect:clientid:nobody' }),
}
for (const [name, make] of Object.entries(oddAssertions)) {
  test(`no token for an assertion ${name}`, async () => {
    assert.equal((await exchange(make())).status, 400)
  })
}

test('a bearer token is of one tenant, and ends with a new secret', async () => {
  const { access_token: token } = (await exchange(assertion())).json
  const wiki = await host.install(app.descriptorUrl, site.confluence)
  const headers = { authorization: `Bearer ${token}` }
  assert.equal((await fetch(`${wiki.baseUrl}/rest/api/user/current`, { headers })).status, 401)
  await jira.reinstall()
  assert.equal((await asUser(token, '/rest/api/3/myself')).status, 401)
})

test('Bitbucket swaps a token that names its tenant in sub', async () => {
  const bitbucket = await host.install(app.descriptorUrl, site.bitbucket)
  const path = '/site/oauth2/access_token'
  const swap = async (claims: Json) => {
    const headers = { authorization: `JWT ${appToken(bitbucket, 'POST', path, claims)}` }
    const body = new URLSearchParams({ grant_type: 'urn:bitbucket:oauth2:jwt' })
    return fetch(host.url + path, { method: 'POST', headers, body })
  }
  assert.equal((await swap({ sub: bitbucket.clientKey })).status, 200)
  assert.equal((await swap({})).status, 401)
  assert.equal((await swap({ sub: jira.clientKey })).status, 401)
})

test('faults reach a tenant’s calls, the key server and the token endpoint', async () => {
  const path = `/rest/atlassian-connect/1/addons/${APP_KEY}`
  host.faults.inject({ at: 'rest', oauthId: jira.clientKey, times: 1, effect: { kind: 'status', status: 503 } })
  assert.deepEqual([(await ask('GET', path)).status, (await ask('GET', path)).status], [503, 200])
  host.faults.inject({ at: 'keys', times: 1, effect: { kind: 'status', status: 500 } })
  assert.equal((await fetch(`${host.keyServerUrl}/any`)).status, 500)
  host.faults.inject({ at: 'token', times: 1, effect: { kind: 'status', status: 503 } })
  assert.equal((await exchange(assertion())).status, 503)
})
