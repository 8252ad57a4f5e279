import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import pg from 'pg'
import { isPartywallError } from '../../../src/core/errors.ts'
import { checkAuthorSql } from '../../../src/postgres/sql-guard.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'

const ALLOWED = [
  'select 1',
  '  select 1 ; -- done',
  '(select 1) union (select 2)',
  'with a as (insert into app.note values ($1) returning *) select * from a',
  "select 'set_config', E, b from app.note where text = 'it''s; drop table' and \"odd \"\"name\" = $12",
  '/* a /* nested */ comment */ update app.note set n = n + 1',
  'values (1), (2)',
  'table app.note',
  "select date'2026-01-01' - interval '1 day', b'101', x'ff', n'text'",
  'merge into app.note using (values (1)) v(n) on n = v.n when matched then delete',
  'select "größe", ünïcode from app.note where a @> b',
  'delete from app.note where a <> -- why\n 3',
]
const REFUSED = [
  '',
  '-- nothing',
  ';',
  'select 1; select 2',
  'set local pw.tenant_id = $1',
  'reset all',
  'begin',
  'do $$ begin end $$',
  'copy app.note to stdout',
  'listen x',
  'create table t (n int)',
  'truncate app.note',
  'explain analyze select 1',
  "select set_config('pw.tenant_id', $1, true)",
  "select SET_CONFIG('pw.tenant_id', $1, true)",
  'select pg_catalog . "set_config" ($1, $2, true)',
  'select "SET_CONFIG"($1), set_config($1)',
  String.raw`select U&"set\005fconfig"($1, $2, true)`,
  String.raw`select E'a' '\' ', set_config($1, $2, true) --'`,
  "select e'x'",
  "update pg_settings set setting = $1 where name = 'pw.tenant_id'",
  "select query_to_xml('select ' || 'set_' || 'config($$a$$, $$b$$, true)', true, true, '')",
  'select $$text$$',
  'select $a$text$a$',
  "select 'open",
  'select "open',
  'select /* open',
  'select /* a /* b */ 1',
  'select 1 \u0000',
  'select lo_get($1)',
  'select * into temp t from app.note',
  'select * into pg_temp.t from app.note',
  'select * from pg_stat_activity',
  'select pg_terminate_backend(pid) from app.pid',
  "select pg_notify('a', 'b')",
]

for (const text of ALLOWED) test(`runs: ${text}`, () => checkAuthorSql(text))

for (const text of REFUSED) {
  test(`refuses: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => checkAuthorSql(text),
      error => isPartywallError(error, 'ERR_STATEMENT_REFUSED'),
    )
  })
}

let testDatabase: TestDatabase
before(async () => {
  testDatabase = await createTestDatabase()
})
after(() => testDatabase.close())

test('no text that passes the check moves the binding, however it is put together', async () => {
  const client = new pg.Client(testDatabase.urls.app)
  await client.connect()
  // Written in pieces that a lexer may read one way or another: quotes, comments, escapes, dollar quotes, continuations.
  const piece = fc.constantFrom(
    "'",
    "''",
    '"',
    '\\',
    '\n',
    ' ',
    '--',
    '/*',
    '*/',
    '$$',
    '$a$',
    '$1',
    'E',
    'e',
    'U&',
    'b',
    'n',
    ';',
    ',',
    '(',
    ')',
    '1',
    'a',
    'é',
    '\u00a0',
    '||',
    "set_config('pw.tenant_id', 'moved', true)",
    'set_config',
    "('pw.tenant_id', 'moved', true)",
    "'a'",
    'select',
    'uescape',
  )
  const text = fc.array(piece, { minLength: 1, maxLength: 14 }).map(pieces => `select ${pieces.join('')}`)
  let ran = 0
  try {
    await fc.assert(
      fc.asyncProperty(text, async sql => {
        try {
          checkAuthorSql(sql)
        } catch {
          return
        }
        await client.query('begin')
        await client.query("select set_config('pw.tenant_id', 'kept', true)")
        const result = await client.query({ text: sql, values: sql.includes('$1') ? ['x'] : [] }).catch(() => undefined)
        ran += result === undefined ? 0 : 1
        if (result !== undefined) {
          const { rows } = await client.query("select current_setting('pw.tenant_id') as tenant")
          assert.equal(rows[0].tenant, 'kept', sql)
        }
        await client.query('rollback')
      }),
      { numRuns: process.env.PARTYWALL_SCALE === 'ci' ? 20_000 : 2_000 },
    )
  } finally {
    await client.end()
  }
  assert.ok(ran > 10, `only ${ran} statements ran`)
})
