// What happens to statements when the server or the way to it breaks, hangs, or comes back.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { newTenantUid } from '../../src/core/ids.ts'
import type { Statement } from '../../src/postgres/database.ts'
import type { DatabaseUrls, OpenDatabase, OpenDatabaseOptions } from '../../src/postgres/open.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { rejection } from '../support/errors.ts'
import { createTcpProxy, type TcpProxy, targetOf } from '../support/tcp-proxy.ts'

const PUT: Statement = {
  name: 't_put',
  text: `insert into pw.kv (tenant_id, space, scope, key, value) values ($1, 'store', '', $2, $3)
    on conflict (tenant_id, space, scope, key) do update set value = excluded.value, version = pw.kv.version + 1`,
}
const GET: Statement = { name: 't_get', text: 'select key, value from pw.kv order by key' }
const PID: Statement = { name: 't_pid', text: 'select pg_backend_pid()' }
const SLEEP: Statement = { name: 't_sleep', text: 'select pg_sleep($1::float8)' }
const LIMIT: Statement = { name: 't_limit', text: "select set_config('statement_timeout', $1, true)" }

let testDatabase: TestDatabase
let proxy: TcpProxy
before(async () => {
  testDatabase = await createTestDatabase()
  proxy = await createTcpProxy(targetOf(testDatabase.urls.app))
})
after(async () => {
  await testDatabase.close()
  await proxy.close()
})

test('F 60: a connection whose statement was cancelled by a time limit is not used again', async () => {
  const database = await direct({ connections: { app: { shared: 1, exclusive: 1 } } })
  const tenant = newTenantUid()
  const [before] = await database.app.query(tenant, PID, [])
  const slow = database.app.group(tenant, [
    [LIMIT, ['50']],
    [SLEEP, ['5']],
  ])
  const error = await rejection(slow, 'ERR_STORE_TIMEOUT')
  assert.equal(error.details.mayHaveRun, false, 'the server rolled it back')
  const [after] = await database.app.query(tenant, PID, [])
  assert.notDeepEqual(after, before)
  await gone(before?.[0])
  await database.close()
})

test('F 60: the same for a transaction: its connection is destroyed, not returned', async () => {
  const database = await direct({ connections: { app: { exclusive: 1 } } })
  const tenant = newTenantUid()
  let pid: string | null | undefined
  const slow = database.app.transaction(tenant, async transaction => {
    pid = (await transaction.query(PID, []))[0]?.[0]
    await transaction.query(LIMIT, ['50'])
    await transaction.query(SLEEP, ['5'])
  })
  await rejection(slow, 'ERR_STORE_TIMEOUT')
  const [next] = await database.app.transaction(tenant, transaction => transaction.query(PID, []))
  assert.notEqual(next?.[0], pid)
  await gone(pid)
  await database.close()
})

test('F 60: a connection that is cut while a statement runs fails that statement, and the next one gets another', async () => {
  const database = await direct({ connections: { app: { shared: 1 } } })
  const tenant = newTenantUid()
  const [before] = await database.app.query(tenant, PID, [])
  const running = rejection(database.app.query(tenant, SLEEP, ['30']), 'ERR_STORE_UNAVAILABLE')
  await until(async () => (await testDatabase.admin(IS_SLEEPING)).length > 0)
  await testDatabase.admin('select pg_terminate_backend($1)', [before?.[0] ?? ''])
  assert.equal((await running).details.mayHaveRun, true)
  const [after] = await database.app.query(tenant, PID, [])
  assert.notDeepEqual(after, before)
  await database.close()
})

test('F 60: a connection that the server says it ends is not used in the moment before it is closed', async () => {
  const database = await throughProxy({ connections: { app: { shared: 1 } } })
  const tenant = newTenantUid()
  const [before] = await database.app.query(tenant, PID, [])
  proxy.linger()
  const running = rejection(database.app.query(tenant, SLEEP, ['30']), 'ERR_STORE_UNAVAILABLE')
  await until(async () => (await testDatabase.admin(IS_SLEEPING)).length > 0)
  await testDatabase.admin('select pg_terminate_backend($1)', [before?.[0] ?? ''])
  await running
  const [after] = await database.app.query(tenant, PID, [])
  assert.notDeepEqual(after, before)
  proxy.heal()
  await database.close()
})

test('H 88: a server that hangs costs each statement the limit and no more, and is used again once it answers', async () => {
  const database = await throughProxy({ answerTimeoutMs: 300, connectTimeoutMs: 300 })
  const tenant = newTenantUid()
  await database.app.query(tenant, PUT, [tenant, 'a', '1'])
  proxy.hold()
  const startedAt = performance.now()
  const results = await Promise.allSettled([
    ...Array.from({ length: 20 }, () => database.app.query(tenant, GET, [])),
    database.app.transaction(tenant, transaction => transaction.query(GET, [])),
    database.system.query(PID, []),
  ])
  assert.ok(performance.now() - startedAt < 3_000)
  for (const result of results) {
    assert.equal(result.status, 'rejected')
    assert.equal(result.reason.status, 503, result.reason.message)
  }
  proxy.heal()
  await until(() => works(database))
  assert.deepEqual(await database.app.query(tenant, GET, []), [['a', '1']])
  await database.close()
})

test('H 88: a server that is down is 503 at once, and is found again without a restart', async () => {
  const database = await throughProxy()
  const tenant = newTenantUid()
  await database.app.query(tenant, PUT, [tenant, 'a', '1'])
  proxy.refuse()
  for (let round = 0; round < 20; round++) {
    const startedAt = performance.now()
    const error = await rejection(database.app.query(tenant, PUT, [tenant, 'b', '2']), 'ERR_STORE_UNAVAILABLE')
    assert.equal(error.status, 503)
    assert.ok(performance.now() - startedAt < 1_000)
  }
  await rejection(
    database.app.transaction(tenant, transaction => transaction.query(GET, [])),
    'ERR_STORE_UNAVAILABLE',
  )
  proxy.heal()
  await until(() => works(database))
  assert.deepEqual(await database.app.query(tenant, GET, []), [['a', '1']])
  await database.close()
})

test('H 88: a full disk is 503 for that statement, and says so', async () => {
  const tenant = newTenantUid()
  await testDatabase.admin(`create function pw.full() returns trigger language plpgsql as
    $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$;
    create trigger disk_is_full before insert on pw.kv for each row when (new.key = 'too much') execute function pw.full()`)
  const error = await rejection(
    testDatabase.database.app.query(tenant, PUT, [tenant, 'too much', '1']),
    'ERR_STORE_FULL',
  )
  assert.equal(error.status, 503)
  await testDatabase.database.app.query(tenant, PUT, [tenant, 'less', '1'])
})

test('a statement that never left this process says so, and one that may have run says that', async () => {
  const database = await throughProxy({ connections: { app: { shared: 1 } } })
  const tenant = newTenantUid()
  await database.app.query(tenant, PUT, [tenant, 'warm', '1'])
  proxy.cutAfter(1, 'after')
  const ran = await rejection(database.app.query(tenant, PUT, [tenant, 'x', '1']), 'ERR_STORE_UNAVAILABLE')
  assert.equal(ran.details.mayHaveRun, true)
  await until(async () => (await rows(tenant)).some(([key]) => key === 'x'))
  proxy.refuse()
  const refused = await rejection(database.app.query(tenant, PUT, [tenant, 'y', '1']), 'ERR_STORE_UNAVAILABLE')
  assert.equal(refused.details.mayHaveRun, false)
  proxy.heal()
  await database.close()
})

test('F 65: cut before or after any message of a write, the old or the new state is there, and a retry succeeds', async () => {
  const database = await throughProxy()
  const tenant = newTenantUid()
  const write = (value: string): Promise<void> =>
    database.app.transaction(tenant, async transaction => {
      await transaction.query(PUT, [tenant, 'a', value])
      await transaction.query(PUT, [tenant, 'b', value])
    })
  await write('0')
  let cuts = 0
  for (let chunk = 1; chunk <= 8; chunk++) {
    for (const moment of ['before', 'after'] as const) {
      const [old, fresh] = [await rows(tenant), `${chunk}${moment === 'before' ? 0 : 1}`]
      await until(() => works(database))
      await database.app.transaction(tenant, transaction => transaction.query(PID, []))
      proxy.cutAfter(chunk, moment)
      const wasCut = await write(fresh).then(
        () => false,
        () => true,
      )
      proxy.heal()
      cuts += wasCut ? 1 : 0
      // A commit that was cut off may still be on its way.
      await until(async () => (await testDatabase.admin(IS_WRITING)).length === 0)
      const now = await rows(tenant)
      const isNew =
        JSON.stringify(now) ===
        JSON.stringify([
          ['a', fresh],
          ['b', fresh],
        ])
      assert.ok(isNew || (wasCut && JSON.stringify(now) === JSON.stringify(old)), JSON.stringify({ old, now, fresh }))
      await until(() => works(database))
      await write(fresh)
      assert.deepEqual(await rows(tenant), [
        ['a', fresh],
        ['b', fresh],
      ])
    }
  }
  assert.ok(cuts >= 6, `only ${cuts} writes were cut`)
  await database.close()
})

test('closing twice is harmless, and what comes after is refused', async () => {
  const database = await direct()
  await database.app.query(newTenantUid(), PID, [])
  await Promise.all([database.close(), database.close()])
  const error = await rejection(database.app.query(newTenantUid(), PID, []), 'ERR_SHUTTING_DOWN')
  assert.equal(error.status, 503)
  await rejection(
    database.app.transaction(newTenantUid(), transaction => transaction.query(PID, [])),
    'ERR_SHUTTING_DOWN',
  )
})

test('closing waits for what is running', async () => {
  const database = await direct()
  const tenant = newTenantUid()
  const running = database.app.query(tenant, SLEEP, ['0.2'])
  await until(async () => (await testDatabase.admin(IS_SLEEPING)).length > 0)
  await database.close()
  assert.equal((await running).length, 1)
})

test('a listener hears its channel, and its loss once', async () => {
  const { database } = testDatabase
  const heard: string[] = []
  const lost: unknown[] = []
  const listener = await database.listen(
    'changes',
    payload => heard.push(payload),
    error => lost.push(error),
  )
  const [row] = await listener.query(PID, [])
  await database.system.query({ name: 't_notify', text: "select pg_notify('changes', $1)" }, ['hello'])
  await database.system.query({ name: 't_notify_other', text: "select pg_notify('others', 'no')" }, [])
  await until(async () => heard.length > 0)
  assert.deepEqual(heard, ['hello'])
  await testDatabase.admin('select pg_terminate_backend($1)', [row?.[0] ?? ''])
  await until(async () => lost.length > 0)
  await rejection(listener.query(PID, []), 'ERR_STORE_UNAVAILABLE')
  assert.equal(lost.length, 1)
  const second = await database.listen(
    'changes',
    () => undefined,
    error => lost.push(error),
  )
  await second.close()
  assert.equal(lost.length, 1, 'closing is no loss')
})

const IS_SLEEPING = "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
const IS_WRITING = `select 1 from pg_stat_activity
  where datname = current_database() and usename = 'pw_app' and state <> 'idle'`

const direct = (options: OpenDatabaseOptions = {}): Promise<OpenDatabase> => testDatabase.open(options)

async function throughProxy(options: OpenDatabaseOptions = {}): Promise<OpenDatabase> {
  proxy.heal()
  const through = (url: string): string => {
    const parsed = new URL(url)
    parsed.hostname = '127.0.0.1'
    parsed.port = String(proxy.port)
    parsed.searchParams.delete('host')
    return parsed.href
  }
  const { app, system, jobs } = testDatabase.urls
  const urls: DatabaseUrls = { app: through(app), system: through(system), jobs: through(jobs) }
  return testDatabase.open({ ...options, urls })
}

const rows = (tenant: ReturnType<typeof newTenantUid>) => testDatabase.database.app.query(tenant, GET, [])

const works = (database: OpenDatabase): Promise<boolean> =>
  Promise.all([
    database.app.query(newTenantUid(), PID, []),
    database.app.transaction(newTenantUid(), transaction => transaction.query(PID, [])),
    database.system.query(PID, []),
  ]).then(
    () => true,
    () => false,
  )

const gone = (pid: string | null | undefined): Promise<void> =>
  until(
    async () => (await testDatabase.admin('select from pg_stat_activity where pid = $1', [pid ?? null])).length === 0,
  )

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'waited too long')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
