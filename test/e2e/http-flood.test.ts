import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import Koa from 'koa'
import { authenticate } from '../../src/adapters/koa.ts'
import { PartywallError } from '../../src/core/errors.ts'
import { newTenantUid } from '../../src/core/ids.ts'
import { createFloodGate } from '../../src/http/flood-gate.ts'
import { createTenantLimits } from '../../src/http/limits.ts'
import { watchLoop } from '../../src/http/loop-watch.ts'
import { listen } from '../../src/http/server.ts'
import type { Guard } from '../../src/http/view.ts'

const clock = { now: () => Date.now(), monotonic: () => performance.now() }
const loop = watchLoop(clock)
after(() => loop.stop())

test('H 85: while one address floods us with refused requests, a good tenant from the same address is served', async () => {
  const limits = createTenantLimits(clock, { inFlight: 2, perSecond: 1_000, burst: 1_000 })
  const tenants = new Map(['good', 'busy'].map(name => [name, newTenantUid()]))
  const guard: Guard = view => {
    const tenant = tenants.get(view.header('x-tenant') ?? '')
    if (tenant === undefined) throw new PartywallError('ERR_TOKEN_SIGNATURE')
    const leave = limits.enter(tenant)
    return { properties: {}, run: work => work(), ensureLive: () => undefined, headers: () => [], release: leave }
  }
  const gate = createFloodGate(clock, loop.lagMs, {
    refusedPerSecond: 20,
    refusedBurst: 100,
    sheddingLagMs: 5_000,
    overloadLagMs: 10_000,
  })
  const koa = new Koa()
  koa.use(authenticate({ guard: () => gate.protectGuard(guard) }))
  koa.use(async ctx => {
    await new Promise(resolve => setTimeout(resolve, 20))
    ctx.body = 'ok'
  })
  const server = await listen(koa.callback())
  const call = async (tenant: string) => {
    const response = await fetch(server.url, { headers: { 'x-tenant': tenant } })
    await response.arrayBuffer()
    return { status: response.status, retryAfter: response.headers.get('retry-after') }
  }
  const flood = Promise.all(Array.from({ length: 400 }, () => call('forged')))
  const busy = Promise.all(Array.from({ length: 10 }, () => call('busy')))
  const good: number[] = []
  for (let count = 0; count < 10; count++) good.push((await call('good')).status)
  const refused = await flood
  await server.close()

  assert.deepEqual(good, new Array(10).fill(200))
  const limited = [...refused, ...(await busy)].filter(answer => answer.status === 429)
  assert.ok(refused.every(answer => answer.status === 401 || answer.status === 429))
  assert.ok(refused.some(answer => answer.status === 401))
  assert.ok(limited.length >= 200)
  assert.ok(limited.every(answer => /^[1-9]\d*$/.test(answer.retryAfter ?? '')))
  assert.ok((await busy).filter(answer => answer.status === 200).length >= 2)
})
