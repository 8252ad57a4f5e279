import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartywallError } from '../../../src/core/errors.ts'
import { headerOf } from '../../../src/core/header-list.ts'
import { errorAnswer, jsonAnswer } from '../../../src/http/answers.ts'
import { createFloodGate } from '../../../src/http/flood-gate.ts'
import { watchLoop } from '../../../src/http/loop-watch.ts'
import type { Guarded, RequestView } from '../../../src/http/view.ts'

const viewFrom = (remoteAddress: string, target = '/'): RequestView => ({
  method: 'GET',
  target,
  remoteAddress,
  header: () => undefined,
  headerNames: () => [],
  headerValues: () => [],
  body: async () => Buffer.alloc(0),
})
const guarded: Guarded = {
  properties: {},
  run: work => work(),
  ensureLive: () => undefined,
  headers: () => [],
  release: () => undefined,
}

const setUp = () => {
  const state = { time: 1_000, lag: 0, asked: 0 }
  const gate = createFloodGate({ now: () => 0, monotonic: () => state.time }, () => state.lag, {
    refusedPerSecond: 1,
    refusedBurst: 3,
  })
  const guard = gate.protectGuard(view => {
    state.asked++
    if (view.target === '/bad') throw new PartywallError('ERR_TOKEN_SIGNATURE')
    if (view.target === '/broken') throw new PartywallError('ERR_STORE_UNAVAILABLE')
    return guarded
  })
  const outcome = async (address: string, target: string) => {
    try {
      await guard(viewFrom(address, target))
      return 'passed'
    } catch (error) {
      return (error as PartywallError).code
    }
  }
  return { state, gate, outcome }
}

test('H 85: a flood of refused requests is told 429, and a good tenant behind the same address passes all the time', async () => {
  const { outcome, state } = setUp()
  for (let count = 0; count < 3; count++) assert.equal(await outcome('192.0.2.1', '/bad'), 'ERR_TOKEN_SIGNATURE')
  assert.equal(await outcome('192.0.2.1', '/bad'), 'ERR_RATE_LIMITED')
  assert.equal(await outcome('192.0.2.1', '/good'), 'passed')
  assert.equal(await outcome('192.0.2.2', '/bad'), 'ERR_TOKEN_SIGNATURE')
  state.time += 1_000
  assert.equal(await outcome('192.0.2.1', '/bad'), 'ERR_TOKEN_SIGNATURE')
  assert.equal(await outcome('192.0.2.1', '/broken'), 'ERR_STORE_UNAVAILABLE')
})

test('H 85: a loop that falls behind turns pure flooders away before any work, then everybody', async () => {
  const { outcome, state } = setUp()
  for (let count = 0; count < 5; count++) await outcome('192.0.2.1', '/bad')
  await outcome('192.0.2.2', '/good')
  for (let count = 0; count < 5; count++) await outcome('192.0.2.2', '/bad')
  state.lag = 200
  const asked = state.asked
  assert.equal(await outcome('192.0.2.1', '/good'), 'ERR_RATE_LIMITED')
  assert.equal(state.asked, asked)
  assert.equal(await outcome('192.0.2.2', '/good'), 'passed')
  assert.equal(await outcome('192.0.2.3', '/good'), 'passed')
  state.lag = 2_000
  assert.equal(await outcome('192.0.2.2', '/good'), 'ERR_OVERLOADED')
  state.lag = 0
  assert.equal(await outcome('192.0.2.2', '/good'), 'passed')
})

test('H 85: the routes of an app are judged by their answers', async () => {
  const { gate, state } = setUp()
  const app = gate.protectApp({
    handle: view => {
      if (view.target === '/none') return undefined
      if (view.target === '/bad') return Promise.resolve(errorAnswer(new PartywallError('ERR_TOKEN_MISSING')))
      return jsonAnswer(200, {})
    },
  })
  const statusOf = async (target: string) => (await app.handle(viewFrom('192.0.2.9', target)))?.status
  assert.equal(await statusOf('/none'), undefined)
  for (let count = 0; count < 3; count++) assert.equal(await statusOf('/bad'), 401)
  const limited = await app.handle(viewFrom('192.0.2.9', '/bad'))
  assert.equal(limited?.status, 429)
  assert.match(headerOf(limited?.headers ?? [], 'retry-after') ?? '', /^\d+$/)
  assert.equal(await statusOf('/good'), 200)
  state.lag = 2_000
  assert.equal(await statusOf('/good'), 429)
  assert.equal((await app.handle(viewFrom('192.0.2.10', '/good')))?.status, 503)
})

test('H 85: overload turns away our paths and leaves those of whoever mounted us alone', async () => {
  const { gate, state } = setUp()
  const app = gate.protectApp({
    owns: view => view.target === '/ours',
    handle: view => (view.target === '/ours' ? jsonAnswer(200, {}) : undefined),
  })
  state.lag = 2_000
  assert.equal((await app.handle(viewFrom('192.0.2.1', '/ours')))?.status, 503)
  assert.equal(await app.handle(viewFrom('192.0.2.1', '/health')), undefined)
  assert.throws(() => createFloodGate({ now: () => 0, monotonic: () => 0 }, () => 0, { refusedBurst: -1 }), TypeError)
})

test('one pause of the loop is no overload; being late several times is', t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const clock = { time: 0, now: () => 0, monotonic: () => clock.time }
  const watch = watchLoop(clock)
  const look = (late: number) => {
    clock.time += 50 + late
    t.mock.timers.tick(50)
  }
  look(0)
  look(900)
  assert.equal(watch.lagMs(), 0)
  look(300)
  look(400)
  assert.equal(watch.lagMs(), 300)
  look(0)
  assert.equal(watch.lagMs(), 0)
  watch.stop()
})
