// The HipChat dialect with everything real: database, registry, inbox, outbound client, Koa, and the simulated host.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import Koa from 'koa'
import { type App, createApp, type HipchatApp, type Listening, listen, type TenantStore } from 'partywall'
import {
  FAULTS,
  type HipchatHost,
  type HostRoom,
  type HostUser,
  type Installation,
  rateLimited,
  startHipchatHost,
} from 'partywall/host'
import { mount } from 'partywall/koa'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually, freePort } from './hipchat-support.ts'

const SECRET_KEY = { id: 'test', key: Buffer.alloc(32, 5) }

interface Running {
  readonly app: App
  readonly addon: HipchatApp
  readonly server: Listening
  readonly uninstalled: string[]
  close(): Promise<void>
}

let database: TestDatabase
let host: HipchatHost
let other: HipchatHost
let running: Running

before(async () => {
  database = await createTestDatabase()
  host = await startHipchatHost({ seed: 'one' })
  other = await startHipchatHost({ seed: 'two' })
  running = await start(await freePort())
})
after(async () => {
  await running?.close()
  await Promise.all([host?.close(), other?.close()])
  await database?.close()
})

async function start(port: number): Promise<Running> {
  const hosts = [new URL(host.url).host, new URL(other.url).host]
  const app = await createApp({
    key: 'com.example.e2e',
    baseUrl: `http://127.0.0.1:${port}`,
    database: { urls: database.urls },
    keys: { current: SECRET_KEY, find: id => (id === SECRET_KEY.id ? SECRET_KEY.key : undefined) },
    developmentHosts: hosts,
    logLevel: 'silent',
    requestLog: false,
  })
  const uninstalled: string[] = []
  const addon = app.hipchat({ name: 'Everything', scopes: ['send_notification', 'admin_room', 'view_group'], hosts })
  addon
    .webhook('room_message', /^\/hello$/, async ctx => {
      const visits = await ctx.tenantStore.update<number>('visits', (count = 0) => count + 1)
      await ctx.roomClient.sendNotification(`Hello ${ctx.sender?.name}, visit ${visits}`)
    })
    .webhook('room_message', /^\/ping (\w+)$/, ctx => `pong ${ctx.match?.[1]}`, { reply: true })
    .webhook('room_message', /^\/listen (\w+)$/, async ctx => {
      await ctx.tenantWebhooks.add('room_message', new RegExp(`^${ctx.match?.[1]}!$`))
    })
    .onWebhook('room_message', async ctx => {
      if (ctx.content?.endsWith('!')) await ctx.tenantStore.set('heard', ctx.content)
    })
    .onInstalled(async ctx => {
      await ctx.tenantStore.set('greeting', `for ${ctx.tenant.id}`)
    })
    .onUninstalled(async ctx => {
      uninstalled.push(`${ctx.tenant.id} ${await ctx.tenantStore.get('greeting')}`)
    })
    .page('/api/probe', ctx => ctx.tenantClient.request('GET', '/probe', { scopes: ['view_group'] }))

  const koa = new Koa()
  koa.use(mount(app))
  koa.use(addon.authenticate())
  koa.use(async ctx => {
    const bound = ctx as unknown as Bound
    const { tenant, authentication, tenantStore } = bound
    if (ctx.query.token !== undefined) void authentication.token
    if (ctx.query.wait !== undefined) await new Promise(resolve => setTimeout(resolve, Number(ctx.query.wait)))
    ctx.body = {
      tenant: tenant.id,
      user: authentication.userId,
      visits: await tenantStore.get('visits'),
      heard: await tenantStore.get('heard'),
    }
  })
  const server = await listen(koa.callback(), { port })
  return {
    app,
    addon,
    server,
    uninstalled,
    async close() {
      await server.close()
      await app.close()
    },
  }
}

/** What `authenticate()` puts on Koa's context, as far as it is used here. */
interface Bound {
  readonly tenant: { readonly id: string }
  readonly authentication: { readonly userId?: string; readonly token: string }
  readonly tenantStore: TenantStore
}

interface Tenant {
  readonly room: HostRoom
  readonly user: HostUser
  readonly installation: Installation
}

async function tenantOf(name: string, on = host): Promise<Tenant> {
  const group = on.createGroup({ name })
  const user = group.createUser({ name: `${name} Person`, mentionName: name.toLowerCase() })
  const room = group.createRoom({ name: `${name} room` })
  const installation = await on.install(`${running.app.baseUrl}/addon/capabilities`, { group, room })
  assert.equal(installation.state, 'installed', JSON.stringify(installation.result))
  return { room, user, installation }
}

async function pageOf({ installation, user }: Tenant, query = ''): Promise<Record<string, unknown>> {
  const response = await fetch(installation.pageUrl(`/panel${query}`, { user }))
  assert.equal(response.status, 200)
  return (await response.json()) as Record<string, unknown>
}

const said = (room: HostRoom, text: string) => () => room.history.find(item => item.message === text)
const api = (path: string, init?: RequestInit) => fetch(running.app.baseUrl + path, init)
const post = (body: object) =>
  api('/addon/installable', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

test('B1 GET /addon/capabilities, POST /addon/installable, POST /addon/webhook: the greeter, installed by two tenants, each sees its own visits', async () => {
  const [ada, bob] = [await tenantOf('Ada'), await tenantOf('Bob')]
  for (const visit of [1, 2]) {
    await ada.room.say(ada.user, '/hello')
    await eventually(said(ada.room, `Hello Ada Person, visit ${visit}`), 'a greeting')
  }
  await bob.room.say(bob.user, '/hello')
  await eventually(said(bob.room, 'Hello Bob Person, visit 1'), 'a greeting')
  assert.equal((await pageOf(ada)).visits, 2)
  assert.equal((await pageOf(bob)).visits, 1)
  assert.equal((await pageOf(ada)).tenant, ada.installation.oauthId)
})

test('a webhook with reply is answered in the room by the host', async () => {
  const tenant = await tenantOf('Cleo')
  const { deliveries } = await tenant.room.say(tenant.user, '/ping x')
  assert.equal(deliveries[0]?.reply, 'posted')
  assert.ok(said(tenant.room, 'pong x')())
})

test('D 40: webhooks registered at run time work, and only with the tenant’s own token', async () => {
  const tenant = await tenantOf('Dora')
  await tenant.room.say(tenant.user, '/listen tea')
  const webhook = await eventually(async () => {
    await running.app.runAs({ dialect: 'hipchat', id: tenant.installation.oauthId }, context =>
      running.app.deliveries.idle(context.tenantUid, 2_000),
    )
    return [...tenant.room.webhooks.values()].find(one => one.url.includes('token='))
  }, 'a registration')
  await tenant.room.say(tenant.user, 'tea!')
  await eventually(async () => ((await pageOf(tenant)).heard === 'tea!' ? true : undefined), 'the listener')
  const url = new URL(webhook.url)
  url.searchParams.delete('token')
  const body = JSON.stringify({
    event: 'room_message',
    oauth_client_id: tenant.installation.oauthId,
    webhook_id: 1,
    item: { message: { message: 'tea!' } },
  })
  const headers = { 'content-type': 'application/json', authorization: `JWT ${tenant.installation.signRequest()}` }
  assert.equal((await fetch(url, { method: 'POST', headers, body })).status, 401)
})

test('C 38: the REST API is called as the tenant, with one token for many callers', async () => {
  const [one, two] = [await tenantOf('Eve'), await tenantOf('Fay')]
  const asked: string[] = []
  const stop = host.on('request', request => {
    if (request.path.endsWith('/oauth/token')) asked.push(String(request.oauthId))
  })
  const probe = async (tenant: Tenant) => {
    const response = await fetch(tenant.installation.pageUrl('/api/probe', { user: tenant.user }))
    return ((await response.json()) as { oauthId: string }).oauthId
  }
  const seen = await Promise.all(Array.from({ length: 10 }, (_, index) => probe(index % 2 === 0 ? one : two)))
  stop()
  assert.deepEqual(
    seen,
    Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? one : two).installation.oauthId),
  )
  assert.equal(asked.length, 2)
})

test('a token the host forgot is fetched anew, a rate limit is said', async () => {
  const tenant = await tenantOf('Gil')
  const probe = () => fetch(tenant.installation.pageUrl('/api/probe', { user: tenant.user }))
  assert.equal((await probe()).status, 200)
  host.faults.inject({ ...FAULTS.restUnauthorized, oauthId: tenant.installation.oauthId, times: 1 })
  assert.equal((await probe()).status, 200)
  const stop = host.faults.inject({
    ...rateLimited(Math.floor(Date.now() / 1000) + 90),
    oauthId: tenant.installation.oauthId,
  })
  const limited = await probe()
  stop()
  assert.equal(limited.status, 503)
  assert.ok(Number(limited.headers.get('retry-after')) > 80)
})

test('A 14, A 15: an installation counts only by the word of the bound host', async () => {
  const tenant = await tenantOf('Hal')
  const { oauthId } = tenant.installation
  const body = { oauthId, groupId: tenant.room.group.id, roomId: tenant.room.id, oauthSecret: 'made-up-by-somebody' }
  assert.equal((await post({ ...body, capabilitiesUrl: host.capabilitiesUrl })).status, 409)
  assert.equal((await post({ ...body, capabilitiesUrl: other.capabilitiesUrl })).status, 409)
  assert.equal((await post({ ...body, capabilitiesUrl: 'http://169.254.169.254/v2/capabilities' })).status, 403)
  assert.equal((await post({ ...body, oauthId: 'unheard-of', capabilitiesUrl: host.capabilitiesUrl })).status, 403)
  assert.equal((await pageOf(tenant)).tenant, oauthId)
})

test('C 36: a host that misbehaves gets nothing installed', async () => {
  const group = host.createGroup({ name: 'Ivy' })
  for (const fault of [
    FAULTS.capabilitiesWrongSelf,
    FAULTS.capabilitiesOversize,
    FAULTS.capabilitiesRedirect,
    FAULTS.tokenRefused,
    FAULTS.tokenDown,
    FAULTS.tokenReset,
  ]) {
    host.faults.inject(fault)
    const installation = await host.install(`${running.app.baseUrl}/addon/capabilities`, { group })
    host.faults.clear()
    assert.equal(installation.state, 'failed')
    const status = installation.result?.status ?? 0
    assert.ok([400, 403, 503].includes(status), `${JSON.stringify(fault)} ${status}`)
    const rows = await database.admin('select 1 from pw.identity where external_id = $1', [installation.oauthId])
    assert.equal(rows.length, 0)
  }
})

test('an update keeps id and data; after the 2xx the old secret is nobody’s', async () => {
  const tenant = await tenantOf('Jo')
  await tenant.room.say(tenant.user, '/hello')
  await eventually(said(tenant.room, 'Hello Jo Person, visit 1'), 'a greeting')
  const old = tenant.installation.pageUrl('/panel?token=1', { user: tenant.user })
  const session = (await fetch(old)).headers.get('jwt') ?? assert.fail('no session token')
  assert.equal((await api('/panel', { headers: { 'x-acpt': session } })).status, 200)
  await tenant.installation.update({ rotateSecret: true })
  assert.equal(tenant.installation.result?.status, 204)
  assert.equal((await fetch(old)).status, 401)
  assert.equal((await api('/panel', { headers: { 'x-acpt': session } })).status, 401, 'sessions end with the secret')
  assert.equal((await pageOf(tenant)).visits, 1)
})

test('A 16: a forged removal is refused; a real one ends everything, and a return finds its data', async () => {
  const tenant = await tenantOf('Kim')
  await tenant.room.say(tenant.user, '/hello')
  await eventually(said(tenant.room, 'Hello Kim Person, visit 1'), 'a greeting')
  const { oauthId } = tenant.installation
  assert.equal((await api(`/addon/installable/${oauthId}`, { method: 'DELETE' })).status, 403)
  host.faults.inject(FAULTS.tokenDown)
  assert.equal((await api(`/addon/installable/${oauthId}`, { method: 'DELETE' })).status, 503)
  host.faults.clear()
  const old = tenant.installation.pageUrl('/panel', { user: tenant.user })
  assert.equal((await fetch(old)).status, 200)
  assert.equal((await tenant.installation.uninstall()).status, 204)
  assert.deepEqual(
    running.uninstalled.filter(line => line.startsWith(oauthId)),
    [`${oauthId} for ${oauthId}`],
  )
  assert.equal((await fetch(old)).status, 401)
  assert.equal((await api(`/addon/installable/${oauthId}`, { method: 'DELETE' })).status, 204)
  assert.equal((await api('/addon/installable/nobody', { method: 'DELETE' })).status, 404)
  await tenant.installation.update()
  assert.equal((await pageOf(tenant)).visits, 1)
})

test('a host that twice refuses the credentials ends the installation by itself', async () => {
  const tenant = await tenantOf('Lea')
  const { oauthId } = tenant.installation
  await tenant.installation.uninstall({ tellAddon: false })
  const page = () => fetch(tenant.installation.pageUrl('/api/probe', { user: tenant.user }))
  assert.equal((await page()).status, 403)
  const aged = await database.admin(
    `update pw.identity set refused_at = refused_at - interval '2 minutes' where external_id = $1 returning 1`,
    [oauthId],
  )
  assert.equal(aged.length, 1)
  await page()
  const rows = await database.admin('select state from pw.identity where external_id = $1', [oauthId])
  assert.deepEqual(
    rows.map(row => row.state),
    ['uninstalled'],
  )
  assert.equal((await page()).status, 401)
  assert.ok(running.uninstalled.some(line => line.startsWith(oauthId)))
})

test('E 46: interleaved requests of many tenants never see another’s context', async () => {
  const group = host.createGroup({ name: 'Mia' })
  const user = group.createUser({ name: 'Mia Person', mentionName: 'miap' })
  const tenants = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const room = group.createRoom({ name: `Mia ${index}` })
      const installation = await host.install(`${running.app.baseUrl}/addon/capabilities`, { group, room })
      assert.equal(installation.state, 'installed')
      return { room, user, installation }
    }),
  )
  const requests = Array.from({ length: 100 }, async (_, index) => {
    const tenant = tenants[index % tenants.length] ?? assert.fail()
    const seen = await pageOf(tenant, `?wait=${(index * 7) % 30}`)
    assert.equal(seen.tenant, tenant.installation.oauthId)
  })
  await Promise.all(requests)
})

test('A 9: what was answered with 2xx is there after a restart', async () => {
  const tenant = await tenantOf('Nia')
  await tenant.room.say(tenant.user, '/hello')
  await eventually(said(tenant.room, 'Hello Nia Person, visit 1'), 'a greeting')
  const port = Number(new URL(running.app.baseUrl).port)
  await running.close()
  running = await start(port)
  assert.equal((await pageOf(tenant)).visits, 1)
  await tenant.room.say(tenant.user, '/hello')
  await eventually(said(tenant.room, 'Hello Nia Person, visit 2'), 'a greeting after the restart')
})
