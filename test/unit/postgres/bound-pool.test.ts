import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { newTenantUid } from '../../../src/core/ids.ts'
import type { BoundTransaction, Statement } from '../../../src/postgres/database.ts'
import type { OpenDatabase } from '../../../src/postgres/open.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { rejection } from '../../support/errors.ts'

const PUT: Statement = {
  name: 't_put',
  text: `insert into pw.kv (tenant_id, space, scope, key, value) values ($1, 'store', '', $2, $3)
    on conflict (tenant_id, space, scope, key) do update set value = excluded.value`,
}
const GET: Statement = { name: 't_get', text: 'select key, value from pw.kv order by key' }
const FAIL: Statement = { name: 't_fail', text: 'select 1 / $1::int' }
const ECHO: Statement = { name: 't_echo', text: 'select $1::text, $2::text' }
const PID: Statement = { name: 't_pid', text: 'select pg_backend_pid()' }

let testDatabase: TestDatabase
let unnamed: OpenDatabase
before(async () => {
  testDatabase = await createTestDatabase()
  unnamed = await testDatabase.open({ statementMode: 'unnamed' })
})
after(() => testDatabase.close())

for (const mode of ['named', 'unnamed'] as const) {
  const open = (): OpenDatabase => (mode === 'named' ? testDatabase.database : unnamed)

  test(`${mode}: a statement sees the rows of its tenant and no others`, async () => {
    const { app } = open()
    const [a, b] = [newTenantUid(), newTenantUid()]
    await Promise.all([app.query(a, PUT, [a, 'x', '1']), app.query(b, PUT, [b, 'y', '{"n":2}'])])
    assert.deepEqual(await app.query(a, GET, []), [['x', '1']])
    assert.deepEqual(await app.query(b, GET, []), [['y', '{"n":2}']])
  })

  test(`${mode}: a group is one transaction: it fails as a whole, and its neighbours in the pipeline do not`, async () => {
    const { app } = open()
    const [tenant, other] = [newTenantUid(), newTenantUid()]
    const failing = app.group(tenant, [
      [PUT, [tenant, 'a', '1']],
      [FAIL, ['0']],
    ])
    const neighbour = app.group(other, [
      [PUT, [other, 'b', '2']],
      [GET, []],
    ])
    const error = await rejection(failing, 'ERR_STATEMENT_REFUSED')
    assert.equal(error.details.sqlState, '22012')
    assert.equal(error.details.mayHaveRun, false)
    assert.deepEqual(await neighbour, [[], [['b', '2']]])
    assert.deepEqual(await app.query(tenant, GET, []), [])
  })

  test(`${mode}: shared() binds each group to its own tenant, in one commit that fails as a whole`, async () => {
    const { app } = open()
    const tenants = [newTenantUid(), newTenantUid(), newTenantUid()]
    const groups = tenants.map((tenant, index) => ({
      tenant,
      statements: [
        [PUT, [tenant, `k${index}`, `${index}`]],
        [GET, []],
      ] as const,
    }))
    const results = await app.shared(groups)
    assert.deepEqual(
      results,
      tenants.map((_, index) => [[], [[`k${index}`, `${index}`]]]),
    )
    const [first, second] = [newTenantUid(), newTenantUid()]
    const foreign = app.shared([
      { tenant: first, statements: [[PUT, [first, 'k', '1']]] },
      { tenant: second, statements: [[PUT, [first, 'stolen', '1']]] },
    ])
    assert.equal((await rejection(foreign, 'ERR_STATEMENT_REFUSED')).details.sqlState, '42501')
    assert.deepEqual(await app.query(first, GET, []), [])
  })

  test(`${mode}: five hundred statements of fifty tenants at once each get their own answer`, async () => {
    const { app } = open()
    const tenants = Array.from({ length: 50 }, newTenantUid)
    await Promise.all(tenants.map(tenant => app.query(tenant, PUT, [tenant, 'own', JSON.stringify(tenant)])))
    const reads = Array.from({ length: 500 }, (_, index) => tenants[index % tenants.length] ?? newTenantUid())
    const answers = await Promise.all(reads.map(tenant => app.query(tenant, GET, [])))
    assert.deepEqual(
      answers,
      reads.map(tenant => [['own', JSON.stringify(tenant)]]),
    )
  })

  test(`${mode}: texts pass unchanged, null stays null, a megabyte fits`, async () => {
    const { app } = open()
    const tenant = newTenantUid()
    const texts = ['', "'; drop table pw.kv; --", 'ä漢🙂\n\t\\', 'x'.repeat(1_048_576)]
    for (const text of texts) assert.deepEqual(await app.query(tenant, ECHO, [text, null]), [[text, null]])
  })

  test(`${mode}: a statement that cannot be prepared says why, each time, and harms no other`, async () => {
    const { app } = open()
    const broken: Statement = { name: 't_broken', text: 'select nothing_like_this from pw.kv' }
    const tenant = newTenantUid()
    for (let round = 0; round < 3; round++) {
      const [failed, worked] = await Promise.allSettled([
        app.query(tenant, broken, []),
        app.query(tenant, ECHO, ['a', 'b']),
      ])
      assert.equal(failed.status === 'rejected' && failed.reason.details.sqlState, '42703')
      assert.deepEqual(worked.status === 'fulfilled' && worked.value, [['a', 'b']])
    }
  })

  test(`${mode}: a transaction commits once, or not at all`, async () => {
    const { app } = open()
    const tenant = newTenantUid()
    await app.transaction(tenant, async transaction => {
      await transaction.query(PUT, [tenant, 'a', '1'])
      assert.deepEqual(await app.query(tenant, GET, []), [], 'not seen before the commit')
      await transaction.query(PUT, [tenant, 'b', '2'])
    })
    const reason = new Error('no')
    const failing = app.transaction(tenant, async transaction => {
      await transaction.query(PUT, [tenant, 'c', '3'])
      throw reason
    })
    await assert.rejects(failing, error => error === reason)
    assert.deepEqual(await app.query(tenant, GET, []), [
      ['a', '1'],
      ['b', '2'],
    ])
  })
}

test('a transaction in which a statement failed unnoticed does not pretend to have been committed', async () => {
  const { app } = testDatabase.database
  const tenant = newTenantUid()
  const swallowing = app.transaction(tenant, async transaction => {
    await transaction.query(PUT, [tenant, 'a', '1'])
    await rejection(transaction.query(FAIL, ['0']), 'ERR_STATEMENT_REFUSED')
  })
  await rejection(swallowing, 'ERR_STATEMENT_REFUSED')
  assert.deepEqual(await app.query(tenant, GET, []), [])
})

test('a transaction that is over takes no more statements', async () => {
  const { app } = testDatabase.database
  let kept: BoundTransaction | undefined
  await app.transaction(newTenantUid(), async transaction => {
    kept = transaction
    await transaction.query(PID, [])
  })
  await rejection(kept?.query(GET, []) ?? Promise.resolve(), 'ERR_WALL_NOT_BOUND')
})

test('statements of one transaction may be started together', async () => {
  const { app } = testDatabase.database
  const tenant = newTenantUid()
  const pids = await app.transaction(tenant, transaction =>
    Promise.all([transaction.query(PID, []), transaction.query(PID, []), transaction.query(PID, [])]),
  )
  assert.equal(new Set(pids.flat(2)).size, 1)
})

test('more transactions than connections wait their turn', async () => {
  const database = await testDatabase.open({ connections: { app: { exclusive: 2 } } })
  const tenant = newTenantUid()
  const pids = await Promise.all(
    Array.from({ length: 20 }, () => database.app.transaction(tenant, transaction => transaction.query(PID, []))),
  )
  assert.ok(new Set(pids.flat(2)).size <= 2)
  await database.close()
})

test('a transaction that finds no free connection in time is told so, and the next one is served', async () => {
  const database = await testDatabase.open({ connections: { app: { exclusive: 1 } }, acquireTimeoutMs: 100 })
  const tenant = newTenantUid()
  await database.app.transaction(tenant, async transaction => {
    await transaction.query(PID, [])
    const error = await rejection(
      database.app.transaction(tenant, inner => inner.query(PID, [])),
      'ERR_STORE_TIMEOUT',
    )
    assert.equal(error.details.mayHaveRun, false)
  })
  assert.equal((await database.app.transaction(tenant, inner => inner.query(PID, []))).length, 1)
  await database.close()
})

test('two statements of one name are a mistake of the programmer', async () => {
  const { app } = testDatabase.database
  const tenant = newTenantUid()
  await app.query(tenant, { name: 't_twice', text: 'select 1' }, [])
  const again = Promise.all(
    Array.from({ length: 8 }, async () => app.query(tenant, { name: 't_twice', text: 'select 2' }, [])),
  )
  await assert.rejects(again, TypeError)
})

test('F 59: without a binding of this very transaction there are no rows and no writes', async () => {
  const { app } = testDatabase.database
  const tenant = newTenantUid()
  await app.query(tenant, PUT, [tenant, 'secret', '1'])
  const client = new pg.Client(testDatabase.urls.app)
  await client.connect()
  const refused = async (text: string, code: string): Promise<void> => {
    await assert.rejects(client.query(text), (error: { code?: string }) => error.code === code)
  }
  const insert = `insert into pw.kv (tenant_id, space, scope, key, value) values ('${tenant}', 'store', '', 'k', '1')`
  try {
    await refused('select * from pw.kv', '42704')
    await refused(insert, '42704')
    await client.query('begin')
    await client.query(`select set_config('pw.tenant_id', '${tenant}', true),
      set_config('pw.bound_at', transaction_timestamp()::text, true)`)
    assert.equal((await client.query('select * from pw.kv')).rowCount, 1)
    await client.query('commit')
    await refused('select * from pw.kv', '22P02')
    await refused(insert, '22P02')
    // A binding that was made for the session, in a transaction that is over.
    await client.query(`select set_config('pw.tenant_id', '${tenant}', false),
      set_config('pw.bound_at', transaction_timestamp()::text, false)`)
    assert.equal((await client.query('select * from pw.kv')).rowCount, 0)
    assert.equal((await client.query("update pw.kv set value = '2'")).rowCount, 0)
    assert.equal((await client.query('delete from pw.kv')).rowCount, 0)
    await refused(insert, '42501')
  } finally {
    await client.end()
  }
  assert.deepEqual(await app.query(tenant, GET, []), [['secret', '1']])
})

test('F 63: statements, locks and idle transactions have limits on every login', async () => {
  const names = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']
  const limits: Statement = {
    name: 't_limits',
    text: `select name from pg_settings where name = any($1)
      and case when name = any($1) then setting::int between 1 and 10000 end`,
  }
  const { app, system, jobs } = testDatabase.database
  const values = [`{${names.join(',')}}`]
  for (const rows of [
    await app.query(newTenantUid(), limits, values),
    await system.query(limits, values),
    await jobs.query(limits, values),
  ]) {
    assert.equal(rows.length, names.length)
  }
})
