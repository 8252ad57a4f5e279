/** Cases of the tenant store: versions, concurrent writers, time to live. */

import assert from 'node:assert/strict'
import { equal, refuses } from './store-case-tools.ts'
import type { StoreCase } from './store-cases.ts'

export const storeAtomicCases: readonly StoreCase[] = [
  {
    name: 'E 54: the last write wins unless a version is given, and versions grow',
    async run({ one, oneElsewhere }) {
      const first = await one.set('key', 1)
      const second = await oneElsewhere.set('key', 2)
      assert.ok(first.version > 0 && second.version > first.version, 'versions must grow')
      equal(await one.entry('key'), { value: 2, version: second.version })
      await refuses('ERR_VERSION_CONFLICT', () => one.set('key', 3, { ifVersion: first.version }))
      await refuses('ERR_VERSION_CONFLICT', () => one.set('key', 3, { ifVersion: 0 }))
      await refuses('ERR_VERSION_CONFLICT', () => one.set('absent', 3, { ifVersion: 1 }))
      const third = await one.set('key', 3, { ifVersion: second.version })
      assert.ok(third.version > second.version, 'versions must grow')
      equal(await oneElsewhere.get('key'), 3)
      equal(await one.del('key', { ifVersion: second.version }), false)
      equal(await one.del('key', { ifVersion: third.version }), true)
      for (const ifVersion of [-1, 1.5, Number.NaN, '1', null]) {
        await refuses('ERR_VERSION_INVALID', () => one.set('key', 1, { ifVersion: ifVersion as number }))
        await refuses('ERR_VERSION_INVALID', () => one.del('key', { ifVersion: ifVersion as number }))
      }
      equal(await one.get('key'), undefined)
    },
  },
  {
    name: 'E 54: of many who want to be first exactly one is',
    async run({ one, oneElsewhere }) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? one : oneElsewhere).set('lock', index, { ifVersion: 0 }),
        ),
      )
      const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []))
      equal(winners.length, 1)
      equal(await one.get('lock'), winners[0])
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'ERR_VERSION_CONFLICT')
      }
    },
  },
  {
    name: 'E 54: a version never comes back, not even after the key was deleted or expired',
    async run({ one, oneElsewhere }) {
      const seen = new Set<number>()
      for (let round = 0; round < 10; round++) {
        const { version } = await one.set('key', 'old', { ttlSeconds: 100 })
        assert.ok(!seen.has(version), 'a version came back')
        seen.add(version)
        await oneElsewhere.del('key')
      }
      const [stale = 0] = seen
      await one.set('key', 'new')
      await refuses('ERR_VERSION_CONFLICT', () => one.set('key', 'overwritten', { ifVersion: stale }))
      equal(await one.get('key'), 'new')
    },
  },
  {
    name: 'E 54: 50 updates of one counter from two processes come to 50',
    async run({ one, oneElsewhere, other }) {
      await other.set('counter', 1_000)
      const step = (index: number) =>
        (index % 2 === 0 ? one : oneElsewhere).update<number>('counter', async (count = 0) => count + 1)
      const results = await Promise.all(Array.from({ length: 50 }, (_, index) => step(index)))
      equal(await one.get('counter'), 50)
      equal(
        results.sort((a = 0, b = 0) => a - b),
        Array.from({ length: 50 }, (_, index) => index + 1),
      )
      equal(await other.get('counter'), 1_000)
    },
  },
  {
    name: 'update() deletes with undefined, keeps everything when the change fails, refuses itself inside itself',
    async run({ one }) {
      equal(await one.update('key', () => undefined), undefined)
      await one.set('key', { n: 1 })
      await assert.rejects(
        one.update('key', () => {
          throw new RangeError('no')
        }),
        RangeError,
      )
      equal(await one.get('key'), { n: 1 })
      await refuses('ERR_UPDATE_REENTRANT', () => one.update('key', async () => one.update('key', () => 2)))
      await refuses('ERR_VALUE_INVALID', () => one.update('key', () => 1n as unknown as number))
      equal(await one.get('key'), { n: 1 })
      // Two that update each other's key inside their change do not wait for each other for ever.
      await one.set('a', 0)
      await one.set('b', 0)
      const cross = (mine: string, theirs: string) =>
        one.update<number>(mine, async (count = 0) => {
          await one.update<number>(theirs, (n = 0) => n + 1)
          return count
        })
      await Promise.allSettled([cross('a', 'b'), cross('b', 'a')])
      equal(await one.update('key', () => undefined), undefined)
      equal(await one.get('key'), undefined)
    },
  },
  {
    name: 'an expired key is absent at once: for reads, lists, versions and updates',
    async run({ one }) {
      await Promise.all(['get', 'first', 'update', 'del', 'version'].map(key => one.set(key, 'old', 1)))
      const { version } = await one.set('version', 'old', { ttlSeconds: 1 })
      await one.set('get', 'old', { ttlSeconds: 1 })
      equal(await one.get('get'), 'old')
      await one.set('stays', 'stays', { ttlSeconds: 1_000 })
      await until(async () => (await one.get('get')) === undefined)
      equal(await one.all(), { stays: 'stays' })
      equal((await one.list()).items, { stays: 'stays' })
      equal([...(await one.getMany(['get', 'stays']))], [['stays', 'stays']])
      await one.set('first', 'new', { ifVersion: 0 })
      equal(await one.get('first'), 'new')
      equal(await one.update('update', value => `${value ?? 'absent'}`), 'absent')
      equal(await one.del('del'), false)
      await refuses('ERR_VERSION_CONFLICT', () => one.set('version', 'new', { ifVersion: version }))
      const revived = await one.set('version', 'new')
      assert.ok(revived.version > version, 'versions must grow past an expired one')
    },
  },
  {
    name: 'a time to live is whole seconds, from 1 to ten years, and a set without one ends it',
    async run({ one }) {
      for (const ttl of [0, -1, 1.5, 315_360_001, Number.NaN, Number.POSITIVE_INFINITY, '10', null]) {
        await refuses('ERR_TTL_INVALID', () => one.set('key', 1, ttl as number))
        await refuses('ERR_TTL_INVALID', () => one.set('key', 1, { ttlSeconds: ttl as number }))
        await refuses('ERR_TTL_INVALID', () => one.update('key', () => 1, { ttlSeconds: ttl as number }))
      }
      await one.set('key', 1, 315_360_000)
      await one.set('key', 2, 1)
      await one.set('key', 3)
      await one.set('clock', 1, 1)
      await until(async () => (await one.get('clock')) === undefined)
      equal(await one.get('key'), 3)
    },
  },
]

/** Polls until `isDone`, at most 10 seconds. */
async function until(isDone: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await isDone())) {
    assert.ok(performance.now() < deadline, 'it did not happen within 10 seconds')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
