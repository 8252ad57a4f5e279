import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Binder } from '../../../src/core/dialect.ts'
import { newTenantUid } from '../../../src/core/ids.ts'
import type { IdentityRecord } from '../../../src/core/tenant.ts'
import { createTenantLimits, limitBinder } from '../../../src/http/limits.ts'

const fakeClock = () => {
  const clock = { wall: 1_000_000, time: 5_000, now: () => clock.wall, monotonic: () => clock.time }
  return clock
}

test('H 78: a tenant has 100 requests in flight and no more; his neighbour does not notice', () => {
  const limits = createTenantLimits(fakeClock())
  const busy = newTenantUid()
  const leaves = Array.from({ length: 100 }, () => limits.enter(busy))
  assert.throws(() => limits.enter(busy), { code: 'ERR_RATE_LIMITED', status: 429, retryAfterSeconds: 1 })
  assert.doesNotThrow(() => limits.enter(newTenantUid()))
  leaves[0]?.()
  leaves[0]?.()
  limits.enter(busy)
  assert.throws(() => limits.enter(busy), { code: 'ERR_RATE_LIMITED' })
})

test('H 78: 400 requests at once, then 200 a second', () => {
  const clock = fakeClock()
  const limits = createTenantLimits(clock)
  const tenant = newTenantUid()
  const burst = () => {
    let count = 0
    try {
      for (; ; count++) limits.enter(tenant)()
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ERR_RATE_LIMITED')
      return count
    }
  }
  assert.equal(burst(), 400)
  clock.time += 1_000
  assert.equal(burst(), 200)
  clock.time += 60_000
  assert.equal(burst(), 400)
})

test('H 78: the wait is told in whole seconds', () => {
  const limits = createTenantLimits(fakeClock(), { perSecond: 0.1, burst: 1 })
  const tenant = newTenantUid()
  limits.enter(tenant)()
  assert.throws(() => limits.enter(tenant), { retryAfterSeconds: 10 })
})

test('H 89: a jump of the wall clock gives nobody more requests', () => {
  const clock = fakeClock()
  const limits = createTenantLimits(clock, { burst: 1 })
  const tenant = newTenantUid()
  limits.enter(tenant)()
  clock.wall += 86_400_000
  assert.throws(() => limits.enter(tenant), { code: 'ERR_RATE_LIMITED' })
})

test('settings are checked when the limits are made', () => {
  for (const settings of [{ inFlight: 0 }, { perSecond: -1 }, { burst: Number.NaN }]) {
    assert.throws(() => createTenantLimits(fakeClock(), settings), TypeError)
  }
})

test('H 78: a bound context counts until it is released, also when binding fails', async () => {
  const limits = createTenantLimits(fakeClock(), { inFlight: 1 })
  const identity = { tenantUid: newTenantUid() } as IdentityRecord
  let released = 0
  const inner = {
    run: async (_identity: IdentityRecord, work: () => unknown) => work(),
    open: (_identity: IdentityRecord, _mode: unknown, onRelease: () => void) => ({
      context: {},
      release() {
        released++
        onRelease()
      },
    }),
  } as unknown as Binder
  const binder = limitBinder(inner, limits)
  const opened = binder.open(identity)
  assert.throws(() => binder.open(identity), { code: 'ERR_RATE_LIMITED' })
  await assert.rejects(
    binder.run(identity, () => 1),
    { code: 'ERR_RATE_LIMITED' },
  )
  opened.release()
  assert.equal(released, 1)
  await assert.rejects(
    binder.run(identity, () => Promise.reject(new Error('handler'))),
    /handler/,
  )
  assert.equal(await binder.run(identity, () => 'ran'), 'ran')

  const failing = limitBinder(
    {
      ...inner,
      open: () => {
        throw new Error('not live')
      },
    },
    limits,
  )
  assert.throws(() => failing.open(identity), /not live/)
  assert.throws(() => failing.open(identity), /not live/)
})
