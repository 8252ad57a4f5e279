// Reads that are under way while something changes: what they answer must not be older than what was settled.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Clock } from '../../src/core/ports.ts'
import type { Database } from '../../src/postgres/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/processes.ts'
import { install, keyOf, realClock, testRegistry } from '../support/registry.ts'

let db: TestDatabase
before(async () => {
  db = await createTestDatabase()
})
after(() => db.close())

/** A database whose answers to look-ups wait until they are let through. */
function slowReads() {
  let gate: Promise<void> | undefined
  let open: () => void = () => undefined
  const state = { held: 0 }
  const database: Pick<Database, 'system' | 'listen'> = {
    listen: (...how) => db.database.listen(...how),
    system: {
      transaction: work => db.database.system.transaction(work),
      query: async (statement, values) => {
        const rows = await db.database.system.query(statement, values)
        if (gate !== undefined && statement.name.startsWith('pw_registry_by_')) {
          state.held++
          await gate
        }
        return rows
      },
    },
  }
  const hold = (): void => {
    gate = new Promise(resolve => {
      open = resolve
    })
  }
  const letThrough = (): void => {
    gate = undefined
    open()
  }
  return { database, state, hold, letThrough }
}

test('A 10: a read that began before a change does not answer after it is settled', async t => {
  const { database, state, hold, letThrough } = slowReads()
  const { registry } = testRegistry(database)
  const other = testRegistry(await db.open()).registry
  await Promise.all([registry.start(), other.start()])
  t.after(() => Promise.all([registry.close(), other.close()]))
  const { identity } = await other.apply(install('under-way', { secret: 'old' }))
  assert.ok(identity)
  hold()
  const reads = [registry.find(keyOf('under-way')), registry.findByUid(identity.tenantUid, identity.uid)]
  await eventually('both reads are under way', () => state.held === 2)
  await (await other.apply(install('under-way', { secret: 'new' }))).settled()
  letThrough()
  for (const read of reads) assert.equal((await read)?.secrets.get('secret'), 'new')
  assert.equal(registry.peek(keyOf('under-way'))?.secrets.get('secret'), 'new')
})

test('A 10: without a lease an answer that is old is asked for again', async () => {
  const { database, state, hold, letThrough } = slowReads()
  const time = { offset: 0 }
  const clock: Clock = { now: () => Date.now(), monotonic: () => realClock.monotonic() + time.offset }
  const { registry } = testRegistry(database, { clock })
  const other = testRegistry(await db.open()).registry
  await other.apply(install('late', { secret: 'old' }))
  hold()
  const read = registry.find(keyOf('late'))
  await eventually('the read is under way', () => state.held === 1)
  await (await other.apply(install('late', { secret: 'new' }))).settled()
  // As after SIGCONT: the answer from before lies in the socket.
  time.offset = 10_000
  letThrough()
  assert.equal((await read)?.secrets.get('secret'), 'new')
})

test('A 10: a process whose messages get lost loses its lease, not its caution', async t => {
  const deaf = testRegistry({
    system: db.database.system,
    listen: (channel, _onMessage, onLost) => db.database.listen(channel, () => undefined, onLost),
  }).registry
  const other = testRegistry(await db.open()).registry
  await Promise.all([deaf.start(), other.start()])
  t.after(() => Promise.all([deaf.close(), other.close()]))
  await other.apply(install('deaf', { secret: 'old' }))
  for (const secret of ['second', 'third']) {
    await eventually('leased', () => deaf.isLeased)
    await deaf.find(keyOf('deaf'))
    assert.ok(deaf.peek(keyOf('deaf')))
    const begun = performance.now()
    await (await other.apply(install('deaf', { secret }))).settled()
    assert.ok(performance.now() - begun < 4_000)
    assert.equal((await deaf.find(keyOf('deaf')))?.secrets.get('secret'), secret)
  }
})

test('the cache is bounded, and what has fallen out is read again', async t => {
  const { registry } = testRegistry(db.database, { maxCachedIdentities: 3 })
  await registry.start()
  t.after(() => registry.close())
  const names = ['a', 'b', 'c', 'd', 'e'].map(name => `bounded-${name}`)
  for (const name of names) {
    await registry.apply(install(name))
    assert.equal((await registry.find(keyOf(name)))?.externalId, name)
  }
  assert.deepEqual(
    names.map(name => registry.peek(keyOf(name)) !== undefined),
    [false, false, true, true, true],
  )
  assert.equal((await registry.find(keyOf(names[0] ?? '')))?.externalId, names[0])
})
