// Installs through the browser and hosts besides the cloud, with everything real: database, sockets, the simulated host.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type App, createApp, type HipchatApp, type InstallationFacts, type Listening, listen } from 'partywall'
import { DescriptorError, type HipchatHost, type Installation, startHipchatHost } from 'partywall/host'
import { ask, codeOf } from '../support/app-world.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type FakeHost, startFakeHost } from './attack/fake-host.ts'
import { eventually, freePort } from './hipchat-support.ts'

let database: TestDatabase
let host: HipchatHost
let server: FakeHost
let trap: FakeHost
let app: App
let addon: HipchatApp
let listening: Listening
const arrivals: (InstallationFacts & { readonly tenant: string })[] = []
const departures: string[] = []
/** Nobody answers there. */
const INSIDE = ['10.255.255.1:8443', '127.0.0.1:8443']
const KEY = { id: 'test', key: Buffer.alloc(32, 5) }

before(async () => {
  database = await createTestDatabase()
  host = await startHipchatHost()
  server = await startFakeHost()
  trap = await startFakeHost()
  const port = await freePort()
  app = await createApp({
    key: 'com.example.browser',
    baseUrl: `http://127.0.0.1:${port}`,
    database: { urls: database.urls },
    keys: { current: KEY, find: id => (id === KEY.id ? KEY.key : undefined) },
    developmentHosts: [new URL(host.url).host, server.authority],
    privateHosts: INSIDE,
    logLevel: 'silent',
    requestLog: false,
  })
  addon = app.hipchat({
    name: 'Browser',
    scopes: ['send_notification', 'view_group'],
    hosts: [...INSIDE, '10.255.255.1:8444'],
    clientSideInstall: true,
  })
  addon
    .onInstalled(({ tenant, installation }) => arrivals.push({ tenant: tenant.id, ...installation }))
    .onUninstalled(({ tenant }) => departures.push(tenant.id))
    .page('/whoami', ({ tenant }) => ({ tenant: tenant.id }))
    .page('/probe', context => context.tenantClient.request('GET', '/probe', { scopes: ['view_group'] }))
  listening = await listen(app, { port })
})
after(async () => {
  await listening?.close()
  await app?.close()
  await Promise.all([host?.close(), server?.stop(), trap?.stop()])
  await database?.close()
})

/** A host that only installs through the browser. */
function browserDescriptor(): object {
  const document = JSON.parse(JSON.stringify(addon.descriptor))
  delete document.capabilities.installable.callbackUrl
  delete document.capabilities.installable.updateCallbackUrl
  return document
}
const page = (path: string, installation: Installation, token = installation.signRequest()) =>
  ask(app.baseUrl, path, token)

test('A 9, A 10, A 11: through the browser an add-on is installed with its relay state, updated and removed', async () => {
  const group = host.createGroup({ name: 'Acme' })
  const room = group.createRoom({ name: 'Lobby' })
  const target = { group, room, relayState: 'from "the" newsletter & more' }
  const installation = await host.install(browserDescriptor(), target)
  assert.deepEqual(installation.result, { ok: true, status: 303, failure: undefined })
  const tenant = installation.oauthId
  assert.deepEqual(await page('/whoami', installation), { status: 200, body: { tenant } })
  await eventually(() => arrivals[0], 'the listener runs')
  assert.deepEqual(arrivals, [{ tenant, kind: 'install', relayState: target.relayState }])

  const old = installation.signRequest()
  await installation.update({ rotateSecret: true })
  assert.equal(installation.result?.status, 303)
  assert.equal((await page('/whoami', installation, old)).status, 401)
  assert.equal((await page('/whoami', installation)).status, 200)
  await eventually(() => arrivals[1], 'the listener runs again')
  assert.equal(arrivals[1]?.kind, 'update')

  const last = installation.signRequest()
  assert.deepEqual(await installation.uninstall(), { ok: true, status: 303, failure: undefined })
  assert.equal((await page('/whoami', installation, last)).status, 401)
  assert.deepEqual(departures, [tenant])
})

test('C 34, C 35: nothing is fetched from a host that is not allowed, and the browser is sent to none', async () => {
  const asked = server.asked.length
  const ticket = `${server.origin}/ticket`
  const cases = [
    [`${trap.origin}/ticket`, `${trap.origin}/back`, 'ERR_INSTALL_HOST_REFUSED'],
    [`${trap.origin}/ticket`, `${server.origin}/back`, 'ERR_INSTALL_HOST_REFUSED'],
    [ticket, `${trap.origin}/back`, 'ERR_REDIRECT_REFUSED'],
    [ticket, `http://${server.authority}@${trap.authority}/`, 'ERR_REDIRECT_REFUSED'],
    [ticket, `//${trap.authority}/`, 'ERR_REDIRECT_REFUSED'],
    [ticket, '', 'ERR_INSTALL_INVALID'],
  ] as const
  for (const [installable, back, code] of cases) {
    for (const name of ['installed', 'updated', 'uninstalled']) {
      const query = new URLSearchParams({ installable_url: installable, redirect_url: back })
      const answer = await ask(app.baseUrl, `/addon/${name}?${query}`, undefined, { redirect: 'manual' })
      assert.equal(codeOf(answer), code, `${name} ${installable} ${back}`)
    }
  }
  assert.deepEqual([trap.connections, server.asked.length], [0, asked])
})

test('C 33, C 35: a document that redirects elsewhere, or names another host, is not followed and stores nothing', async () => {
  const secret = 'a secret of sixteen bytes or more'
  const document = { oauthId: 'elsewhere', oauthSecret: secret, groupId: 1, capabilitiesUrl: trap.capabilitiesUrl }
  trap.client('elsewhere', secret)
  server.serve('/moved', { status: 302, headers: { location: `${trap.origin}/ticket` } })
  server.serve('/foreign', { body: document })
  server.serve('/other', { body: { ...document, capabilitiesUrl: host.capabilitiesUrl } })
  server.serve('/endless', { mode: 'flood' })
  const expected = {
    moved: 'ERR_INSTALLABLE_GONE',
    foreign: 'ERR_INSTALL_HOST_REFUSED',
    other: 'ERR_INSTALL_HOST_REFUSED',
    endless: 'ERR_INSTALL_INVALID',
  }
  for (const [path, code] of Object.entries(expected)) {
    const asked = server.asked.length
    const query = new URLSearchParams({ installable_url: `${server.origin}/${path}`, redirect_url: server.origin })
    assert.equal(codeOf(await ask(app.baseUrl, `/addon/installed?${query}`)), code, path)
    assert.equal(server.asked.length, asked + 1, 'asked once')
  }
  assert.equal(trap.connections, 0)
  assert.equal((await database.admin("select from pw.identity where external_id = 'elsewhere'")).length, 0)
})

test('C 37: a server with a path and a port of its own, beside the cloud: each tenant is called at its own host', async () => {
  const base = `${server.origin}/hipchat`
  server.serve('/hipchat/v2/capabilities', {
    body: {
      links: { self: `${base}/v2/capabilities`, homepage: `${base}/` },
      capabilities: {
        oauth2Provider: { tokenUrl: `${base}/v2/oauth/token` },
        hipchatApiProvider: { url: `${base}/v2/` },
      },
    },
  })
  server.serve('/hipchat/v2/oauth/token', {
    body: { access_token: 'of-the-server', token_type: 'bearer', expires_in: 3600, group_id: 1 },
  })
  server.serve('/hipchat/v2/probe', ({ headers }) => ({ body: { server: true, with: headers.authorization } }))
  const body = { oauthId: 'corp', oauthSecret: 'a secret of sixteen bytes', groupId: 1 }
  const installed = await ask(app.baseUrl, '/addon/installable', undefined, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, capabilitiesUrl: `${base}/v2/capabilities` }),
  })
  assert.equal(installed.status, 204, codeOf(installed))
  const cloud = await host.install(`${app.baseUrl}/addon/capabilities`, { group: host.createGroup({ name: 'Cloud' }) })
  const asked = server.asked.length
  assert.equal(((await page('/probe', cloud)).body as { oauthId?: string }).oauthId, cloud.oauthId)
  assert.equal(server.asked.length, asked)
  const called = await app.runAs({ dialect: 'hipchat', id: 'corp' }, context =>
    addon.services(context).tenantClient.request('GET', '/probe', { scopes: ['view_group'] }),
  )
  assert.deepEqual(called, { server: true, with: 'Bearer of-the-server' })
  assert.deepEqual(
    server.asked.slice(asked).map(({ path }) => path),
    ['/hipchat/v2/oauth/token', '/hipchat/v2/probe'],
  )
})

test('C 35: an address inside is called only where configuration names it, and never a loopback one by https', async () => {
  const install = async (authority: string) => {
    const body = { oauthId: 'inside', oauthSecret: 'a secret of sixteen bytes', groupId: 1 }
    return codeOf(
      await ask(app.baseUrl, '/addon/installable', undefined, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...body, capabilitiesUrl: `https://${authority}/v2/capabilities` }),
      }),
    )
  }
  assert.equal(await install('127.0.0.1:8443'), 'ERR_INSTALL_HOST_REFUSED')
  assert.equal(await install('10.255.255.1:8444'), 'ERR_INSTALL_HOST_REFUSED')
  assert.match((await install('10.255.255.1:8443')) ?? '', /^ERR_OUTBOUND_(TIMEOUT|UNREACHABLE)$/)
})

test('the link that begins an install leads the host to the descriptor', async () => {
  const group = host.createGroup({ name: 'Linked' })
  for (const isInline of [false, true]) {
    const link = new URL(addon.installUrl(host.url, { isInline }))
    assert.equal(link.origin + link.pathname, `${host.url}/addons/install`)
    const installation = await host.install(link.searchParams.get('url') ?? '', { group })
    assert.equal(installation.state, 'installed')
    await installation.uninstall()
  }
  await assert.rejects(host.install('data:text/html,x', { group }), DescriptorError)
})
