/**
 * Random SQL without any condition on the tenant, run as tenant A with nothing but the wall around it. Two databases get the
 * same statements: one holds A and B, the other A alone. Every answer and every error must be the same in both, so B's rows
 * cannot have had any influence; and B's rows must stay as they were, byte for byte.
 */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { newTenantUid, type TenantUid } from '../../src/core/ids.ts'
import { sqlStateOf } from '../../src/postgres/errors.ts'
import type { OpenDatabase } from '../../src/postgres/open.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { findPgbouncer, type Pooler, startPgbouncer } from '../support/pgbouncer.ts'
import { randomStatement, SCHEMA, seedStatements } from '../support/random-sql.ts'
import { createTcpProxy, type TcpProxy, targetOf } from '../support/tcp-proxy.ts'

const passwordOf = (url: string): string => decodeURIComponent(new URL(url).password)
const ROUNDS = process.env.PARTYWALL_SCALE === 'ci' ? 2_000 : 240
const SERVERS = (process.env.PARTYWALL_TEST_ADMIN_URLS ?? process.env.PARTYWALL_TEST_ADMIN_URL ?? '')
  .split(',')
  .map(url => url.trim())
const MARK = 'neighbour'

const pgbouncer = findPgbouncer()
if (pgbouncer === undefined) {
  const message = 'pgbouncer was not found: the wall was NOT tested through a transaction-mode pooler'
  if (process.env.PARTYWALL_REQUIRE_ALL === '1') throw new Error(message)
  console.error(`WARNING: ${message}`)
}

SERVERS.forEach((server, index) => {
  const label = SERVERS.length > 1 ? ` (server ${index + 1})` : ''
  let both: TestDatabase
  let alone: TestDatabase
  let proxy: TcpProxy
  let pooler: Pooler | undefined
  const [own, other] = [newTenantUid(), newTenantUid()]

  before(async () => {
    ;[both, alone] = await Promise.all([
      createTestDatabase({ adminUrl: server }),
      createTestDatabase({ adminUrl: server }),
    ])
    await Promise.all([both.admin(SCHEMA), alone.admin(SCHEMA)])
    proxy = await createTcpProxy(targetOf(both.urls.app))
    if (pgbouncer !== undefined) {
      pooler = await startPgbouncer(pgbouncer, proxy.port, {
        pw_app: passwordOf(both.urls.app),
        pw_system: passwordOf(both.urls.system),
        pw_jobs: passwordOf(both.urls.jobs),
      })
    }
  })
  after(async () => {
    // The server of `alone` may be embedded and its own: each closes what it opened.
    await both?.close()
    await alone?.close()
    await pooler?.close()
    await proxy?.close()
  })

  const compare = async (database: OpenDatabase): Promise<void> => {
    await seed(both.database, other, MARK, 1_000_000, 40)
    const neighbour = await snapshot(both, other, WITH_VERSIONS)
    let ran = 0
    await fc.assert(
      fc.asyncProperty(fc.array(randomStatement(own, other), { minLength: 5, maxLength: 10 }), async statements => {
        await Promise.all([seed(database, own, 'a', 0, 8), seed(alone.database, own, 'a', 0, 8)])
        for (const statement of statements) {
          const [here, there] = await Promise.all([run(database, own, statement), run(alone.database, own, statement)])
          assert.deepEqual(here, there, statement)
          const text = JSON.stringify(here)
          assert.ok(!text.includes(MARK) && !text.includes(other), statement)
          ran += here.error === undefined ? 1 : 0
        }
        assert.deepEqual(await snapshot(both, other, WITH_VERSIONS), neighbour)
        assert.deepEqual(await snapshot(both, own), await snapshot(alone, own))
      }),
      { numRuns: ROUNDS / 8, endOnFailure: true, includeErrorInReport: true },
    )
    assert.ok(ran > ROUNDS / 3, `only ${ran} statements did something`)
  }

  test(`random SQL never reads or changes a row of another tenant${label}`, async () => {
    await compare(both.database)
  })

  const throughPooler = pgbouncer === undefined ? { skip: 'pgbouncer not found' } : {}
  const poolerUrls = () => {
    const through = (url: string): string => pooler?.through(url) ?? url
    return { app: through(both.urls.app), system: through(both.urls.system), jobs: through(both.urls.jobs) }
  }

  test(`F 63: the same through a pooler in transaction mode${label}`, throughPooler, async () => {
    const database = await both.open({ urls: poolerUrls() })
    await compare(database)
    await database.close()
  })

  test(`F 63: many tenants at once through a pooler each get their own answer${label}`, throughPooler, async () => {
    const database = await both.open({ urls: poolerUrls(), connections: { app: { shared: 8, exclusive: 8 } } })
    const tenants = Array.from({ length: 40 }, newTenantUid)
    const put = {
      name: 't_put',
      text: "insert into pw.kv (tenant_id, space, scope, key, value) values ($1, 'store', '', 'k', $2)",
    }
    const get = { name: 't_get', text: 'select value from pw.kv' }
    await Promise.all(tenants.map(tenant => database.app.query(tenant, put, [tenant, JSON.stringify(tenant)])))
    const answers = await Promise.all(
      Array.from({ length: 400 }, (_, turn) => {
        const tenant = tenants[turn % tenants.length] ?? own
        return turn % 3 === 0
          ? database.app.transaction(tenant, transaction => transaction.query(get, []))
          : database.app.query(tenant, get, [])
      }),
    )
    answers.forEach((rows, turn) => {
      assert.deepEqual(rows, [[JSON.stringify(tenants[turn % tenants.length])]])
    })
    await database.close()
  })

  test(`a binding left on a pooled server connection opens nothing${label}`, throughPooler, async () => {
    const database = await both.open({ urls: poolerUrls(), connections: { app: { shared: 1, exclusive: 1 } } })
    await seed(database, own, 'a', 0, 8)
    const leave = {
      name: 't_leave',
      text: `select set_config('pw.tenant_id', $1, false), set_config('pw.bound_at', transaction_timestamp()::text, false)`,
    }
    // As one who writes to the wrong pool might: the session of pw_app keeps a whole binding.
    for (let turn = 0; turn < 6; turn++) await database.app.query(own, leave, [own])
    const bare = await both.admin('select 1')
    assert.equal(bare.length, 1)
    const { default: pg } = await import('pg')
    const client = new pg.Client(pooler?.through(both.urls.app).replace(/[?&]statement_mode=unnamed/, ''))
    await client.connect()
    try {
      for (let turn = 0; turn < 6; turn++) assert.equal((await client.query('select * from app.item')).rowCount, 0)
    } finally {
      await client.end()
    }
    await database.close()
  })
})

interface Outcome {
  readonly rows?: readonly string[]
  readonly tag?: string
  readonly error?: string
}

/** Order is free in SQL, so rows are compared as a sorted list. */
async function run(database: OpenDatabase, tenant: TenantUid, text: string): Promise<Outcome> {
  try {
    const { rows, tag } = await database.app.open(tenant, {}, transaction => transaction.describe(text, []))
    return { rows: (rows[0] ?? []).map(row => JSON.stringify(row)).sort(), tag }
  } catch (error) {
    const state = sqlStateOf(error)
    if (state === undefined) throw error
    return { error: state }
  }
}

async function seed(
  database: OpenDatabase,
  tenant: TenantUid,
  mark: string,
  base: number,
  count: number,
): Promise<void> {
  await database.app.open(tenant, {}, async transaction => {
    for (const statement of seedStatements(tenant, mark, base, count)) await transaction.describe(statement, [])
  })
}

/** Also says which transaction wrote each row, so that an update to the same value would show. */
const WITH_VERSIONS = 'x.xmin::text'

/** A digest of everything of one tenant. */
async function snapshot(database: TestDatabase, tenant: TenantUid, extra = "''"): Promise<unknown> {
  const rowsOf = (table: string): string =>
    `select '${table}' as name, (to_jsonb(x) - 'updated_at')::text || ${extra} as t from ${table} x where tenant_id = $1`
  return database.admin(
    `select name, md5(string_agg(t, '|' order by t)) as rows, count(*)::int
     from (${['app.item', 'app.link', 'pw.kv'].map(rowsOf).join(' union all ')}) y group by name order by name`,
    [tenant],
  )
}
