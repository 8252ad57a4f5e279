// A fetch handler with nothing but a Request: what its URL parser has lost, limits of bodies, and when a context ends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authenticate, mount } from 'partywall/fetch'
import { errorCode, routes, setUpGuard } from './koa-support.ts'

const body = '{"a":"é"}'
const asTenant = (id: string) => ({ headers: { 'x-tenant': id } })

test('fetch: a Request alone keeps percent-encoding and query, and has lost dot segments and back slashes', async () => {
  const { state, addon } = setUpGuard()
  const handler = authenticate(addon, () => new Response('reached'))
  const targets: Readonly<Record<string, string>> = {
    '/a%2fb%20c?x=%41&x=+': '/a%2fb%20c?x=%41&x=+',
    '/a/../b/%2e%2e/c': '/c',
    '/a\\b': '/a/b',
    '': '/',
  }
  for (const [given, seen] of Object.entries(targets)) {
    const response = await handler(new Request(`http://x${given}`, asTenant('a')))
    assert.equal(await response.text(), 'reached')
    assert.equal(state.views.at(-1)?.target, seen)
  }
  for (const given of ['//x', '/x#y']) {
    const refused = await handler(new Request(`http://x${given}`, asTenant('a')))
    assert.equal(await errorCode(refused), 'ERR_REQUEST_TARGET', given)
  }
})

test('H 78: fetch: a Request alone has the limits of bodies too', async () => {
  const handler = mount(routes)
  const call = (init: RequestInit) => handler(new Request('http://x/addon/webhook', { method: 'POST', ...init }))
  assert.deepEqual(await (await call({ body })).json(), { body })
  assert.deepEqual(await (await call({})).json(), { body: '' })
  assert.equal((await call({ body, headers: { 'content-length': '3000000' } })).status, 413)
  assert.equal((await call({ body: 'a'.repeat(1_048_577) })).status, 413)
  assert.equal((await call({ body, headers: { 'content-encoding': 'br' } })).status, 415)
  const broken = new ReadableStream({ pull: controller => controller.error(new Error('inner words')) })
  const answer = await call({ body: broken, duplex: 'half' } as RequestInit)
  assert.equal(await errorCode(answer), 'ERR_BODY_INVALID')
  assert.equal((await handler(new Request('http://x/else'))).status, 404)
})

test('fetch: the context ends with the body, with a reader that stops, and with a client that goes', async () => {
  const { state, addon } = setUpGuard()
  const endless = () => new ReadableStream({ pull: controller => controller.enqueue(new TextEncoder().encode('x')) })
  const handler = authenticate(addon, request => {
    if (request.url.endsWith('/empty')) return new Response(null)
    return new Response(request.url.endsWith('/endless') ? endless() : 'made')
  })
  const ask = (path: string, init: RequestInit = {}) =>
    handler(new Request(`http://x${path}`, { ...asTenant('a'), ...init }))
  await ask('/empty')
  assert.equal(state.released, 1)
  const whole = await ask('/text')
  assert.equal(state.released, 1)
  assert.equal(await whole.text(), 'made')
  assert.equal(state.released, 2)
  const stopped = await ask('/endless')
  await stopped.body?.cancel()
  assert.equal(state.released, 3)
  const client = new AbortController()
  await ask('/endless', { signal: client.signal })
  client.abort()
  assert.equal(state.released, 4)
})
