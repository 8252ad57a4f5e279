// What people see of an add-on, over real sockets: the host reads the descriptor, opens the pages and asks for glances.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import Koa from 'koa'
import { type App, createApp, type HipchatApp, type Listening, listen } from 'partywall'
import { type HipchatHost, type Installation, startHipchatHost } from 'partywall/host'
import { mount } from 'partywall/koa'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { freePort } from './hipchat-support.ts'

let database: TestDatabase
let host: HipchatHost
let app: App
let addon: HipchatApp
let server: Listening

before(async () => {
  database = await createTestDatabase()
  host = await startHipchatHost({ seed: 'ui' })
  const port = await freePort()
  app = await createApp({
    key: 'com.example.ui',
    baseUrl: `http://127.0.0.1:${port}`,
    database: { urls: database.urls },
    keys: { current: { id: 'test', key: Buffer.alloc(32, 5) }, find: () => Buffer.alloc(32, 5) },
    developmentHosts: [new URL(host.url).host],
    logLevel: 'silent',
    requestLog: false,
  })
  addon = app.hipchat({ path: '/two', descriptor: { name: 'Given', capabilities } })
  addon
    .glance({ key: 'count', name: 'Count', icon: '/i.png', target: 'list' }, async ctx => {
      const count = await ctx.tenantStore.update<number>('asked', (asked = 0) => asked + 1)
      return { label: `${count} asked`, status: { type: 'lozenge', value: { label: 'OK', type: 'success' } } }
    })
    .glance('broken', 'Broken', '/i.png', 'list', () => ({ label: '' }))
    .webPanel('list', 'List', 'hipchat.sidebar.right', ctx => `<p>${ctx.tenant.id} ${ctx.query.get('theme')}</p>`)
    .dialog('ask', 'Ask', ctx => `<script src="${ctx.locals.tenantScriptUrl}"></script>`, { style: 'warning' })
    .configurable(ctx => `<form><input name="signed_request" value="${ctx.locals.authToken}"></form>`)
    .webhook('room_enter', '/hook')
  const koa = new Koa()
  koa.use(mount(app)).use(addon.authenticate())
  koa.use(ctx => {
    if (ctx.path === '/framed-by-all') ctx.set('Content-Security-Policy', 'frame-ancestors *')
    ctx.type = 'html'
    ctx.body = `<link href="${ctx.locals.tenantStylesheetUrl}">${ctx.locals.localBaseUrl}`
  })
  server = await listen(koa.callback(), { port })
})
after(async () => {
  await server?.close()
  await app?.close()
  await host?.close()
  await database?.close()
})

const capabilities = {
  hipchatApiConsumer: { scopes: ['send_notification'] },
  action: [{ key: 'keep', name: 'Keep', location: 'hipchat.message.action', target: 'ask' }],
}

interface Tenant {
  readonly installation: Installation
  open(url: string, init?: RequestInit): Promise<Response>
}

async function tenantOf(name: string): Promise<Tenant> {
  const group = host.createGroup({ name })
  const user = group.createUser({ name: `${name} Person`, mentionName: name.toLowerCase() })
  const room = group.createRoom({ name: `${name} room` })
  const installation = await host.install(`${app.baseUrl}/two/addon/capabilities`, { group, room })
  assert.equal(installation.state, 'installed', JSON.stringify(installation.result))
  return {
    installation,
    open: (url, init) => fetch(installation.pageUrl(url, { user, theme: 'dark' }), init),
  }
}

/** The address that the descriptor, as the host holds it, gives a capability. */
function addressOf({ installation }: Tenant, kind: string, key?: string): string {
  const declared = (installation.descriptor.document.capabilities as Record<string, unknown>)[kind]
  const found = [declared].flat().find(one => key === undefined || (one as { key: string }).key === key)
  const { url, queryUrl } = found as { url?: string; queryUrl?: string }
  return url ?? queryUrl ?? assert.fail(`${kind} ${key} has no address`)
}

const fromHost = { headers: { origin: 'https://host.example' } }

test('a descriptor of builder calls and a given part is one that the host installs', async () => {
  const { document } = (await tenantOf('Ada')).installation.descriptor
  const declared = document.capabilities as Record<string, { key: string }[]>
  assert.equal(document.name, 'Given')
  assert.deepEqual(
    ['glance', 'webPanel', 'dialog', 'action'].map(kind => declared[kind]?.map(({ key }) => key)),
    [['count', 'broken'], ['list'], ['ask'], ['keep']],
  )
})

test('a glance is asked for by each tenant apart, from any origin', async () => {
  const [ada, grace] = [await tenantOf('Ada'), await tenantOf('Grace')]
  const ask = async (tenant: Tenant) => {
    const response = await tenant.open(addressOf(tenant, 'glance', 'count'), fromHost)
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('access-control-allow-origin'), '*')
    assert.equal(response.headers.get('access-control-allow-credentials'), null)
    return response.json()
  }
  const status = { type: 'lozenge', value: { label: 'OK', type: 'success' } }
  assert.deepEqual(await ask(ada), { label: { type: 'html', value: '1 asked' }, status })
  assert.deepEqual(await ask(ada), { label: { type: 'html', value: '2 asked' }, status })
  assert.deepEqual(await ask(grace), { label: { type: 'html', value: '1 asked' }, status })
})

test('H 82: refusals of a glance may be read by any origin, and those of a page by none', async () => {
  const tenant = await tenantOf('Edsger')
  const broken = await tenant.open(addressOf(tenant, 'glance', 'broken'), fromHost)
  assert.equal(broken.status, 500)
  assert.equal(((await broken.json()) as { error: { code: string } }).error.code, 'ERR_HANDLER_FAILED')
  const unproved = await fetch(addressOf(tenant, 'glance', 'count'), fromHost)
  assert.equal(unproved.status, 401)
  for (const response of [broken, unproved]) assert.equal(response.headers.get('access-control-allow-origin'), '*')
  const leave = await fetch(addressOf(tenant, 'glance', 'count'), { ...fromHost, method: 'OPTIONS' })
  assert.equal(leave.status, 204)
  assert.match(leave.headers.get('access-control-allow-headers') ?? '', /authorization/)
  for (const page of [addressOf(tenant, 'webPanel', 'list'), `${app.baseUrl}/own`]) {
    for (const response of [await tenant.open(page, fromHost), await fetch(page, fromHost)]) {
      assert.equal(response.headers.get('access-control-allow-origin'), null, page)
    }
  }
})

test('panels, dialogs and the configuration page open in the host’s frame and nowhere else', async () => {
  const tenant = await tenantOf('Barbara')
  const { oauthId } = tenant.installation
  const pages: [string, RegExp][] = [
    [addressOf(tenant, 'webPanel', 'list'), new RegExp(`^<p>${oauthId} dark</p>$`)],
    [addressOf(tenant, 'dialog', 'ask'), new RegExp(`src="${host.url}/atlassian-connect/all.js"`)],
    [addressOf(tenant, 'configurable'), /value="[\w-]+\.[\w-]+\.[\w-]+"/],
  ]
  for (const [url, body] of pages) {
    const response = await tenant.open(url)
    assert.equal(response.status, 200)
    assert.match(await response.text(), body)
    assert.equal(response.headers.get('content-security-policy'), `frame-ancestors ${new URL(host.url).origin}`)
    assert.equal(response.headers.get('cache-control'), 'no-store')
    assert.equal((await fetch(url)).status, 401)
  }
})

test('the token of the configuration page’s form opens the tenant’s pages', async () => {
  const tenant = await tenantOf('Frances')
  const form = await (await tenant.open(addressOf(tenant, 'configurable'))).text()
  const token = /value="([^"]+)"/.exec(form)?.[1] ?? assert.fail(form)
  const response = await fetch(`${addressOf(tenant, 'webPanel', 'list')}?signed_request=${token}`)
  assert.match(await response.text(), new RegExp(tenant.installation.oauthId))
})

test('B2 authenticate: a Koa route behind it has locals, and may be framed by the tenant’s host alone', async () => {
  const tenant = await tenantOf('Jean')
  const response = await tenant.open(`${app.baseUrl}/own`)
  const link = `<link href="${host.url}/atlassian-connect/all.css">`
  assert.equal(await response.text(), `${link}${app.baseUrl}/two`)
  assert.equal(response.headers.get('content-security-policy'), `frame-ancestors ${new URL(host.url).origin}`)
  const own = await tenant.open(`${app.baseUrl}/framed-by-all`)
  assert.equal(own.headers.get('content-security-policy'), 'frame-ancestors *')
})
