import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Kysely, sql as raw } from 'kysely'
import { runInContext, type TenantContext } from '../../../src/core/context.ts'
import { PartywallError } from '../../../src/core/errors.ts'
import { newIdentityUid, newTenantUid, type TenantUid } from '../../../src/core/ids.ts'
import { IdentitySecrets } from '../../../src/core/tenant.ts'
import { createKyselyDialect } from '../../../src/postgres/kysely.ts'
import { createTenantSql, type TenantSql } from '../../../src/postgres/sql-tag.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { rejection } from '../../support/errors.ts'

interface Tables {
  'app.note': { tenant_id: string; id: number; text: string }
}

let testDatabase: TestDatabase
let sql: TenantSql
let kysely: Kysely<Tables>
before(async () => {
  testDatabase = await createTestDatabase({ connections: { app: { exclusive: 1 } } })
  await testDatabase.admin(`create schema app authorization pw_author;
    create table app.note (tenant_id uuid not null, id int not null, text text not null, at timestamptz default now(),
      data jsonb, bytes bytea, tags text[], primary key (tenant_id, id));
    select pw.protect('app.note'); grant usage on schema app to pw_app`)
  sql = createTenantSql(testDatabase.database)
  kysely = new Kysely<Tables>({ dialect: createKyselyDialect(testDatabase.database) })
})
after(async () => {
  await kysely.destroy()
  await testDatabase.close()
})

class Context implements TenantContext {
  readonly tenantUid: TenantUid = newTenantUid()
  readonly mode: 'full' | 'read-only'
  readonly signal = new AbortController().signal
  isRevoked = false
  checks = 0
  readonly identity

  constructor(mode: 'full' | 'read-only' = 'full') {
    this.mode = mode
    this.identity = {
      uid: newIdentityUid(),
      tenantUid: this.tenantUid,
      app: 'a',
      environment: 'e',
      dialect: 'hipchat',
      externalId: 'x',
      host: 'h',
      state: 'installed',
      version: 1,
      secretVersion: 1,
      orderedAt: 0,
      attributes: {},
      region: 'global',
      hold: 'none',
      secrets: new IdentitySecrets(new Map()),
    } as const
  }

  ensureLive(): void {
    this.checks++
    if (this.isRevoked) throw new PartywallError('ERR_TENANT_REVOKED')
  }

  insert(id: number, text: string): Promise<unknown> {
    return runInContext(
      this,
      () => sql`insert into app.note (tenant_id, id, text) values (${this.tenantUid}, ${id}, ${text})`,
    )
  }

  texts(): Promise<readonly unknown[]> {
    return runInContext(this, async () => (await sql`select text from app.note order by id`).map(row => row.text))
  }
}

test('E 45: SQL outside a tenant context is refused', async () => {
  assert.throws(
    () => sql`select 1`,
    (error: PartywallError) => error.code === 'ERR_TENANT_CONTEXT_MISSING',
  )
  assert.throws(
    () => sql.transaction(async () => 1),
    (error: PartywallError) => error.code === 'ERR_TENANT_CONTEXT_MISSING',
  )
  await rejection(kysely.selectFrom('app.note').selectAll().execute(), 'ERR_TENANT_CONTEXT_MISSING')
})

test('SQL without any condition touches the rows of the tenant in whose context it runs', async () => {
  const [a, b] = [new Context(), new Context()]
  await Promise.all([a.insert(1, 'of a'), b.insert(1, 'of b')])
  await runInContext(a, () => sql`update app.note set text = text || '!'`)
  assert.deepEqual([await a.texts(), await b.texts()], [['of a!'], ['of b']])
  await runInContext(b, () => sql`delete from app.note`)
  assert.deepEqual([await a.texts(), await b.texts()], [['of a!'], []])
})

test('values are parameters and come back as what they were', async () => {
  const context = new Context()
  const at = new Date('2026-02-03T04:05:06.789Z')
  const hostile = "'); drop table app.note; --"
  const [row] = await runInContext(
    context,
    () => sql`insert into app.note (tenant_id, id, text, at, data, bytes, tags)
      values (${context.tenantUid}, ${7}, ${hostile}, ${at}, ${{ a: [1, null] }}, ${Buffer.from([0, 255])}, ${['x', '"\\', null]})
      returning id, text, at, data, bytes, tags, ${null}::text as nothing, ${true}::bool as flag, ${5n}::int8 as big`,
  )
  assert.deepEqual(row, {
    id: 7,
    text: hostile,
    at,
    data: { a: [1, null] },
    bytes: Buffer.from([0, 255]),
    tags: ['x', '"\\', null],
    nothing: null,
    flag: true,
    big: '5',
  })
})

test('a column may be called __proto__', async () => {
  const [row] = await runInContext(new Context(), () => sql`select 1 as "__proto__"`)
  assert.deepEqual(Object.keys(row ?? {}), ['__proto__'])
  assert.equal(Object.getPrototypeOf(row), Object.prototype)
})

test('the tag is no function of text', async () => {
  const context = new Context()
  const call = sql as unknown as (text: string) => Promise<unknown>
  await assert.rejects(async () => runInContext(context, () => call('select 1')), TypeError)
})

test('a transaction is all or nothing, and asks before each statement and before the commit', async () => {
  const context = new Context()
  await runInContext(context, () =>
    sql.transaction(async tx => {
      await tx`insert into app.note (tenant_id, id, text) values (${context.tenantUid}, 1, 'a')`
      await tx`insert into app.note (tenant_id, id, text) values (${context.tenantUid}, 2, 'b')`
    }),
  )
  assert.equal(context.checks, 4)
  const revoked = runInContext(context, () =>
    sql.transaction(async tx => {
      await tx`delete from app.note`
      context.isRevoked = true
    }),
  )
  await rejection(revoked, 'ERR_TENANT_REVOKED')
  context.isRevoked = false
  assert.deepEqual(await context.texts(), ['a', 'b'])
})

test('a read-only context reads and does not write', async () => {
  const context = new Context('read-only')
  assert.deepEqual(await context.texts(), [])
  await rejection(context.insert(1, 'x'), 'ERR_TENANT_READ_ONLY')
  await rejection(
    runInContext(context, () =>
      kysely.insertInto('app.note').values({ tenant_id: context.tenantUid, id: 1, text: 'x' }).execute(),
    ),
    'ERR_TENANT_READ_ONLY',
  )
})

test('nothing that SQL left in the session is there for the next tenant', async () => {
  const [a, b] = [new Context(), new Context()]
  await runInContext(a, () => sql`select pg_advisory_lock(42)`)
  await runInContext(a, () =>
    testDatabase.database.app.open(a.tenantUid, {}, tx =>
      tx.describe("select set_config('search_path', 'app', false)", []),
    ),
  )
  const [row] = await runInContext(
    b,
    () => sql`select current_setting('search_path') as path,
    (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks`,
  )
  assert.deepEqual(row, { path: 'pw, pg_catalog', locks: 0 })
})

test('SQL that would bind itself to another tenant is refused, in the tag and in Kysely', async () => {
  const [a, b] = [new Context(), new Context()]
  await b.insert(1, 'of b')
  await rejection(
    runInContext(a, () => sql`select set_config('pw.tenant_id', ${b.tenantUid}, true), text from app.note`),
    'ERR_STATEMENT_REFUSED',
  )
  const hostile = raw<{ text: string }>`select set_config('pw.tenant_id', ${b.tenantUid}, true), text from app.note`
  await rejection(
    runInContext(a, () => hostile.execute(kysely)),
    'ERR_STATEMENT_REFUSED',
  )
})

test('Kysely: queries, transactions, savepoints and counts, as the tenant', async () => {
  const [a, b] = [new Context(), new Context()]
  await b.insert(1, 'of b')
  await runInContext(a, async () => {
    await kysely.insertInto('app.note').values({ tenant_id: a.tenantUid, id: 1, text: 'one' }).execute()
    await kysely
      .transaction()
      .setIsolationLevel('serializable')
      .execute(async tx => {
        await tx.insertInto('app.note').values({ tenant_id: a.tenantUid, id: 2, text: 'two' }).execute()
      })
    const reason = new Error('no')
    const failing = kysely.transaction().execute(async tx => {
      await tx.deleteFrom('app.note').execute()
      throw reason
    })
    await assert.rejects(failing, error => error === reason)
    const controlled = await kysely.startTransaction().execute()
    await controlled.deleteFrom('app.note').where('id', '=', 2).execute()
    const saved = await controlled.savepoint('here').execute()
    await saved.deleteFrom('app.note').execute()
    await saved.rollbackToSavepoint('here').execute()
    await controlled.commit().execute()
    const result = await kysely.updateTable('app.note').set({ text: 'all' }).executeTakeFirst()
    assert.equal(result.numUpdatedRows, 1n)
  })
  assert.deepEqual([await a.texts(), await b.texts()], [['all'], ['of b']])
})

test('an error of the database says what it concerned and shows no value', async () => {
  const context = new Context()
  await context.insert(1, 'x')
  const error = await rejection(context.insert(1, 'geheim'), 'ERR_STATEMENT_REFUSED')
  assert.equal(error.details.sqlState, '23505')
  assert.equal(error.details.constraint, 'note_pkey')
  assert.doesNotMatch(`${error.stack}${(error.cause as Error).stack}`, new RegExp(`geheim|${context.tenantUid}`))
})
