// A Connect app behind a proxy, below paths of its own and at the address of a realm, through its whole life on the simulated products.
import assert from 'node:assert/strict'
import { request as ask, createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { type App, createApp, listen } from 'partywall'
import { type ConnectHost, type ConnectInstallation, type Site, startConnectHost } from 'partywall/host'
import { outcomeOf } from '../../support/connect-app.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { freePort } from '../../support/free-port.ts'

const quiet = () => undefined

const ROUTES = {
  descriptor: '/d.json',
  installed: '/life/in',
  uninstalled: '/life/out',
  enabled: '/life/on',
  disabled: '/life/off',
  migration: '/moves',
}
let database: TestDatabase
let host: ConnectHost
let app: App
let proxyUrl: string
const closers: (() => unknown)[] = []
/** Two installs of one second would have the same token, letter for letter: between them the host’s clock goes on. */
let ahead = 0
const heard: string[] = []
/** Paths as they came to the proxy. */
const seen: string[] = []

before(async () => {
  database = await createTestDatabase()
  host = await startConnectHost({ retryDelaysMs: [], clock: { now: () => Date.now() + ahead } })
  const [port, proxyPort] = [await freePort(), await freePort()]
  // Two outside addresses of one app, which itself knows `/base`.
  const proxy = createServer((incoming, outgoing) => {
    seen.push(incoming.url?.split('?')[0] ?? '')
    const path = incoming.url?.replace(/^\/eu(?=\/)/, '/base') ?? '/'
    const { method, headers } = incoming
    const further = ask({ host: '127.0.0.1', port, path, method, headers }, answer => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    further.on('error', () => outgoing.destroy())
    incoming.pipe(further)
  })
  await new Promise<void>(resolve => proxy.listen(proxyPort, '127.0.0.1', resolve))
  closers.push(() => proxy.close())
  proxyUrl = `http://127.0.0.1:${proxyPort}`
  const { app: appUrl, system, jobs } = database.urls
  app = await createApp({
    key: 'com.example.hosted',
    baseUrl: `${proxyUrl}/base`,
    database: { urls: { app: appUrl, system, jobs } },
    keys: { current: { id: 'test', key: Buffer.alloc(32, 9) }, find: () => Buffer.alloc(32, 9) },
    developmentHosts: [new URL(host.url).host],
    requestLog: false,
    logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  })
  closers.push(() => app.close())
  app
    .connect({
      name: 'Hosted',
      path: '/jira',
      routes: ROUTES,
      keyServers: [host.keyServerUrl],
      // Whole, with the prefix: another deployment may have another one.
      regionBaseUrls: { EU: `${proxyUrl}/eu/jira` },
    })
    .generalPage({ key: 'board', name: 'Board', url: '/board?project={project.key}' }, ({ tenant, query }) => ({
      tenant: tenant.id,
      project: query.get('project'),
    }))
    .api('/api', ({ tenant }) => ({ tenant: tenant.id }))
    .webhook('jira:issue_created', ({ tenant, event }) => void heard.push(`${tenant.id} ${event}`))
    .onMigration(({ tenant, body }) => void heard.push(`${tenant.id} ${(body as { phase: string }).phase}`))
    .onUninstalled(({ tenant }) => void heard.push(`${tenant.id} uninstalled`))
  const server = await listen(app, { port })
  closers.push(() => server.close())
})
after(async () => {
  for (const close of closers.reverse()) await close()
  await host?.close()
  await database?.close()
})

const descriptorUrl = () => `${proxyUrl}/base/jira/d.json`
async function installed(name: string): Promise<{ site: Site; one: ConnectInstallation }> {
  const site = host.createSite({ name })
  const one = await host.install(descriptorUrl(), site.jira)
  assert.equal(one.state, 'enabled', JSON.stringify(one.result))
  return { site, one }
}
/** Installs and events that count are apart in time. */
const again = (one: ConnectInstallation) => {
  ahead += 1_000
  return one.reinstall()
}
const idle = async (id: string) => {
  await host.idle()
  await app.runAs({ dialect: 'connect', id }, async ({ tenantUid }) => app.deliveries.idle(tenantUid, 10_000))
}
const heardBy = ({ clientKey }: ConnectInstallation) =>
  heard.filter(line => line.startsWith(clientKey)).map(line => line.slice(clientKey.length + 1))

test('the descriptor names the prefix and the moved routes; install, page, API and webhook are proved below them', async () => {
  const { site, one } = await installed('paths')
  assert.deepEqual(
    seen.slice(0, 3),
    ['/base/jira/d.json', '/base/jira/life/in', '/base/jira/life/on'],
    'as the product calls them',
  )
  const project = site.createProject({ key: 'CAR' })
  const page = await one.openPage('board', { project })
  assert.deepEqual([page.status, JSON.parse(page.body)], [200, { tenant: one.clientKey, project: 'CAR' }])
  const headers = { authorization: `JWT ${one.contextToken()}` }
  assert.equal((await fetch(`${proxyUrl}/base/jira/api`, { headers })).status, 200)
  const issue = site.createIssue(project, { summary: 'x' })
  const [delivery] = await host.fire(site.jira, 'jira:issue_created', { place: { issue } })
  assert.equal(delivery?.status, 'delivered')
  await idle(one.clientKey)
  assert.deepEqual(heardBy(one), ['jira:issue_created'])
})

test('CVE-2021-26074: lifecycle routes that were moved take no context token either', async () => {
  const { one } = await installed('moved')
  for (const event of ['installed', 'uninstalled', 'enabled', 'disabled'] as const) {
    const url = `${proxyUrl}/base/jira${ROUTES[event]}`
    const body = JSON.stringify({ ...one.results[0]?.body, eventType: event, sharedSecret: 'x'.repeat(40) })
    const send = (token: string | undefined) =>
      fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token && { authorization: `JWT ${token}` }) },
        body,
      })
    assert.match(await outcomeOf(send(one.contextToken())), /^401 ERR_/, event)
    assert.match(await outcomeOf(send(one.contextToken({}, { qsh: undefined }))), /^401 ERR_/, event)
    assert.match(await outcomeOf(send(undefined)), /^401 ERR_TOKEN_MISSING$/, event)
    const elsewhere = one.signRequest({ method: 'POST', url: `${proxyUrl}/base/jira/api` })
    assert.match(await outcomeOf(send(elsewhere)), /^401 ERR_/, event)
  }
  assert.equal((await one.openPage('board')).status, 200)
})

test('a move between realms is heard phase by phase; pages, API and a new secret come at the other address then', async () => {
  const { one } = await installed('mover')
  assert.equal((await one.moveRealm('EU')).length, 3)
  await idle(one.clientKey)
  assert.deepEqual(heardBy(one), ['schedule', 'start', 'commit'])
  assert.equal(one.appUrl, `${proxyUrl}/eu/jira`)
  seen.length = 0
  assert.equal((await one.openPage('board')).status, 200)
  assert.equal((await again(one)).ok, true)
  assert.equal((await one.openPage('board')).status, 200)
  assert.ok(
    seen.every(path => path.startsWith('/eu/jira/')),
    seen.join(),
  )
  const { one: other } = await installed('stayer')
  assert.equal((await other.openPage('board')).status, 200)
  // A token for the one address is none for the other.
  const token = one.signRequest({ method: 'POST', url: `${proxyUrl}/elsewhere/jira/life/in` })
  const headers = { authorization: `JWT ${token}`, 'content-type': 'application/json' }
  const sent = fetch(`${proxyUrl}/eu/jira/life/in`, { method: 'POST', headers, body: '{}' })
  assert.match(await outcomeOf(sent), /^401 ERR_/)
})

test('a rename, an upgrade to Connect on Forge, an uninstall with its late unsigned event, and the way back', async () => {
  const { site, one } = await installed('changing')
  site.rename('changed')
  assert.equal((await again(one)).ok, true)
  const { clientKey } = one
  ahead += 1_000
  assert.equal((await one.upgradeToForge()).ok, true)
  assert.ok(one.installationId !== undefined && one.clientKey === clientKey)
  assert.equal((await one.openPage('board')).status, 200)
  const page = one.pageUrl('board')
  ahead += 1_000
  assert.equal((await one.uninstall({ lateDisabled: true })).ok, true)
  assert.deepEqual(heardBy(one), ['uninstalled'])
  assert.equal((await fetch(page)).status, 401)
  assert.equal((await again(one)).ok, true)
  assert.equal((await one.openPage('board')).status, 200)
})

test('cross-tenant: no token of one site opens anything of another, by issuer, audience or session', async () => {
  const [{ one: a }, { one: b }] = [await installed('site-a'), await installed('site-b')]
  const url = `${proxyUrl}/base/jira/api`
  const tenantOf = async (token: string) => {
    const answer = await fetch(url, { headers: { authorization: `JWT ${token}` } })
    return answer.status === 200 ? ((await answer.json()) as { tenant: string }).tenant : answer.status
  }
  assert.equal(await tenantOf(a.contextToken()), a.clientKey)
  assert.equal(await tenantOf(b.contextToken({}, { iss: a.clientKey })), 401)
  assert.equal(await tenantOf(b.contextToken({}, { iss: a.clientKey, aud: [b.clientKey] })), 401)
  assert.equal(await tenantOf(b.contextToken({}, { aud: [a.clientKey] })), b.clientKey)
  assert.equal(await tenantOf(b.contextToken({}, { iss: 'nobody', aud: [b.clientKey] })), 401)
})
