import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createBinder } from '../../src/core/bind.ts'
import { isPartywallError, PartywallError } from '../../src/core/errors.ts'
import { newIdentityUid, newTenantUid } from '../../src/core/ids.ts'
import type { TenantChange } from '../../src/core/ports.ts'
import { type IdentityRecord, isLive } from '../../src/core/tenant.ts'
import type { BoundTransaction, Database, Statement } from '../../src/postgres/database.ts'
import type { Command } from '../fixtures/registry-worker.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startProcess } from '../support/processes.ts'
import { become, install, keyOf, realClock, silent, testRegistry, usedToken } from '../support/registry.ts'

const WORKER = new URL('../fixtures/registry-worker.ts', import.meta.url)

let db: TestDatabase
before(async () => {
  db = await createTestDatabase()
})
after(() => db.close())

const isCode = (code: string) => (error: unknown) => isPartywallError(error) && error.code === code
const count = async (sql: string, values: string[] = []) => (await db.admin(sql, values)).length
const secretOf = (identity: IdentityRecord | undefined) => identity?.secrets.get('secret')

test('an install is found by key and by uid, with its secrets behind getters', async () => {
  const { registry } = testRegistry(db.database)
  const change = install('first', { initialSecrets: { webhookToken: 'w' }, attributes: { __proto__: null, list: [1] } })
  const { outcome, identity } = await registry.apply(change)
  assert.equal(outcome, 'created')
  assert.ok(identity)
  const byKey = await registry.find(keyOf('first'))
  const byUid = await registry.findByUid(identity.tenantUid, identity.uid)
  for (const found of [byKey, byUid]) {
    assert.deepEqual({ ...found, secrets: 0 }, { ...identity, secrets: 0 })
    assert.deepEqual([secretOf(found), found?.secrets.get('webhookToken')], ['secret of first', 'w'])
  }
  assert.equal(Object.isFrozen(byKey?.attributes.list), true, 'shared by all who run for the tenant')
  assert.equal(await registry.find(keyOf('unknown')), undefined)
  assert.equal(await registry.findByUid(newTenantUid(), identity.uid), undefined)
  assert.equal(await registry.findByUid(identity.tenantUid, newIdentityUid()), undefined)
  const updated = await registry.apply({
    ...change,
    attributes: { name: 'new' },
    initialSecrets: { webhookToken: 'other' },
  })
  assert.equal(updated.outcome, 'changed')
  assert.equal(updated.identity?.secrets.get('webhookToken'), 'w', 'made once, kept over updates')
})

test('identities of one app and environment are listed page by page, those that have ended left out', async () => {
  const { registry } = testRegistry(db.database)
  const group = { app: 'listed', environment: 'production', dialect: 'forge' } as const
  for (const externalId of ['c', 'a', 'b', 'd']) {
    await registry.apply({ ...install(externalId), key: { ...group, externalId } })
  }
  await registry.apply({ ...install('z'), key: { ...group, environment: 'staging', externalId: 'z' } })
  await registry.apply({ kind: 'uninstall', key: { ...group, externalId: 'b' }, at: Date.now(), reason: 'uninstall' })
  assert.deepEqual(await registry.list(group), ['a', 'c', 'd'])
  assert.deepEqual(await registry.list(group, { limit: 2 }), ['a', 'c'])
  assert.deepEqual(await registry.list(group, { after: 'c', limit: 2 }), ['d'])
  assert.deepEqual(await registry.list({ ...group, dialect: 'connect' }), [])
})

test('an identity is found only together with its own tenant, also in memory', async t => {
  const { registry } = testRegistry(db.database)
  await registry.start()
  t.after(() => registry.close())
  const { identity } = await registry.apply(install('pair'))
  assert.ok(identity)
  assert.equal((await registry.findByUid(identity.tenantUid, identity.uid))?.uid, identity.uid)
  assert.equal(registry.isCurrent(identity), true)
  assert.equal(await registry.findByUid(newTenantUid(), identity.uid), undefined)
})

test('identities of other apps, environments and dialects are others; ids that look alike too', async () => {
  const { registry } = testRegistry(db.database)
  const ids = [
    'like',
    'Like',
    'like ',
    'like\u0301',
    'li%',
    'li_e',
    "like'",
    '__proto__',
    '1:a',
    '2:1:a',
    'é',
    'e\u0301',
  ]
  const keys = [
    ...ids.map(id => keyOf(id)),
    { ...keyOf('like'), app: 'other' },
    { ...keyOf('like'), environment: 'staging' },
    keyOf('like', 'hipchat'),
  ]
  const created = await Promise.all(keys.map(key => registry.apply({ ...install('x'), key })))
  assert.equal(new Set(created.map(({ identity }) => identity?.tenantUid)).size, keys.length)
  const found = await Promise.all(keys.map(key => registry.find(key)))
  assert.deepEqual(
    found.map(identity => identity?.uid),
    created.map(({ identity }) => identity?.uid),
  )
  for (const id of ['', 'a\0b', '\ud800', 'x'.repeat(1_025)]) {
    assert.equal(await registry.find(keyOf(id)), undefined)
    await assert.rejects(registry.apply(install(id)), isCode('ERR_INSTALL_INVALID'))
  }
})

test('B 26: an empty secret is never stored, and an ended identity shows none', async () => {
  const { registry } = testRegistry(db.database)
  for (const secret of ['', null, undefined]) {
    const change = install('no-secret', { secrets: { secret: secret as string } })
    await assert.rejects(registry.apply(change), isCode('ERR_INSTALL_INVALID'))
  }
  assert.equal(await registry.find(keyOf('no-secret')), undefined)
  await registry.apply(install('ended'))
  await registry.apply(become('uninstall', 'ended'))
  const ended = await registry.find(keyOf('ended'))
  assert.equal(ended?.state, 'uninstalled')
  assert.deepEqual([secretOf(ended), ended?.secrets.sessionKey], [undefined, undefined])
})

test('A 6: a lifecycle token counts once, with one body, also after a restart', async () => {
  const change = install('replay', { secret: 'a', usedToken: usedToken('token', 'body') })
  await testRegistry(db.database).registry.apply(change)
  const restarted = testRegistry(await db.open()).registry
  const again = await restarted.apply({ ...change, attributes: { changed: true } })
  assert.equal(again.outcome, 'unchanged')
  const otherBody = { ...change, secrets: { secret: 'b' }, usedToken: usedToken('token', 'another body') }
  await assert.rejects(restarted.apply(otherBody), isCode('ERR_TOKEN_REPLAYED'))
  assert.equal(secretOf(await restarted.find(keyOf('replay'))), 'a')
  const uninstall = become('uninstall', 'replay', { at: change.at + 1, usedToken: usedToken('end', 'body') })
  assert.equal((await restarted.apply(uninstall)).outcome, 'changed')
  assert.equal((await restarted.apply(change)).outcome, 'unchanged', 'the install’s token brings nothing back')
  assert.equal((await restarted.find(keyOf('replay')))?.state, 'uninstalled')
})

test('A 7: an older event never changes secret or state', async () => {
  const { registry } = testRegistry(db.database)
  const at = Date.now()
  await registry.apply(install('order', { secret: 'new', at }))
  for (const change of [
    install('order', { secret: 'old', at: at - 1 }),
    become('uninstall', 'order', { at: at - 1 }),
  ]) {
    const result = await registry.apply(change)
    assert.equal(result.outcome, 'stale')
    assert.equal(secretOf(result.identity), 'new')
    await result.settled()
  }
  const identity = await registry.find(keyOf('order'))
  assert.deepEqual([secretOf(identity), identity?.state, identity?.version], ['new', 'installed', 1])
})

test('A 10: concurrent re-installs in several processes end with exactly one working secret', async () => {
  const registries = await Promise.all([0, 1, 2, 3].map(async () => testRegistry(await db.open()).registry))
  await Promise.all(registries.map(registry => registry.start()))
  await registries[0]?.apply(install('concurrent', { secret: 'before' }))
  const secrets = Array.from({ length: 24 }, (_, n) => `secret ${n}`)
  const results = await Promise.allSettled(
    secrets.map(async (secret, n) => {
      const result = await registries[n % 4]?.apply(install('concurrent', { secret, isOrderedByArrival: true }))
      await result?.settled()
      return result
    }),
  )
  assert.equal(results.filter(result => result.status === 'rejected').length, 0)
  const seen = await Promise.all(registries.map(async registry => secretOf(await registry.find(keyOf('concurrent')))))
  assert.equal(new Set(seen).size, 1)
  assert.ok(secrets.includes(seen[0] ?? ''))
  const identity = await registries[0]?.find(keyOf('concurrent'))
  assert.deepEqual([identity?.version, identity?.secretVersion], [25, 25])
  assert.equal(
    await count("select from pw.secret where identity_uid = $1::uuid and name = 'secret'", [identity?.uid ?? '']),
    1,
  )
  await Promise.all(registries.map(registry => registry.close()))
})

test('A 10: first installs of one identity in several processes make one tenant', async () => {
  const registries = await Promise.all([0, 1, 2, 3].map(async () => testRegistry(await db.open()).registry))
  for (let round = 0; round < 8; round++) {
    const id = `first-${round}`
    const results = await Promise.all(registries.map((registry, n) => registry.apply(install(id, { secret: `${n}` }))))
    assert.equal(results.filter(result => result.outcome === 'created').length, 1)
    assert.equal(new Set(results.map(result => result.identity?.tenantUid)).size, 1)
  }
})

test('A 10: a compare-and-set install loses against a faster one', async () => {
  const { registry } = testRegistry(db.database)
  const first = await Promise.allSettled(
    ['a', 'b', 'c'].map(secret => registry.apply(install('expected', { secret, expect: 'absent' }))),
  )
  assert.deepEqual(first.map(one => one.status).sort(), ['fulfilled', 'rejected', 'rejected'])
  const winner = await registry.find(keyOf('expected'))
  const expect = winner?.version ?? 0
  const second = await Promise.allSettled(
    ['d', 'e'].map(secret => registry.apply(install('expected', { secret, expect }))),
  )
  assert.deepEqual(second.map(one => one.status).sort(), ['fulfilled', 'rejected'])
  for (const one of [...first, ...second]) {
    if (one.status === 'rejected') assert.ok(isCode('ERR_INSTALL_CONFLICT')(one.reason))
  }
})

test('A 11: after an uninstall is settled nothing of the tenant runs, and nothing of it is kept', async () => {
  const { registry } = testRegistry(db.database)
  await registry.start()
  const binder = createBinder({ registry, logger: silent })
  const identity = (await registry.apply(install('runs'))).identity as IdentityRecord
  await registry.find(keyOf('runs'))
  assert.ok(registry.peek(keyOf('runs')))
  const { context } = binder.open(identity)
  const { signal } = context
  const result = await registry.apply(become('uninstall', 'runs'))
  await result.settled()
  assert.equal(signal.aborted, true)
  assert.throws(() => context.ensureLive(), isCode('ERR_TENANT_REVOKED'))
  assert.equal(registry.peek(keyOf('runs')), undefined)
  assert.equal(registry.isCurrent(identity), false)
  await assert.rejects(
    binder.run(identity, () => 1),
    isCode('ERR_TENANT_REVOKED'),
  )
  const listener = binder.open(result.identity as IdentityRecord, 'read-only')
  await listener.context.ensureLive()
  await registry.close()
})

test('A 12: an uninstall of an unknown or ended identity is no failure', async () => {
  const { registry } = testRegistry(db.database)
  assert.equal((await registry.apply(become('uninstall', 'never seen'))).outcome, 'unknown')
  await registry.apply(install('twice'))
  assert.equal((await registry.apply(become('uninstall', 'twice'))).outcome, 'changed')
  const again = await registry.apply(become('uninstall', 'twice'))
  assert.equal(again.outcome, 'unchanged')
  await again.settled()
  assert.equal(again.identity?.version, 2)
})

test('A 15: the same id from another host is refused, and stays as it was', async () => {
  const { registry } = testRegistry(db.database)
  await registry.apply(install('host'))
  const foreign = install('host', { host: 'evil.example.com', secret: 'evil' })
  await assert.rejects(registry.apply(foreign), isCode('ERR_INSTALL_CONFLICT'))
  await registry.apply(become('uninstall', 'host'))
  await assert.rejects(registry.apply(foreign), isCode('ERR_INSTALL_CONFLICT'))
  assert.equal((await registry.find(keyOf('host')))?.host, 'host.example.com')
})

test('a thousand installs at once are all saved, each when it is answered', async t => {
  const { registry } = testRegistry(db.database)
  await registry.start()
  t.after(() => registry.close())
  const names = Array.from({ length: 1_000 }, (_, n) => `crowd-${n}`)
  const begun = performance.now()
  const results = await Promise.all(names.map(name => registry.apply(install(name))))
  t.diagnostic(`1,000 installs in ${Math.round(performance.now() - begun)} ms`)
  assert.ok(results.every(result => result.outcome === 'created'))
  assert.equal(await count("select from pw.identity where external_id like 'crowd-%'"), 1_000)
  const found = await Promise.all(names.map(name => registry.find(keyOf(name))))
  for (const [n, identity] of found.entries()) assert.equal(secretOf(identity), `secret of crowd-${n}`)
})

test('one change that the database refuses fails alone', async () => {
  const { registry } = testRegistry(db.database)
  const host = 'no\0host'
  const results = await Promise.allSettled([
    registry.apply(install('together-1')),
    registry.apply(install('together-2', { host })),
    registry.apply(install('together-3')),
  ])
  assert.deepEqual(
    results.map(result => result.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

/** A database that does something after every `at`-th statement of a transaction, and after its commit. */
function disturbed(database: Database, disturb: (step: number) => Promise<void>): Pick<Database, 'system' | 'listen'> {
  let step = 0
  const wrap = (transaction: BoundTransaction): BoundTransaction => ({
    query: async (statement: Statement, values) => {
      const mine = step++
      const rows = await transaction.query(statement, values)
      await disturb(mine)
      return rows
    },
  })
  return {
    listen: (...how) => database.listen(...how),
    system: {
      query: (...call) => database.system.query(...call),
      transaction: async work => {
        const result = await database.system.transaction(transaction => work(wrap(transaction)))
        await disturb(-1)
        return result
      },
    },
  }
}

test('F 65: a connection lost at any statement leaves the old or the new state, and the same event again succeeds', async () => {
  const retried = { attempts: 0, hasBoth: new Set<string>() }
  for (let at = -1; at < 13; at++) {
    const id = `lost-${at}`
    const changes: readonly TenantChange[] = [
      install(id, { secret: 'one', usedToken: usedToken(`${id} 1`, 'b') }),
      install(id, { secret: 'two', at: Date.now() + 1, usedToken: usedToken(`${id} 2`, 'b') }),
      become('uninstall', id, { at: Date.now() + 2, usedToken: usedToken(`${id} 3`, 'b') }),
    ]
    const steady = testRegistry(db.database).registry
    let before: IdentityRecord | undefined
    for (const change of changes) {
      let isLost = false
      const cut = async (step: number): Promise<void> => {
        if (step !== at || isLost) return
        isLost = true
        if (at === -1) throw new PartywallError('ERR_STORE_UNAVAILABLE', { message: 'lost after the commit' })
        await db.admin(`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and usename = 'pw_system' and state like 'idle in transaction%'`)
      }
      const { registry } = testRegistry(disturbed(db.database, cut))
      const [result] = await Promise.allSettled([registry.apply(change)])
      const now = await steady.find(keyOf(id))
      if (result?.status === 'rejected') {
        retried.attempts++
        const isOld = now?.version === before?.version
        const isNew = now?.version === (before?.version ?? 0) + 1
        assert.ok(isOld || isNew, `step ${at}`)
        retried.hasBoth.add(isOld ? 'old' : 'new')
        if (isOld) assert.equal(secretOf(now), secretOf(before))
      }
      const again = await steady.apply(change)
      await again.settled()
      before = await steady.find(keyOf(id))
    }
    assert.equal(before?.state, 'uninstalled')
    assert.equal(before?.version, 3)
  }
  assert.ok(retried.attempts > 20, `${retried.attempts}`)
  assert.deepEqual([...retried.hasBoth].sort(), ['new', 'old'])
})

test('A 9, F 65: a kill at any moment loses nothing that was answered, and the same event again succeeds', async t => {
  const { app, system, jobs } = db.urls
  const { registry } = testRegistry(db.database)
  await db.admin('delete from pw.lease')
  const rounds = process.env.PARTYWALL_SCALE === 'ci' ? 5 : 2
  for (let round = 0; round < rounds; round++) {
    const workers = await Promise.all(
      [0, 1, 2, 3].map(async () => {
        const worker = startProcess(t, WORKER, { environment: { APP_URL: app, SYSTEM_URL: system, JOBS_URL: jobs } })
        await worker.line(60_000)
        return worker
      }),
    )
    await Promise.all(
      workers.map(async (worker, w) => {
        const id = `killed-${round}-${w}`
        const command: Command = { do: 'installs', count: 500, change: install(id) }
        let told = Number(JSON.parse(await worker.ask(JSON.stringify(command), 60_000)))
        const until = performance.now() + 10 + w * 23 + round * 31
        const lines: Promise<void> = (async () => {
          for (;;) told = Number(JSON.parse(await worker.line()))
        })().catch(() => undefined)
        while (performance.now() < until) await new Promise(resolve => setTimeout(resolve, 1))
        await worker.kill()
        await lines
        const rows = await db.admin('select external_id from pw.identity where external_id like $1', [`${id}-%`])
        const saved = new Set(rows.map(row => String(row.external_id)))
        for (let n = 0; n <= told; n++) assert.ok(saved.has(`${id}-${n}`), `${n} was answered and is lost`)
        assert.ok(saved.size <= told + 2, 'at most one change more than was answered')
        const next = install(`${id}-${told + 1}`, { secrets: { secret: `secret of ${id}` } })
        const result = await registry.apply(next)
        assert.ok(['created', 'unchanged'].includes(result.outcome))
        const broken = await db.admin(
          `select from pw.identity i where external_id like $1 and not (exists (select from pw.data_key d where d.tenant_id = i.tenant_id)
             and exists (select from pw.secret s where s.identity_uid = i.uid) and exists (select from pw.audit a where a.tenant_id = i.tenant_id))`,
          [`${id}-%`],
        )
        assert.equal(broken.length, 0, 'all of a change or nothing')
      }),
    )
  }
})

test('a fresh read is made at most once a second per identity, and never answers from memory', async t => {
  const reads = { count: 0 }
  const counted: Pick<Database, 'system' | 'listen'> = {
    listen: (...how) => db.database.listen(...how),
    system: {
      transaction: work => db.database.system.transaction(work),
      query: (statement, values) => {
        if (statement.name === 'pw_registry_by_key') reads.count++
        return db.database.system.query(statement, values)
      },
    },
  }
  const time = { offset: 0 }
  const clock = { now: () => Date.now(), monotonic: () => realClock.monotonic() + time.offset }
  const { registry } = testRegistry(counted, { clock })
  await registry.start()
  t.after(() => registry.close())
  await registry.apply(install('fresh'))
  await registry.find(keyOf('fresh'))
  assert.equal(reads.count, 1)
  await Promise.all(Array.from({ length: 50 }, () => registry.findFresh(keyOf('fresh'))))
  assert.equal(reads.count, 2)
  time.offset += 1_001
  await registry.findFresh(keyOf('fresh'))
  assert.equal(reads.count, 3)
  await Promise.all(Array.from({ length: 50 }, () => registry.find(keyOf('nobody'))))
  assert.equal(reads.count, 4, 'look-ups of the same moment travel together')
  await registry.find(keyOf('nobody'))
  assert.equal(reads.count, 5, 'and absence is not remembered')
})

test('F 66: a server that only follows another is never asked', async () => {
  try {
    // The logins look into `pw` before the catalog: a function there makes this server say that it is a standby.
    await db.admin(`create function pw.pg_is_in_recovery() returns boolean language sql as 'select true';
      grant execute on function pw.pg_is_in_recovery() to public`)
    await assert.rejects(db.open(), isCode('ERR_STORE_UNAVAILABLE'))
  } finally {
    await db.admin('drop function pw.pg_is_in_recovery()')
  }
  await db.open()
})

test('two refusals of the host’s token endpoint count when they are at least a minute apart', async () => {
  const { registry } = testRegistry(db.database)
  const identity = (await registry.apply(install('refused'))).identity as IdentityRecord
  assert.equal(await registry.noteRefusal(identity), false)
  assert.equal(await registry.noteRefusal(identity), false)
  const pastMinute = () =>
    db.admin("update pw.identity set refused_at = refused_at - interval '61 seconds' where uid = $1::uuid", [
      identity.uid,
    ])
  await pastMinute()
  assert.equal(await registry.noteRefusal(identity), true)
  await registry.clearRefusal(identity)
  assert.equal(await registry.noteRefusal(identity), false)
  await pastMinute()
  const next = (await registry.apply(install('refused', { secret: 'next' }))).identity as IdentityRecord
  assert.equal(await registry.noteRefusal(identity), false, 'a refusal of the old secret says nothing')
  assert.equal(await registry.noteRefusal(next), false)
})

test('a tenant on hold is not changed, and its requests do not run', async () => {
  const { registry } = testRegistry(db.database)
  const identity = (await registry.apply(install('hold'))).identity as IdentityRecord
  await db.admin("update pw.tenant set hold = 'moving' where tenant_id = $1::uuid", [identity.tenantUid])
  await assert.rejects(registry.apply(become('uninstall', 'hold')), isCode('ERR_TENANT_HELD'))
  const held = await registry.find(keyOf('hold'))
  assert.ok(held)
  assert.equal(isLive(held), false)
})
