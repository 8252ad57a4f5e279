import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFairQueue } from '../../../src/jobs/fair-queue.ts'
import { backoffOf, JOB_SETTINGS } from '../../../src/jobs/settings.ts'

/** A queue whose items end when the test says so. */
function controlledQueue(limits: { total: number; perTenant: number; waitingPerTenant: number }) {
  const started: string[] = []
  const ends = new Map<string, () => void>()
  const queue = createFairQueue<string>({
    ...limits,
    run: item =>
      new Promise(resolve => {
        started.push(item)
        ends.set(item, resolve)
      }),
  })
  const end = async (item: string) => {
    ends.get(item)?.()
    await new Promise(resolve => setImmediate(resolve))
  }
  return { queue, started, end }
}

test('a tenant with a long backlog shares the free places with the next tenant', async () => {
  const { queue, started, end } = controlledQueue({ total: 3, perTenant: 2, waitingPerTenant: 100 })
  for (let n = 1; n <= 5; n++) queue.push('busy', `busy-${n}`)
  queue.push('calm', 'calm-1')
  assert.deepEqual(started, ['busy-1', 'busy-2', 'calm-1'])
  await end('calm-1')
  assert.deepEqual(started, ['busy-1', 'busy-2', 'calm-1'], 'the busy tenant never has more than its share')
  await end('busy-1')
  assert.deepEqual(started.slice(3), ['busy-3'])
})

test('tenants take turns when all places are taken', async () => {
  const { queue, started, end } = controlledQueue({ total: 1, perTenant: 1, waitingPerTenant: 100 })
  for (const item of ['a1', 'a2', 'a3']) queue.push('a', item)
  for (const item of ['b1', 'b2']) queue.push('b', item)
  for (const item of ['a1', 'b1', 'a2', 'b2']) await end(item)
  assert.deepEqual(started, ['a1', 'b1', 'a2', 'b2', 'a3'])
})

test('a tenant has room in memory up to its limit, and another one still has', () => {
  const { queue } = controlledQueue({ total: 1, perTenant: 1, waitingPerTenant: 2 })
  queue.push('a', 'a1')
  const places = [queue.reserve('a'), queue.reserve('a')]
  assert.equal(queue.reserve('a'), undefined, 'what is on its way counts')
  assert.ok(queue.reserve('b'))
  places[0]?.cancel()
  places[1]?.fill('a2')
  assert.ok(queue.reserve('a'))
  assert.equal(queue.reserve('a'), undefined)
})

test('drained resolves when the last item has ended, and clear gives back what has not begun', async () => {
  const { queue, end } = controlledQueue({ total: 1, perTenant: 1, waitingPerTenant: 10 })
  for (const item of ['a1', 'a2']) queue.push('a', item)
  const drained = queue.drained()
  assert.deepEqual(queue.clear(), ['a2'])
  await end('a1')
  await drained
  assert.equal(queue.running + queue.waiting, 0)
})

test('back-off doubles from one second, stays below its ceiling and keeps half of it at least', () => {
  assert.equal(backoffOf(JOB_SETTINGS, 1, 0), 500)
  assert.equal(backoffOf(JOB_SETTINGS, 1, 1), 1000)
  assert.equal(backoffOf(JOB_SETTINGS, 4, 1), 8000)
  assert.equal(backoffOf(JOB_SETTINGS, 60, 1), JOB_SETTINGS.backoffMaxMs)
})
