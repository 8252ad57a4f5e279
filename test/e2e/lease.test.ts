import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Clock, TenantChange } from '../../src/core/ports.ts'
import type { IdentityRecord } from '../../src/core/tenant.ts'
import type { Command } from '../fixtures/registry-worker.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type Cleanup, eventually, startProcess } from '../support/processes.ts'
import { become, install, keyOf, realClock, testRegistry } from '../support/registry.ts'

const WORKER = new URL('../fixtures/registry-worker.ts', import.meta.url)
const LEASE_MS = 2_000
/** For statements, timers and a busy machine. */
const SLACK_MS = 1_500

let db: TestDatabase
before(async () => {
  db = await createTestDatabase()
})
after(() => db.close())

const wallNow = (): number => performance.timeOrigin + performance.now()

async function startWorker(t: Cleanup) {
  const { app, system, jobs } = db.urls
  const worker = startProcess(t, WORKER, { environment: { APP_URL: app, SYSTEM_URL: system, JOBS_URL: jobs } })
  assert.equal(await worker.line(60_000), '"ready"')
  const ask = async (command: Command): Promise<unknown> => JSON.parse(await worker.ask(JSON.stringify(command)))
  await eventually('the worker has its lease', async () => (await ask({ do: 'leased' })) === true)
  return { ...worker, pid: worker.pid, ask }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}

test('A 10, A 11: once a change is settled no process acts on what was before, not even one that was stopped', async t => {
  const workers = await Promise.all([0, 1, 2, 3].map(() => startWorker(t)))
  const stopped = workers[0]
  assert.ok(stopped)
  const { registry } = testRegistry(db.database)
  await registry.start()
  t.after(() => registry.close())
  const changes: readonly [string, TenantChange][] = [
    ['re-install', install('four', { secret: 'second' })],
    ['disable', become('disable', 'four', { at: Date.now() + 1 })],
    ['uninstall', become('uninstall', 'four', { at: Date.now() + 2 })],
  ]
  await (await registry.apply(install('four', { secret: 'first' }))).settled()
  let secret = 'first'
  for (const [name, change] of changes) {
    if (name === 'uninstall') {
      await (await registry.apply(become('enable', 'four', { at: Date.now() + 1 }))).settled()
    }
    for (const worker of workers) {
      assert.equal(await worker.ask({ do: 'accepts', id: 'four', secret }), true, name)
      assert.equal(await worker.ask({ do: 'hold', id: 'four' }), 'held')
      await worker.ask({ do: 'watch', id: 'four', secret })
    }
    process.kill(stopped.pid, 'SIGSTOP')
    const result = await registry.apply({ ...change, at: Date.now() + 5 })
    const waited = await timed(() => result.settled())
    const settledAt = wallNow()
    assert.ok(waited > 100, `${name}: the stopped process was not waited for: ${waited} ms`)
    assert.ok(waited < LEASE_MS + SLACK_MS, `${name}: waited ${waited} ms`)
    process.kill(stopped.pid, 'SIGCONT')
    for (const worker of workers) {
      assert.equal(await worker.ask({ do: 'accepts', id: 'four', secret }), false, name)
      const lastAccepted = await worker.ask({ do: 'watched', id: 'four' })
      assert.ok(Number(lastAccepted) <= settledAt, `${name}: accepted ${Number(lastAccepted) - settledAt} ms too late`)
      const held = (await worker.ask({ do: 'held', id: 'four' })) as { isAborted: boolean; code: string }
      assert.equal(held.code, 'ERR_TENANT_REVOKED', name)
      assert.equal(held.isAborted || worker === stopped, true, `${name}: running work was told`)
    }
    await eventually('the stopped process has told its running work', async () => {
      return ((await stopped.ask({ do: 'held', id: 'four' })) as { isAborted: boolean }).isAborted
    })
    if (name === 're-install') secret = 'second'
    for (const worker of workers)
      await eventually('leased again', async () => (await worker.ask({ do: 'leased' })) === true)
  }
})

test('a change that everybody acknowledges is settled long before a lease ends', async t => {
  const workers = await Promise.all([0, 1].map(() => startWorker(t)))
  const { registry } = testRegistry(db.database)
  await registry.start()
  t.after(() => registry.close())
  await registry.apply(install('quick'))
  const times: number[] = []
  for (let n = 0; n < 8; n++) {
    const secret = `secret ${n}`
    const result = await registry.apply(install('quick', { secret }))
    times.push(await timed(() => result.settled()))
    for (const worker of workers) assert.equal(await worker.ask({ do: 'accepts', id: 'quick', secret }), true)
  }
  assert.ok(Math.min(...times) < 500, `took ${times} ms`)
})

test('a process that ended, orderly or not, keeps nobody waiting for long', async t => {
  await db.admin('delete from pw.lease')
  const [orderly, killed] = await Promise.all([startWorker(t), startWorker(t)])
  const { registry } = testRegistry(db.database)
  t.after(() => registry.close())
  assert.equal(await orderly.ask({ do: 'close' }), 'closed')
  assert.equal((await db.admin('select from pw.lease')).length, 1)
  await killed.kill()
  await registry.apply(install('ended'))
  const first = await registry.apply(install('ended', { secret: 'b' }))
  assert.ok((await timed(() => first.settled())) < LEASE_MS + SLACK_MS)
  assert.equal((await db.admin('select from pw.lease')).length, 0, 'its lease is gone')
  const second = await registry.apply(install('ended', { secret: 'c' }))
  assert.ok((await timed(() => second.settled())) < 1_000)
})

test('an event loop that stands still for longer than the lease fails closed', async t => {
  const worker = await startWorker(t)
  const { registry } = testRegistry(db.database)
  await registry.apply(install('stall', { secret: 'old' }))
  assert.equal(await worker.ask({ do: 'accepts', id: 'stall', secret: 'old' }), true)
  const awake = worker.ask({ do: 'stall', ms: LEASE_MS + 1_500, id: 'stall', secret: 'old' })
  await (await registry.apply(install('stall', { secret: 'new' }))).settled()
  assert.equal(await awake, false)
  assert.equal(await worker.ask({ do: 'accepts', id: 'stall', secret: 'old' }), false)
  assert.equal(await worker.ask({ do: 'accepts', id: 'stall', secret: 'new' }), true)
})

test('a lost listening connection drops the cache; what was missed is found out before the lease comes back', async t => {
  const network = { isDown: false }
  const { registry } = testRegistry({
    system: db.database.system,
    listen: (...how) => (network.isDown ? Promise.reject(new Error('down')) : db.database.listen(...how)),
  })
  await registry.start()
  t.after(() => registry.close())
  const identity = (await registry.apply(install('lost-listen'))).identity as IdentityRecord
  await registry.find(keyOf('lost-listen'))
  assert.equal(registry.isCurrent(identity), true)
  const seen: string[] = []
  registry.onRevoked(change => seen.push(`revoked before version ${change.version}, leased: ${registry.isLeased}`))
  registry.onLapsed(async () => {
    seen.push(`lapsed, leased: ${registry.isLeased}`)
  })
  network.isDown = true
  await db.admin(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'partywall listen'`)
  await eventually('the loss is noticed', () => !registry.isLeased)
  assert.equal(registry.peek(keyOf('lost-listen')), undefined)
  assert.equal(registry.isCurrent(identity), false)
  await testRegistry(db.database).registry.apply(install('lost-listen', { secret: 'changed meanwhile' }))
  network.isDown = false
  await eventually('the lease is back', () => registry.isLeased)
  assert.deepEqual(seen, ['revoked before version 2, leased: false', 'lapsed, leased: false'])
  assert.equal((await registry.find(keyOf('lost-listen')))?.secrets.get('secret'), 'changed meanwhile')
})

test('without LISTEN there is no cache, and a change made elsewhere counts at once', async () => {
  const { registry } = testRegistry({
    system: db.database.system,
    listen: () => Promise.reject(new Error('not through this pooler')),
  })
  await registry.start()
  const other = testRegistry(db.database).registry
  await other.apply(install('no-listen', { secret: 'a' }))
  for (const secret of ['a', 'b', 'c']) {
    await (await other.apply(install('no-listen', { secret }))).settled()
    const identity = (await registry.find(keyOf('no-listen'))) as IdentityRecord
    assert.equal(identity.secrets.get('secret'), secret)
    assert.equal(registry.peek(keyOf('no-listen')), undefined)
    assert.equal(registry.isCurrent(identity), false)
  }
  await registry.close()
})

test('two changes at the same time are both acknowledged, a gap in the count drops everything', async t => {
  const { registry } = testRegistry(db.database)
  await registry.start()
  t.after(() => registry.close())
  const names = Array.from({ length: 20 }, (_, n) => `parallel-${n}`)
  await Promise.all(names.map(name => registry.apply(install(name))))
  await Promise.all(names.map(name => registry.find(keyOf(name))))
  const others = await Promise.all([0, 1].map(async () => testRegistry(await db.open()).registry))
  await Promise.all(
    names.map(async (name, n) => {
      const result = await others[n % 2]?.apply(install(name, { secret: 'new' }))
      await result?.settled()
    }),
  )
  assert.equal(registry.isLeased, true)
  for (const name of names) assert.equal((await registry.find(keyOf(name)))?.secrets.get('secret'), 'new')
  const identity = (await registry.find(keyOf('parallel-0'))) as IdentityRecord
  await db.admin('update pw.epoch set n = n + 2')
  await db.admin(
    `select pg_notify('pw_change', json_build_array((select n from pw.epoch), $1::text, $2::text, 99, 'x', false)::text)`,
    [identity.tenantUid, identity.uid],
  )
  await eventually('the gap is noticed', () => registry.peek(keyOf('parallel-1')) === undefined)
  await eventually('the lease is back', () => registry.isLeased)
})

test('H 89: a wall clock that jumps back revives nothing, one that jumps forward only takes trust away', async t => {
  const wall = { offset: 0 }
  const time = { offset: 0 }
  const clock: Clock = { now: () => Date.now() + wall.offset, monotonic: () => realClock.monotonic() + time.offset }
  // No renewal comes in between: the trust that is measured is the first one.
  const { registry } = testRegistry(db.database, { clock, lease: { leaseMs: 60_000, renewMs: 50_000, marginMs: 250 } })
  await registry.start()
  t.after(() => registry.close())
  await registry.apply(install('clock'))
  await registry.find(keyOf('clock'))
  assert.ok(registry.peek(keyOf('clock')))
  wall.offset = 3_600_000
  assert.equal(registry.peek(keyOf('clock')), undefined, 'time that went by unseen, as in a machine that slept')
  wall.offset = 0
  assert.ok(registry.peek(keyOf('clock')))
  time.offset = 60_000
  wall.offset = -3_600_000
  assert.equal(registry.peek(keyOf('clock')), undefined)
  assert.equal(registry.isLeased, false)
})
