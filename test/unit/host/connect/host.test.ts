// The host itself: upgrades, switches, what it tells, seeds, its end.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import {
  type ConnectDelivery,
  type ConnectHost,
  type ConnectRequest,
  startConnectHost,
} from '../../../../src/host/index.ts'
import { APP_KEY, callProduct, type FakeApp, type Json, startFakeApp } from './fake-app.ts'

let host: ConnectHost
let app: FakeApp
beforeEach(async () => {
  host = await startConnectHost({ seed: 'same', retryDelaysMs: [20] })
  app = await startFakeApp({ modules: { webhooks: [{ event: 'jira:issue_created', url: '/hook' }] } })
})
afterEach(async () => {
  await app.close()
  await host.close()
})

test('an upgrade takes the new descriptor when the app agrees, and the old one stays when it does not', async () => {
  const installation = await host.install(app.descriptorUrl, host.createSite({ name: 'acme' }).jira)
  const page = (key: string) => ({ modules: { generalPages: [{ key, url: `/${key}` }] } })
  app.descriptor = { ...app.descriptor, ...page('new') }
  assert.equal((await installation.upgrade()).ok, true)
  assert.equal((await installation.openPage('new')).status, 204)
  app.descriptor = { ...app.descriptor, ...page('newer') }
  app.answers.set('POST /installed', () => ({ status: 500 }))
  assert.equal((await installation.upgrade()).ok, false)
  assert.throws(() => installation.pageUrl('newer'), TypeError)
  assert.equal((await installation.openPage('new')).status, 204)
})

test('a new descriptor that has the key of a dynamic module ends all dynamic modules', async () => {
  const installation = await host.install(app.descriptorUrl, host.createSite({ name: 'acme' }).jira)
  const panels = ['one', 'two'].map(key => ({ key, url: `/${key}` }))
  await callProduct(installation, 'POST', '/rest/atlassian-connect/1/app/module/dynamic', { webPanels: panels })
  app.descriptor = { ...app.descriptor, modules: { webPanels: [panels[0]] } }
  await installation.upgrade()
  assert.deepEqual(installation.dynamicModules, [])
})

test('a disabled app is told of nothing and shows nothing, but keeps its secret', async () => {
  const { jira } = host.createSite({ name: 'acme' })
  const installation = await host.install(app.descriptorUrl, jira)
  await installation.disable()
  assert.equal(app.received('POST', '/disabled').length, 1)
  assert.deepEqual(await host.fire(jira, 'jira:issue_created'), [])
  assert.equal((await callProduct(installation, 'GET', `/rest/atlassian-connect/1/addons/${APP_KEY}`)).status, 200)
  await installation.enable()
  assert.equal((await host.fire(jira, 'jira:issue_created')).length, 1)
})

test('an app without authentication gets no secret and no token', async () => {
  app.descriptor = { ...app.descriptor, authentication: { type: 'NONE' } }
  await host.install(app.descriptorUrl, host.createSite({ name: 'acme' }).jira)
  const [installed] = app.received('POST', '/installed')
  assert.deepEqual([installed?.body.sharedSecret, installed?.headers.authorization], [undefined, undefined])
})

test('the same seed gives the same tenants and secrets', async () => {
  const other = await startConnectHost({ seed: 'same' })
  const installs = [host, other].map(one => one.install(app.descriptorUrl, one.createSite({ name: 'acme' }).jira))
  const [first, second] = await Promise.all(installs)
  assert.deepEqual([first?.clientKey, first?.sharedSecret], [second?.clientKey, second?.sharedSecret])
  await other.close()
})

test('many tenants are installed at once, each with what is its own', async () => {
  const sites = Array.from({ length: 20 }, (_, index) => host.createSite({ name: `site-${index}` }))
  const installs = await Promise.all(
    sites
      .flatMap(({ jira, confluence }) => [jira, confluence])
      .map(product => host.install(app.descriptorUrl, product)),
  )
  assert.equal(new Set(installs.map(({ clientKey }) => clientKey)).size, 40)
  assert.equal(new Set(installs.map(({ sharedSecret }) => sharedSecret)).size, 40)
})

test('listeners hear of requests without their secrets, and of every attempt; retries come by themselves', async () => {
  const requests: ConnectRequest[] = []
  const attempts: number[] = []
  host.on('request', request => requests.push(request))
  const { jira } = host.createSite({ name: 'acme' })
  const installation = await host.install(app.descriptorUrl, jira)
  await callProduct(installation, 'GET', `/rest/atlassian-connect/1/addons/${APP_KEY}?x=secret`)
  const { at: _at, ...heard } = requests.at(-1) as ConnectRequest
  const path = `/acme/rest/atlassian-connect/1/addons/${APP_KEY}`
  assert.deepEqual(heard, { method: 'GET', path, status: 200, clientKey: jira.clientKey, appKey: APP_KEY })
  app.answers.set('POST /hook', () => ({ status: attempts.length === 0 ? 503 : 204 }))
  const delivered = new Promise<ConnectDelivery>(resolve => {
    host.on('delivery', delivery => {
      attempts.push(delivery.attempts.length)
      if (delivery.status === 'delivered') resolve(delivery)
    })
  })
  await host.fire(jira, 'jira:issue_created')
  assert.deepEqual(
    (await delivered).attempts.map(({ status }) => status),
    [503, 204],
  )
  assert.deepEqual(attempts, [1, 2])
})

test('an uninstall drops what waits for another attempt', async () => {
  await host.close()
  host = await startConnectHost({ retryDelaysMs: [600_000] })
  const { jira } = host.createSite({ name: 'acme' })
  const installation = await host.install(app.descriptorUrl, jira)
  app.answers.set('POST /hook', () => ({ status: 503 }))
  const [delivery] = await host.fire(jira, 'jira:issue_created')
  assert.equal(delivery?.status, 'pending')
  await installation.uninstall()
  assert.equal(delivery?.status, 'dropped')
})

test('sites have names of their own that fit an address', () => {
  host.createSite({ name: 'acme' })
  for (const name of ['acme', 'a/b', '', 'keys', 'A']) assert.throws(() => host.createSite({ name }), TypeError)
})

test('others can never reach the host', async () => {
  await assert.rejects(startConnectHost({ hostname: '0.0.0.0' }), TypeError)
})

test('the bad bodies of an app are 400', async () => {
  const installation = await host.install(app.descriptorUrl, host.createSite({ name: 'acme' }).jira)
  const odd: readonly (readonly [string, unknown])[] = [
    ['/rest/api/3/issue', { fields: 'no' }],
    ['/rest/api/3/issue', { fields: { project: { key: 'NONE' }, summary: 'x' } }],
    ['/rest/atlassian-connect/latest/report-accounts', []],
  ]
  for (const [path, body] of odd) {
    const response = await callProduct(installation, 'POST', path, body)
    assert.deepEqual([response.status, typeof ((await response.json()) as Json).message], [400, 'string'])
  }
})
