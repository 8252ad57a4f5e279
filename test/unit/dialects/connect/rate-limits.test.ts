// What happens when a product is busy, and when a tenant is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CALL_BUDGET } from '../../../../src/dialects/connect/call-pace.ts'
import { claimsOf, createClientWorld } from './client-world.ts'
import type { Reply } from './recording-server.ts'

test('a busy product is asked again after the time it names, at most 4 times, each with a token of its own', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  world.product.reply = () => ({ status: 429, headers: { 'retry-after': '2' } })
  await assert.rejects(
    world.call('ada', client => client.post('/rest', { body: {} })),
    { code: 'ERR_HOST_RATE_LIMITED', retryAfterSeconds: 2 },
  )
  assert.equal(world.product.calls.length, 4)
  assert.deepEqual(
    world.waits.map(wait => wait >= 2_000 && wait <= 3_000),
    [true, true, true],
  )
  const issued = world.product.calls.map(call => claimsOf(call, 'secret-of-ada').iat)
  assert.equal(new Set(issued).size, 4)
})

test('without a time of the product the waits grow, each with jitter', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  const replies: Reply[] = [{ status: 503 }, { status: 503 }, { status: 503 }]
  world.product.reply = () => replies.shift() ?? { status: 200, body: { done: true } }
  assert.deepEqual(await world.call('ada', client => client.post('/rest')), { done: true })
  const bounds = [250, 500, 1000]
  assert.equal(world.waits.length, 3)
  for (const [index, wait] of world.waits.entries()) {
    const step = bounds[index] ?? 0
    assert.ok(wait >= step / 2 && wait <= step, `${wait} of ${step}`)
  }
})

test('a wait that is longer than a caller can wait is left to the caller', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  world.product.reply = () => ({ status: 429, headers: { 'retry-after': '60' } })
  await assert.rejects(
    world.call('ada', client => client.get('/rest')),
    { code: 'ERR_HOST_RATE_LIMITED', retryAfterSeconds: 60 },
  )
  assert.deepEqual([world.product.calls.length, world.waits], [1, []])
})

test('where nobody knows whether the call was carried out, only what may be repeated is tried again', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  world.product.reply = () => ({ status: 502 })
  const counts: number[] = []
  for (const method of ['GET', 'PUT', 'DELETE', 'HEAD', 'POST', 'PATCH']) {
    const before = world.product.calls.length
    await assert.rejects(
      world.call('ada', client => client.request(method, '/rest')),
      { code: 'ERR_HOST_RESPONSE' },
    )
    counts.push(world.product.calls.length - before)
  }
  assert.deepEqual(counts, [4, 4, 4, 4, 1, 1])
})

test('`tries` makes them fewer, never more', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  world.product.reply = () => ({ status: 503 })
  for (const [tries, calls] of [
    [1, 1],
    [2, 2],
    [9, 4],
  ] as const) {
    const before = world.product.calls.length
    await assert.rejects(world.call('ada', client => client.get('/rest', { tries })))
    assert.equal(world.product.calls.length - before, calls)
  }
})

test('a tenant that calls without end waits for itself, and its neighbour does not', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await world.install('grace')
  await world.call('ada', async client => {
    for (let index = 0; index < CALL_BUDGET.burst; index += 1) await client.get('/rest')
  })
  assert.equal(world.waits.length, 0)
  await world.call('grace', client => client.get('/rest'))
  assert.equal(world.waits.length, 0)
  await world.call('ada', client => client.get('/rest'))
  assert.ok(world.waits.length > 0)
})

test('what the product says about its limits is remembered for this tenant', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await world.install('grace')
  world.product.reply = () => ({
    status: 200,
    headers: {
      'x-ratelimit-limit': '350',
      'x-ratelimit-remaining': '3',
      'x-ratelimit-reset': '2023-11-14T23:00:00Z',
      'x-ratelimit-nearlimit': 'true',
      'ratelimit-reason': 'jira-quota-tenant-based',
    },
  })
  await world.call('ada', client => client.get('/rest'))
  assert.deepEqual(await world.call('ada', async client => client.rateLimit), {
    limit: 350,
    remaining: 3,
    resetAt: new Date('2023-11-14T23:00:00Z'),
    isNearLimit: true,
    reason: 'jira-quota-tenant-based',
  })
  assert.equal(await world.call('grace', async client => client.rateLimit), undefined)
})
