// The statements over the work tables: which index they take while the planner knows nothing yet, and that what touches
// many rows waits for nobody.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { newRowId, newTenantUid } from '../../src/core/ids.ts'
import { WORK_STATEMENTS, type WorkStatements, type WorkTable } from '../../src/jobs/work-tables.ts'
import { textArray } from '../../src/postgres/parameters.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let made: TestDatabase
before(async () => {
  made = await createTestDatabase()
})
after(() => made.close())

const TABLES: readonly WorkTable[] = ['inbox', 'job']
const FIRST = '00000000-0000-0000-0000-000000000000'
const BIND = `select set_config('pw.tenant_id', $1, true), set_config('pw.bound_at', transaction_timestamp()::text, true)`
const BY_ID: readonly [keyof WorkStatements, readonly string[]][] = [
  ['payloads', [`'{}'`]],
  ['finish', ['null', 'null']],
  ['fail', ['null', 'null', '1', `'failed'`, '1']],
]

test('rows named by their ids are found by the primary key, also while the table is empty', async () => {
  const client = new pg.Client({ connectionString: made.urls.app })
  await client.connect()
  try {
    await client.query('begin')
    await client.query(BIND, [newTenantUid()])
    for (const table of TABLES) {
      for (const [verb, values] of BY_ID) {
        const name = `${table}_${verb}_plan`
        await client.query(`prepare ${name} as ${WORK_STATEMENTS[table][verb].text}`)
        const { rows } = await client.query(`explain execute ${name} (${values.join(', ')})`)
        const plan = rows.map(row => row['QUERY PLAN']).join('\n')
        assert.match(plan, new RegExp(`using ${table}_pkey`), plan)
      }
    }
  } finally {
    await client.end()
  }
})

test('a look for work passes over tenants whose work is due later, inside the index', async () => {
  const due = newTenantUid()
  for (const table of TABLES) {
    const columns = `tenant_id, id, identity_uid, handler, payload, state, run_at, keep_until`
    const row = (tenant: string, runAt: string) =>
      `${tenant}, gen_random_uuid(), ${tenant}, 'test', '{}', 'due', ${runAt}, now()`
    await made.admin(`insert into pw.${table} (${columns}) select ${row('gen_random_uuid()', "now() + interval '10 minutes'")}
      from generate_series(1, 1000)`)
    await made.admin(`insert into pw.${table} (${columns}) values (${row(`'${due}'::uuid`, 'now()')})`)
    const { waiting } = WORK_STATEMENTS[table]
    assert.deepEqual(await made.database.jobs.query(waiting, [FIRST, '64']), [[due]])

    const client = new pg.Client({ connectionString: made.urls.jobs })
    await client.connect()
    try {
      await client.query(`prepare later as ${waiting.text}`)
      const { rows } = await client.query(`explain (analyze, buffers) execute later ('${FIRST}', 64)`)
      const plan = rows.map(row => row['QUERY PLAN']).join('\n')
      assert.match(plan, /Index Cond: \(\(tenant_id > .*run_at <= now\(\)/, plan)
      const pages = Number(/Buffers: shared hit=(\d+)/.exec(plan)?.[1])
      assert.ok(pages < 100, `${pages} pages for one tenant with work among 1,000 with later work: ${plan}`)
    } finally {
      await client.end()
    }
  }
})

test('a heartbeat and a look for lost work wait for no row that is just being ended', async () => {
  const owner = newRowId()
  const ids = { locked: newRowId(), free: newRowId() }
  const tenants: string[] = []
  for (const id of Object.values(ids)) {
    const tenant = newTenantUid()
    tenants.push(tenant)
    await made.admin(
      `insert into pw.inbox (tenant_id, id, identity_uid, handler, payload, state, lease_owner, lease_until, keep_until)
       values ($1, $2::uuid, $1, 'test', '{}', 'running', $3, now() - interval '1 minute', now())`,
      [tenant, id, owner],
    )
  }
  const ending = new pg.Client({ connectionString: made.urls.admin })
  await ending.connect()
  try {
    await ending.query('begin')
    await ending.query('select from pw.inbox where id = $1 for update', [ids.locked])
    const { beat, reclaim } = WORK_STATEMENTS.inbox
    const stateOf = async (id: string) =>
      (await made.admin('select state, lease_until > now() as is_kept from pw.inbox where id = $1', [id]))[0]
    // Were one of them to wait, the statement's time limit would end it with an error.
    await made.database.jobs.query(beat, [textArray(tenants), textArray(Object.values(ids)), owner, '60'])
    assert.deepEqual(await stateOf(ids.free), { state: 'running', is_kept: true })
    assert.deepEqual(await stateOf(ids.locked), { state: 'running', is_kept: false })
    await made.database.jobs.query(reclaim, [textArray([owner])])
    assert.equal((await stateOf(ids.free))?.state, 'due')
    assert.equal((await stateOf(ids.locked))?.state, 'running')
  } finally {
    await ending.end()
  }
})
