import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isPartywallError } from '../../src/core/errors.ts'
import type { TenantUid } from '../../src/core/ids.ts'
import type { IdentityRecord } from '../../src/core/tenant.ts'
import { createKv } from '../../src/postgres/kv.ts'
import { createRetention, type RetentionOptions } from '../../src/postgres/retention.ts'
import { createTokenStore } from '../../src/postgres/token-store.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { become, install, keyOf, realClock, silent, testRegistry, usedToken } from '../support/registry.ts'

let db: TestDatabase
before(async () => {
  db = await createTestDatabase()
  // Tables of an app author: one points to the other, so the order of deletion matters.
  await db.admin(`create schema app;
    grant usage on schema app to pw_app;
    create table app.folder (tenant_id uuid not null, id int, primary key (tenant_id, id));
    create table app."Odd ""name" (tenant_id uuid not null, id int, folder int, primary key (tenant_id, id),
      foreign key (tenant_id, folder) references app.folder (tenant_id, id));
    select pw.protect('app.folder'), pw.protect('app."Odd ""name"')`)
})
after(() => db.close())

const policy = { days: 28, restore: true }
const retentionOf = (more: Partial<RetentionOptions> = {}) =>
  createRetention({ database: db.database, clock: realClock, logger: silent, retention: policy, ...more })
const isCode = (code: string) => (error: unknown) => isPartywallError(error) && error.code === code

const WALLED = ['pw.kv', 'pw.inbox', 'pw.job', 'pw.schedule', 'app.folder', 'app."Odd ""name"']
const OWN = ['pw.identity', 'pw.data_key', 'pw.secret', 'pw.token', 'pw.used_token', 'pw.tenant']

async function rowsOf(tenant: TenantUid, tables: readonly string[]): Promise<readonly string[]> {
  const parts = tables.map(table => `select '${table} ' || x::text as row from ${table} x where tenant_id = $1::uuid`)
  const rows = await db.admin(`${parts.join(' union all ')} order by 1`, [tenant])
  return rows.map(found => String(found.row))
}

/** An installation with rows in every table that can hold some. */
async function populated(name: string, retention = policy, many = 20): Promise<IdentityRecord> {
  const { registry, dataKeys } = testRegistry(db.database, { retention })
  const identity = (await registry.apply(install(name))).identity as IdentityRecord
  const { tenantUid: tenant, uid } = identity
  const token = { accessToken: 'token', expiresAt: Date.now() + 60_000, scope: '', facts: {} }
  await createTokenStore({ database: db.database, dataKeys }).save(identity, 'k', token)
  const kv = createKv(db.database.app)
  for (const space of ['store', 'kvs', 'webhook', 'internal']) await kv.set(tenant, space, '', 'key', '"value"', {})
  await db.admin(
    `insert into pw.kv (tenant_id, space, scope, key, value)
       select '${tenant}', 'store', 'many', n::text, '1' from generate_series(1, ${many}) n`,
  )
  await db.admin(
    `insert into pw.inbox (tenant_id, id, identity_uid, handler, payload, state, keep_until)
       values ('${tenant}', '${uid}', '${uid}', 'h', '{}', 'due', now());
     insert into pw.job (tenant_id, id, identity_uid, handler, payload, state) values ('${tenant}', '${uid}', '${uid}', 'h', '{}', 'due');
     insert into pw.schedule (tenant_id, name, identity_uid, cron, handler, payload, next_at)
       values ('${tenant}', 'n', '${uid}', '* * * * *', 'h', '{}', now());
     insert into app.folder values ('${tenant}', 1);
     insert into app."Odd ""name" values ('${tenant}', 1, 1);`,
  )
  return identity
}

const uninstall = async (name: string, retention = policy): Promise<void> => {
  const result = await testRegistry(db.database, { retention }).registry.apply(become('uninstall', name))
  await result.settled()
}
const elapse = (tenant: TenantUid) =>
  db.admin("update pw.tenant set purge_after = now() - interval '1 second' where tenant_id = $1::uuid", [tenant])

test('A 13: data waits for the time of the policy, then exactly that tenant is erased, everywhere', async () => {
  const gone = await populated('retained', policy, 12_000)
  const neighbour = await populated('retained-neighbour')
  const untouched = await rowsOf(neighbour.tenantUid, [...WALLED, ...OWN])
  await uninstall('retained')
  const retention = retentionOf()
  assert.equal((await retention.sweep()).erased, 0, 'its time has not come')
  assert.ok((await rowsOf(gone.tenantUid, WALLED)).length > 12_000)
  const [due] = await db.admin(
    `select round(extract(epoch from purge_after - now()) / 86400) as days from pw.tenant where tenant_id = $1::uuid`,
    [gone.tenantUid],
  )
  assert.equal(Number(due?.days), 28)
  await elapse(gone.tenantUid)
  assert.equal((await retention.sweep()).erased, 1)
  assert.deepEqual(await rowsOf(gone.tenantUid, [...WALLED, ...OWN]), [])
  assert.deepEqual(await rowsOf(neighbour.tenantUid, [...WALLED, ...OWN]), untouched)
  const audit = await db.admin(
    'select action, detail::text as detail from pw.audit where tenant_id = $1::uuid order by at, id',
    [gone.tenantUid],
  )
  assert.deepEqual(
    audit.map(line => line.action),
    ['identity.created', 'identity.uninstalled', 'tenant.erasing', 'tenant.erased'],
  )
  assert.equal(await testRegistry(db.database).registry.find(keyOf('retained')), undefined)
})

test('A 13: the same installation that comes back in time has its data', async () => {
  const before = await populated('restored')
  await uninstall('restored')
  const { registry } = testRegistry(db.database)
  const result = await registry.apply(install('restored', { secret: 'new' }))
  assert.equal(result.outcome, 'restored')
  assert.equal(result.identity?.tenantUid, before.tenantUid)
  assert.equal(result.identity?.secrets.get('secret'), 'new')
  const [tenant] = await db.admin('select purge_after from pw.tenant where tenant_id = $1::uuid', [before.tenantUid])
  assert.equal(tenant?.purge_after, null)
  assert.equal((await retentionOf().sweep()).erased, 0)
  assert.ok((await rowsOf(before.tenantUid, WALLED)).length > 20)
})

for (const [name, retention, prepare] of [
  ['the policy does not restore', { days: 28, restore: false }, async () => undefined],
  ['its time is over, erased or not', policy, elapse],
  [
    'it is being erased',
    policy,
    (tenant: TenantUid) => db.admin("update pw.tenant set hold = 'erasing' where tenant_id = $1::uuid", [tenant]),
  ],
] as const) {
  test(`A 13: a re-install sees nothing where ${name}`, async () => {
    const id = `fresh because ${name}`
    const before = await populated(id, retention)
    await uninstall(id, retention)
    await prepare(before.tenantUid)
    const { registry } = testRegistry(db.database, { retention })
    const result = await registry.apply(install(id))
    assert.equal(result.outcome, 'created')
    assert.notEqual(result.identity?.tenantUid, before.tenantUid)
    assert.deepEqual(await rowsOf(result.identity?.tenantUid as TenantUid, WALLED), [])
    await elapse(before.tenantUid)
    await retentionOf().sweep()
    assert.deepEqual(await rowsOf(before.tenantUid, [...WALLED, ...OWN]), [])
    assert.equal((await registry.find(keyOf(id)))?.uid, result.identity?.uid, 'the new one stays')
  })
}

test('A 13: a Forge installation gets nothing back by itself', async () => {
  const { registry } = testRegistry(db.database)
  const change = install('forge-1', { key: keyOf('forge-1', 'forge') })
  const before = (await registry.apply(change)).identity
  await registry.apply({ ...become('uninstall', 'forge-1'), key: change.key })
  const after = await registry.apply({ ...change, at: Date.now() + 1 })
  assert.equal(after.outcome, 'created')
  assert.notEqual(after.identity?.tenantUid, before?.tenantUid)
})

test('A 13: with retention 0 everything is gone before the uninstall is answered', async () => {
  const none = { days: 0, restore: true }
  const gone = await populated('at-once', none)
  await uninstall('at-once', none)
  await retentionOf({ retention: none }).eraseIfDue(gone)
  assert.deepEqual(await rowsOf(gone.tenantUid, [...WALLED, ...OWN]), [])
})

test('A 6: a lifecycle token stays used when its tenant is erased', async () => {
  const none = { days: 0, restore: true }
  const { registry } = testRegistry(db.database, { retention: none })
  const change = install('used-and-erased', { usedToken: usedToken('install token', 'body') })
  const before = (await registry.apply(change)).identity as IdentityRecord
  await registry.apply(become('uninstall', 'used-and-erased', { at: change.at + 1 }))
  const retention = retentionOf({ retention: none })
  await retention.eraseIfDue(before)
  assert.deepEqual(await rowsOf(before.tenantUid, ['pw.data_key', 'pw.secret', 'pw.token']), [])
  assert.equal((await registry.apply(change)).outcome, 'unchanged')
  const other = { ...change, usedToken: usedToken('install token', 'another body') }
  await assert.rejects(registry.apply(other), isCode('ERR_TOKEN_REPLAYED'))
  assert.equal((await registry.apply({ ...change, usedToken: usedToken('older token', 'body') })).outcome, 'stale')
  const back = await registry.apply({ ...change, at: change.at + 2, usedToken: usedToken('newer token', 'body') })
  assert.equal(back.outcome, 'created')
  assert.equal((await registry.apply(change)).outcome, 'unchanged', 'also beside the new one')
  await db.admin("update pw.used_token set expires_at = now() - interval '1 second' where tenant_id = $1::uuid", [
    before.tenantUid,
  ])
  await elapse(before.tenantUid)
  await retention.sweep()
  assert.deepEqual(await rowsOf(before.tenantUid, OWN), [])
})

test('A 13: an erasure that was interrupted at any step goes on at the next sweep', async () => {
  for (let step = 0; step < 12; step++) {
    const id = `interrupted-${step}`
    const gone =
      step === 0
        ? await populated(id)
        : ((await testRegistry(db.database).registry.apply(install(id))).identity as IdentityRecord)
    await createKv(db.database.app).set(gone.tenantUid, 'store', '', 'key', '1', {})
    await uninstall(id)
    await elapse(gone.tenantUid)
    let left = step
    const stop = <T>(run: () => Promise<T>): Promise<T> =>
      left-- > 0 ? run() : Promise.reject(new Error('the process was killed here'))
    const { system, app } = db.database
    const broken: RetentionOptions['database'] = {
      ...db.database,
      system: {
        query: (...call) => stop(() => system.query(...call)),
        transaction: work => system.transaction(tx => work({ query: (...call) => stop(() => tx.query(...call)) })),
      },
      app: { ...app, group: (...call) => stop(() => app.group(...call)) },
    }
    await retentionOf({ database: broken })
      .sweep()
      .catch(() => undefined)
    await retentionOf().sweep()
    assert.deepEqual(await rowsOf(gone.tenantUid, [...WALLED, ...OWN]), [], `step ${step}`)
  }
})

test('A 13: a write that was on its way when the tenant was erased leaves nothing behind', async () => {
  const none = { days: 0, restore: true }
  const { registry } = testRegistry(db.database, { retention: none })
  const gone = (await registry.apply(install('straggler'))).identity as IdentityRecord
  const kv = createKv(db.database.app)
  await kv.set(gone.tenantUid, 'store', '', 'seen', '1', {})
  let goOn: () => void = () => undefined
  const pause = new Promise<void>(resolve => {
    goOn = resolve
  })
  const insert = {
    name: 'test_straggler',
    text: `insert into pw.kv (tenant_id, space, scope, key, value) values (current_setting('pw.tenant_id')::uuid, 'store', '', $1, '1')`,
  }
  let isOpen: () => void = () => undefined
  const opened = new Promise<void>(resolve => {
    isOpen = resolve
  })
  // Written before the fence, committed after the first pass.
  const straggler = db.database.app.transaction(gone.tenantUid, async transaction => {
    await transaction.query(insert, ['early'])
    isOpen()
    await pause
  })
  await opened
  await registry.apply(become('uninstall', 'straggler'))
  const erasing = retentionOf({ retention: none, eraseWaitMs: 20_000 }).eraseIfDue(gone)
  while ((await db.admin('select from pw.kv where tenant_id = $1::uuid', [gone.tenantUid])).length > 0);
  // It must not end before the straggler does.
  const first = await Promise.race([
    erasing.then(() => 'erased'),
    new Promise(resolve => setTimeout(resolve, 500, 'waits')),
  ])
  goOn()
  await straggler
  assert.equal(first, 'waits')
  await erasing
  assert.deepEqual(await rowsOf(gone.tenantUid, [...WALLED, ...OWN]), [])
  // A process that was stopped for a long time, and knows nothing.
  await assert.rejects(kv.set(gone.tenantUid, 'store', '', 'late', '1', {}), isCode('ERR_TENANT_REVOKED'))
  await assert.rejects(db.database.app.query(gone.tenantUid, insert, ['later']), isCode('ERR_TENANT_REVOKED'))
  assert.deepEqual(await rowsOf(gone.tenantUid, WALLED), [])
})

test('an erasure that open transactions hold up has erased what was there, and is finished by a sweep', async () => {
  const none = { days: 0, restore: true }
  const gone = await populated('held-up', none)
  await uninstall('held-up', none)
  let goOn: () => void = () => undefined
  const pause = new Promise<void>(resolve => {
    goOn = resolve
  })
  let isOpen: () => void = () => undefined
  const opened = new Promise<void>(resolve => {
    isOpen = resolve
  })
  const other = db.database.jobs.transaction(async transaction => {
    await transaction.query({ name: 'test_look_jobs', text: 'select 1 from pw.kv limit 1' }, [])
    isOpen()
    await pause
  })
  await opened
  await retentionOf({ retention: none, eraseWaitMs: 30 }).eraseIfDue(gone)
  assert.deepEqual(await rowsOf(gone.tenantUid, [...WALLED, 'pw.data_key', 'pw.secret', 'pw.token']), [])
  assert.equal((await rowsOf(gone.tenantUid, ['pw.tenant'])).length, 1)
  goOn()
  await other
  await retentionOf().sweep()
  assert.deepEqual(await rowsOf(gone.tenantUid, OWN), [])
})

test('the sweep deletes values, tokens and used tokens whose time is over, and no others', async () => {
  const { registry, dataKeys } = testRegistry(db.database)
  const change = install('expiry', { usedToken: usedToken('t', 'b') })
  const identity = (await registry.apply(change)).identity as IdentityRecord
  const kv = createKv(db.database.app)
  for (const key of ['old', 'kept']) await kv.set(identity.tenantUid, 'store', '', key, '1', { ttlSeconds: 1_000 })
  const tokens = createTokenStore({ database: db.database, dataKeys })
  const token = { accessToken: 'x', expiresAt: Date.now() + 60_000, scope: '', facts: {} }
  for (const key of ['old', 'kept']) await tokens.save(identity, key, token)
  const old = "expires_at = now() - interval '1 hour' where tenant_id = $1::uuid"
  await db.admin(`update pw.kv set ${old} and key = 'old'`, [identity.tenantUid])
  await db.admin(`update pw.token set ${old} and token_key = 'old'`, [identity.tenantUid])
  await db.admin(`update pw.used_token set ${old}`, [identity.tenantUid])
  const swept = await retentionOf().sweep()
  assert.deepEqual([swept.values, swept.tokens, swept.usedTokens], [1, 1, 1])
  assert.equal((await rowsOf(identity.tenantUid, ['pw.kv', 'pw.token'])).length, 2)
})

test('a sweep that runs by itself stops when it is closed', async () => {
  const gone = (await testRegistry(db.database).registry.apply(install('by-itself'))).identity as IdentityRecord
  await uninstall('by-itself')
  await elapse(gone.tenantUid)
  const retention = retentionOf({ sweepMs: 20 })
  retention.start()
  const deadline = performance.now() + 20_000
  while ((await rowsOf(gone.tenantUid, ['pw.tenant'])).length > 0) assert.ok(performance.now() < deadline)
  await retention.close()
})
