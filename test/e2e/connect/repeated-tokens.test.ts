// A token that was proved before is not taken apart again: everything that may have changed since is still looked at.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type ConnectWorld, outcomeOf, startConnectWorld } from '../../support/connect-app.ts'
import { type FakeSite, now } from '../../support/fake-product.ts'

let world: ConnectWorld
before(async () => {
  world = await startConnectWorld(
    connect => {
      connect
        .page('/page', ({ tenant, authentication }) => ({ tenant: tenant.id, user: authentication.userId }))
        .page('/page', () => ({}), { method: 'POST' })
        .page('/other', () => ({}))
        .page('/spoil', ({ context }) => {
          const user = context.user as { name: string }
          user.name = 'spoilt'
          return {}
        })
        .api('/api', ({ tenant, context }) => ({ tenant: tenant.id, context }))
    },
    { secretOverlapSeconds: 2, leewaySeconds: 0 },
  )
})
after(() => world?.close())

async function installed(name: string): Promise<FakeSite> {
  const site = world.product.createSite(world.url, name)
  assert.equal((await site.install()).status, 204)
  return site
}
const get = (path: string, token: string, headers: Record<string, string> = {}) =>
  fetch(world.url + path, { headers: { authorization: `JWT ${token}`, ...headers } })
/** So often that it is remembered. */
async function prove(path: string, token: string): Promise<void> {
  for (let time = 0; time < 4; time += 1) assert.equal((await get(path, token)).status, 200)
}
const isRefused = async (response: Response | Promise<Response>, code: RegExp = /^401 ERR_/) =>
  assert.match(await outcomeOf(response), code)

test('B 27, 28: a token that was proved for one request is refused for every other one', async () => {
  const site = await installed('places')
  const token = await site.sign(site.claims('GET', '/page?a=1'))
  await prove('/page?a=1', token)
  for (const path of ['/page', '/page?a=2', '/page?a=1&b=1', '/other?a=1', '/api?a=1', '/page?a=1&jwt=x'])
    await isRefused(get(path, token))
  await isRefused(fetch(`${world.url}/page?a=1`, { method: 'POST', headers: { authorization: `JWT ${token}` } }))
  await isRefused(get('/page?a=1', token, { 'x-acpt': token }))
  const context = await site.contextToken()
  await prove('/api', context)
  await prove('/api?x=1', context)
  await isRefused(get('/page', context))
  await prove('/page?a=1', token)
})

test('B 18: a proved token with one letter changed is none', async () => {
  const site = await installed('letters')
  const token = await site.sign(site.claims('GET', '/page'))
  await prove('/page', token)
  for (const at of [5, token.indexOf('.') + 12, token.length - 12, token.length - 2]) {
    const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
    for (let time = 0; time < 3; time += 1) await isRefused(get('/page', changed))
  }
})

test('B 32: a proved token ends with its time', async () => {
  const site = await installed('times')
  const token = await site.sign({ ...site.claims('GET', '/page'), exp: now() + 2 })
  await prove('/page', token)
  await delay(2_500)
  await isRefused(get('/page', token), /^401 ERR_TOKEN_EXPIRED$/)
})

test('A 11: a proved token ends with its installation, and rests while that is disabled', async () => {
  const site = await installed('lives')
  const [page, context] = [await site.sign(site.claims('GET', '/page')), await site.contextToken()]
  await prove('/page', page)
  await prove('/api', context)
  assert.equal((await site.toggle('disabled')).status, 204)
  await isRefused(get('/page', page), /^401 ERR_TENANT_DISABLED$/)
  await isRefused(get('/api', context), /^401 ERR_TENANT_DISABLED$/)
  assert.equal((await site.toggle('enabled', { iat: now() + 1 })).status, 204)
  await prove('/page', page)
  assert.equal((await site.send('uninstalled', {}, { iat: now() + 2 })).status, 204)
  await isRefused(get('/page', page))
  await isRefused(get('/api', context))
})

test('A 10: a proved token ends with its secret; with an overlap, when that is over', async () => {
  const site = await installed('secrets')
  const token = await site.sign(site.claims('GET', '/page'))
  await prove('/page', token)
  assert.equal((await site.install()).status, 204)
  await prove('/page', token)
  await delay(2_500)
  await isRefused(get('/page', token), /^401 ERR_TOKEN_SIGNATURE$/)
  await prove('/page', await site.sign(site.claims('GET', '/page')))
})

test('E 46: what a handler does to the context of a token reaches no other request of it', async () => {
  const site = await installed('contexts')
  const claims = { ...site.claims('GET', '/spoil'), context: { user: { name: 'as it was' } } }
  const token = await site.sign(claims)
  for (let time = 0; time < 3; time += 1) assert.equal((await get('/spoil', token)).status, 500)
  const shown = await site.sign({ ...claims, qsh: 'context-qsh' })
  for (let time = 0; time < 3; time += 1) {
    const body = (await (await get('/api', shown)).json()) as { context: { user: object } }
    assert.deepEqual(body.context.user, { name: 'as it was' })
  }
})
