// Pages, the app's own API and the lifecycle of a Connect app, with everything real but the product.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ConnectWorld, outcomeOf, readAnswer, startConnectWorld } from '../../support/connect-app.ts'
import type { FakeSite } from '../../support/fake-product.ts'

let world: ConnectWorld
let site: FakeSite
let other: FakeSite
const heard: string[] = []

before(async () => {
  world = await startConnectWorld(connect => {
    connect
      .generalPage(
        { key: 'board', name: 'Board' },
        ({ locals, tenant }) => `<p>${tenant.description} ${locals.license}</p>`,
      )
      .generalPage({ key: 'kept', name: 'Kept', cacheable: true }, () => '<p>the same for everybody</p>')
      .issuePanel({ key: 'panel', name: 'Panel', url: '/panel/{issue.key}' }, ({ params, tenant }) => ({
        issue: params.issue_key,
        tenant: tenant.id,
      }))
      .page('/form', ctx => ({ user: ctx.authentication.userId }), { method: 'POST' })
      .page('/session', ctx => ({ token: ctx.locals.token }))
      .api('/api/note', async ctx => {
        await ctx.tenantStore.set('note', ctx.query.get('text') ?? '')
        return { user: ctx.authentication.userId, project: ctx.context.jira, token: ctx.authentication.token }
      })
      .api('/api/read', async ctx => ({ note: await ctx.tenantStore.get('note') }))
      .onInstalled(({ tenant, installation }) => heard.push(`installed ${tenant.id} ${installation.kind}`))
      .onEnabled(({ tenant }) => heard.push(`enabled ${tenant.id}`))
      .onDisabled(({ tenant }) => heard.push(`disabled ${tenant.id}`))
      .onUninstalled(async ({ tenant, tenantStore }) => {
        heard.push(`uninstalled ${tenant.id} ${await tenantStore.get('note')}`)
      })
  })
  site = world.product.createSite(world.url, 'one')
  other = world.product.createSite(world.url, 'two')
  assert.equal((await site.install()).status, 204)
  assert.equal((await other.install()).status, 204)
})
after(() => world?.close())

const withContext = async (of: FakeSite, path: string, claims = {}) =>
  fetch(world.url + path, { headers: { authorization: `JWT ${await of.contextToken(claims)}` } })

test('the descriptor is served publicly, with our addresses and the modules', async () => {
  const response = await fetch(`${world.url}/atlassian-connect.json`)
  const descriptor = (await response.json()) as Record<string, unknown>
  assert.equal(response.status, 200)
  assert.deepEqual(descriptor, world.connect.descriptor)
  assert.equal(descriptor.baseUrl, world.url)
  assert.deepEqual(descriptor.authentication, { type: 'jwt' })
  assert.deepEqual(descriptor.lifecycle, {
    installed: '/installed',
    uninstalled: '/uninstalled',
    enabled: '/enabled',
    disabled: '/disabled',
  })
  assert.deepEqual(descriptor.apiMigrations, { gdpr: true, 'signed-install': true, 'context-qsh': true })
})

test('a page gets the tenant of its token, and headers that let its own site alone frame it', async () => {
  const response = await site.ask('/board?lic=active&xdm_e=https%3A%2F%2Fevil.example')
  assert.equal(response.status, 200)
  assert.equal(await response.text(), '<p>Site one active</p>')
  assert.equal(response.headers.get('content-security-policy'), `frame-ancestors ${world.product.url}`)
  assert.equal(response.headers.get('cache-control'), 'no-store')
  assert.equal(response.headers.get('referrer-policy'), 'no-referrer')
  assert.equal(response.headers.get('x-frame-options'), null)
  assert.equal(response.headers.get('x-acpt'), null)
})

test('variables of a module’s address are path parameters', async () => {
  const { body } = await readAnswer(await site.ask('/panel/ABC-1'))
  assert.deepEqual(body, { issue: 'ABC-1', tenant: site.clientKey })
})

test('a cacheable page is the same for everybody, and caches may keep it', async () => {
  const response = await fetch(`${world.url}/kept`)
  assert.equal(await response.text(), '<p>the same for everybody</p>')
  assert.equal(response.headers.get('cache-control'), 'public, max-age=300')
  assert.match(response.headers.get('content-security-policy') ?? '', /^frame-ancestors https:\/\/\*\.atlassian\.net/)
})

test('B 27: pages take tokens of their address alone, the API context tokens and sessions alone', async () => {
  assert.equal(await outcomeOf(withContext(site, '/board')), '401 ERR_QSH_MISMATCH')
  assert.equal(await outcomeOf(site.ask('/api/read')), '401 ERR_QSH_MISMATCH')
  assert.equal(await outcomeOf(site.ask('/api/read', {}, { qsh: undefined })), '401 ERR_QSH_MISMATCH')
  assert.equal(await outcomeOf(site.ask('/board', {}, { qsh: undefined })), '401 ERR_QSH_MISSING')
  const { body } = await readAnswer(
    await withContext(site, '/api/note?text=hello', { context: { jira: { project: { id: '1' } } } }),
  )
  const { user, project, token } = body as { user: string; project: unknown; token: string }
  assert.deepEqual([user, project], ['ada', { project: { id: '1' } }])
  const again = await fetch(`${world.url}/api/read`, { headers: { 'x-acpt': token } })
  assert.deepEqual(await again.json(), { note: 'hello' })
  assert.equal(
    await outcomeOf(fetch(`${world.url}/board`, { headers: { authorization: `JWT ${token}` } })),
    '401 ERR_TOKEN_TYPE',
  )
})

test('a session token goes out in X-acpt when somebody asked for one', async () => {
  const response = await site.ask('/session')
  const { token } = (await response.json()) as { token: string }
  assert.equal(response.headers.get('x-acpt'), token)
})

test('what one tenant stores another does not see', async () => {
  await withContext(site, '/api/note?text=mine')
  assert.deepEqual((await readAnswer(await withContext(other, '/api/read'))).body, {})
})

test('a form may carry the token in its body, and the hash may cover the form', async () => {
  const token = await site.sign(site.claims('POST', '/form'))
  const send = (body: string) =>
    fetch(`${world.url}/form`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
    })
  assert.deepEqual(await (await send(`a=1&jwt=${token}`)).json(), { user: 'ada' })
  const overForm = await site.sign(site.claims('POST', '/form?a=1'))
  assert.deepEqual(await (await send(`a=1&jwt=${overForm}`)).json(), { user: 'ada' })
  assert.equal(await outcomeOf(send(`a=2&jwt=${overForm}`)), '401 ERR_QSH_MISMATCH')
})

test('listeners hear the whole life of an installation; an ended one is refused', async () => {
  const third = world.product.createSite(world.url, 'three')
  const identity = { dialect: 'connect', id: third.clientKey } as const
  await third.install()
  await world.app.runAs(identity, async ({ tenantUid }) => world.app.deliveries.idle(tenantUid, 10_000))
  await withContext(third, '/api/note?text=last')
  assert.equal((await third.toggle('disabled')).status, 204)
  assert.equal(await outcomeOf(third.ask('/board')), '401 ERR_TENANT_DISABLED')
  assert.equal((await third.toggle('enabled')).status, 204)
  await world.app.runAs(identity, async ({ tenantUid }) => world.app.deliveries.idle(tenantUid, 10_000))
  assert.equal((await third.send('uninstalled')).status, 204)
  // Its secret is gone: nobody's signature fits any more.
  assert.equal(await outcomeOf(third.ask('/board')), '401 ERR_TOKEN_SIGNATURE')
  assert.deepEqual(
    heard.filter(line => line.includes(third.clientKey)),
    [
      `installed ${third.clientKey} install`,
      `enabled ${third.clientKey}`,
      `disabled ${third.clientKey}`,
      `enabled ${third.clientKey}`,
      `uninstalled ${third.clientKey} last`,
    ],
  )
})

test('the late unsigned disabled has no effect and is refused', async () => {
  const response = await fetch(`${world.url}/disabled`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(site.body('disabled')),
  })
  assert.equal(await outcomeOf(response), '401 ERR_TOKEN_MISSING')
  assert.equal((await site.ask('/board')).status, 200)
})
