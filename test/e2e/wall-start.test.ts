// Preparing a database, and refusing to start on one that is not safe.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { newTenantUid } from '../../src/core/ids.ts'
import { withAdminSession } from '../../src/postgres/admin-session.ts'
import { parseDatabaseUrl, withDatabase, withLogin } from '../../src/postgres/database-url.ts'
import { migrate, readMigrations } from '../../src/postgres/migrate.ts'
import { migrateApp } from '../../src/postgres/migrate-app.ts'
import { openDatabase } from '../../src/postgres/open.ts'
import { MIGRATIONS_FOLDER, prepareDatabase } from '../../src/postgres/prepare.ts'
import { scramVerifier } from '../../src/postgres/roles.ts'
import { versionWarning } from '../../src/postgres/server-version.ts'
import { checkDatabase } from '../../src/postgres/start-check.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { rejection } from '../support/errors.ts'
import { rolePasswords } from '../support/role-passwords.ts'

let testDatabase: TestDatabase
let folder: string
before(async () => {
  testDatabase = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'pwm-'))
})
after(async () => {
  await testDatabase.close()
  await rm(folder, { recursive: true, force: true })
})

const reopen = async (urls = testDatabase.urls): Promise<void> => {
  await (await openDatabase({ urls, environment: {} })).close()
}

/** What an administrator may have done since, how it is undone, and what the refusal must name. */
const HOLES: readonly (readonly [name: string, open: string, close: string, expected: RegExp])[] = [
  [
    'a table without forced policies',
    'alter table pw.kv no force row level security',
    'alter table pw.kv force row level security',
    /pw\.kv lacks enabled and forced/,
  ],
  [
    'a table with policies switched off',
    'alter table pw.inbox disable row level security',
    'alter table pw.inbox enable row level security',
    /pw\.inbox lacks enabled/,
  ],
  ['a dropped policy', 'drop policy bound on pw.kv', "select pw.protect('pw.kv')", /pw\.kv lacks the policy "bound"/],
  [
    'a policy with another meaning',
    'drop policy tenant on pw.kv; create policy tenant on pw.kv to pw_app using (true)',
    "select pw.protect('pw.kv')",
    /pw\.kv lacks the policy "tenant"/,
  ],
  [
    'a view with the rights of its owner',
    'create view pw.peek as select * from pw.kv; grant select on pw.peek to pw_app',
    'drop view pw.peek',
    /view pw\.peek runs with the rights of its owner/,
  ],
  [
    'a materialized view',
    'create materialized view pw.copy as select 1 as n; grant select on pw.copy to pw_app',
    'drop materialized view pw.copy',
    /materialized view pw\.copy/,
  ],
  [
    'a function with the rights of its owner',
    "create function pw.peek() returns int language sql security definer as 'select 1'; grant execute on function pw.peek() to pw_app",
    'drop function pw.peek()',
    /function pw\.peek runs with the rights of its owner/,
  ],
  [
    'a table of an app without the wall',
    'create schema other; create table other.note (tenant_id uuid); grant usage on schema other to pw_app; grant select, insert on other.note to pw_app',
    'drop schema other cascade',
    /table other\.note lacks/,
  ],
  [
    'a right to truncate',
    'grant truncate on pw.kv to pw_app',
    'revoke truncate on pw.kv from pw_app',
    /login for app has truncate on pw\.kv/,
  ],
  [
    'a right to create objects',
    'grant create on schema pw to pw_app',
    'revoke create on schema pw from pw_app',
    /login for app may create objects in schema pw/,
  ],
  [
    'a table that the app owns',
    'create table public.mine (n int); alter table public.mine owner to pw_app',
    'drop table public.mine',
    /login for app owns .*mine/,
  ],
  [
    'app data for the registry login',
    'grant select on pw.kv to pw_system',
    'revoke select on pw.kv from pw_system',
    /pw\.kv can be read or written by pw_system/,
  ],
]

for (const [name, open, close, expected] of HOLES) {
  test(`F 57, F 61: start-up refuses ${name}`, async () => {
    await reopen()
    await testDatabase.admin(open)
    try {
      assert.match((await rejection(reopen(), 'ERR_WALL_UNSAFE_ROLE')).message, expected)
    } finally {
      await testDatabase.admin(close)
    }
    await reopen()
  })
}

test('F 57: start-up refuses an administrator as login', async () => {
  const { admin, ...urls } = testDatabase.urls
  const error = await rejection(reopen({ ...testDatabase.urls, app: admin }), 'ERR_WALL_UNSAFE_ROLE')
  assert.match(error.message, /login for app is superuser/)
  assert.match(error.message, /partywall db prepare/)
  await rejection(reopen({ ...testDatabase.urls, system: admin }), 'ERR_WALL_UNSAFE_ROLE')
  await rejection(reopen({ ...testDatabase.urls, jobs: urls.app }), 'ERR_WALL_UNSAFE_ROLE')
})

/** Roles belong to the server, which other tests share: so these take logins of their own, and look at the finding alone. */
const ATTRIBUTES: readonly (readonly [string, string, RegExp])[] = [
  ['BYPASSRLS', 'bypassrls', /has BYPASSRLS/],
  ['CREATEROLE', 'createrole', /has CREATEROLE/],
  ['CREATEDB', 'createdb', /has CREATEDB/],
  ['REPLICATION', 'replication', /has REPLICATION/],
  ['membership of the owner, not inherited', 'noinherit in role pw_owner', /is a member of pw_owner/],
  ['membership of another login', 'in role pw_system', /is a member of pw_system/],
  ['the right to read all data', 'in role pg_read_all_data', /is a member of pg_read_all_data/],
]
for (const [name, rights, expected] of ATTRIBUTES) {
  test(`F 57: start-up refuses a login with ${name}`, async () => {
    const login = `pwt_${newTenantUid().replaceAll('-', '').slice(-16)}`
    await testDatabase.admin(`create role ${login} login password 'test' ${rights};
      do $$ begin execute format('grant connect on database %I to ${login}', current_database()); end $$`)
    try {
      const url = withLogin(testDatabase.urls.app, { user: login, password: 'test' })
      const error = await rejection(reopen({ ...testDatabase.urls, app: url }), 'ERR_WALL_UNSAFE_ROLE')
      assert.match(error.message, expected)
    } finally {
      await testDatabase.admin(`drop owned by ${login}; drop role ${login}`)
    }
  })
}

test('preparing again changes nothing, keeps passwords, and says so', async () => {
  const again = await prepareDatabase({ adminUrl: testDatabase.urls.admin })
  assert.equal(again.migrated, 0)
  assert.deepEqual(again.keptPasswords, ['app', 'system', 'jobs'])
  assert.deepEqual(again.warnings, [])
  assert.equal(new URL(again.urls.app).password, '')
  await reopen()
})

test('several processes may prepare one database at once', async () => {
  const database = `pwt_${newTenantUid().replaceAll('-', '').slice(-16)}`
  const { admin } = testDatabase.urls
  const passwords = rolePasswords(testDatabase.urls.admin)
  try {
    const prepared = await Promise.all(
      [1, 2, 3, 4].map(() => prepareDatabase({ adminUrl: admin, database, passwords })),
    )
    assert.equal(
      prepared.reduce((sum, one) => sum + one.migrated, 0),
      (await readMigrations(MIGRATIONS_FOLDER)).length,
    )
    await reopen({ ...testDatabase.urls, ...prepared[0]?.urls })
  } finally {
    await testDatabase.admin(`drop database if exists ${database} with (force)`)
  }
})

test('a database that was never prepared is refused with the command to run', async () => {
  const database = `pwt_${newTenantUid().replaceAll('-', '').slice(-16)}`
  await testDatabase.admin(`create database ${database}`)
  try {
    const { app, system, jobs, admin } = testDatabase.urls
    const of = (url: string): string => withDatabase(url, database)
    const error = await rejection(
      reopen({ app: of(app), system: of(system), jobs: of(jobs), admin }),
      'ERR_DATABASE_NOT_PREPARED',
    )
    assert.match(error.message, /partywall db prepare/)
  } finally {
    await testDatabase.admin(`drop database ${database}`)
  }
})

test('a database of a newer version is refused, and so is one whose migrations differ or are missing', async () => {
  const change = (text: string): Promise<unknown> => testDatabase.admin(text)
  await change("insert into pw.migration (number, name, checksum) values (999, 'later', 'x')")
  await rejection(reopen(), 'ERR_DATABASE_TOO_NEW')
  await change('delete from pw.migration where number = 999')
  await change("update pw.migration set checksum = 'x' || checksum where number = 1")
  await rejection(reopen(), 'ERR_MIGRATION_CHANGED')
  await rejection(prepareDatabase({ adminUrl: testDatabase.urls.admin }), 'ERR_MIGRATION_CHANGED')
  await change('update pw.migration set checksum = substr(checksum, 2) where number = 1')
  const last = (await readMigrations(MIGRATIONS_FOLDER)).length
  await change(`create table pw.kept as select * from pw.migration where number = ${last}`)
  await change(`delete from pw.migration where number = ${last}`)
  await rejection(reopen(), 'ERR_DATABASE_NOT_PREPARED')
  await change('insert into pw.migration select * from pw.kept; drop table pw.kept')
  await reopen()
})

test('a migration that fails leaves nothing behind', async () => {
  const migrations = [
    { number: 1, name: 'good', text: 'create table pwt.one (n int)', checksum: 'a' },
    { number: 2, name: 'bad', text: 'create table pwt.two (n int); select nothing', checksum: 'b' },
  ]
  await testDatabase.admin('create schema pwt authorization pw_author')
  const run = (): Promise<number> =>
    withAdminSession(testDatabase.urls.admin, session =>
      migrate(session, migrations, { schema: 'pwt', owner: 'pw_author' }),
    )
  await rejection(run(), 'ERR_STATEMENT_REFUSED')
  const tables = await testDatabase.admin(
    "select relname from pg_class where relnamespace = 'pwt'::regnamespace and relkind = 'r' order by 1",
  )
  assert.deepEqual(
    tables.map(row => row.relname),
    ['migration', 'one'],
  )
  await testDatabase.admin('drop schema pwt cascade')
})

test("an app's own migrations make protected tables in its own schema", async () => {
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text)
  await write(
    '000001_note.sql',
    `create table note (tenant_id uuid not null, id int, text text, primary key (tenant_id, id));
    select pw.protect('app.note');`,
  )
  assert.equal(await migrateApp({ adminUrl: testDatabase.urls.admin, folder }), 1)
  assert.equal(await migrateApp({ adminUrl: testDatabase.urls.admin, folder }), 0)
  await reopen()
  const [a, b] = [newTenantUid(), newTenantUid()]
  const { app } = testDatabase.database
  const put = { name: 't_note', text: 'insert into app.note values ($1, 1, $2)' }
  await app.query(a, put, [a, 'mine'])
  await rejection(app.query(b, put, [a, 'planted']), 'ERR_STATEMENT_REFUSED')
  assert.deepEqual(await app.query(b, { name: 't_notes', text: 'select text from app.note' }, []), [])
  await write('000002_open.sql', 'create table leak (tenant_id uuid not null)')
  const error = await rejection(migrateApp({ adminUrl: testDatabase.urls.admin, folder }), 'ERR_WALL_UNSAFE_ROLE')
  assert.match(error.message, /app\.leak/)
  await write('000003_reach.sql', 'drop policy bound on pw.kv')
  await rejection(migrateApp({ adminUrl: testDatabase.urls.admin, folder }), 'ERR_STATEMENT_REFUSED')
  await rm(join(folder, '000003_reach.sql'))
  await write('000005_gap.sql', 'select 1')
  await rejection(migrateApp({ adminUrl: testDatabase.urls.admin, folder }), 'ERR_CONFIG')
  await rejection(migrateApp({ adminUrl: testDatabase.urls.admin, folder, schema: 'pw' }), 'ERR_CONFIG')
})

test('F 61: the public lost temporary tables, activity of others, statistics and large objects', async () => {
  const client = new pg.Client(testDatabase.urls.app)
  await client.connect()
  try {
    for (const text of [
      'create temporary table t (n int)',
      'select * from pg_stat_activity',
      'select * from pg_stats',
      'select * from pg_stat_get_activity(null)',
      "select lo_from_bytea(0, 'x')",
      'create table public.t (n int)',
      'truncate pw.kv',
      'copy pw.kv to program $$cat$$',
      'set role pw_owner',
    ]) {
      await assert.rejects(client.query(text), (error: { code?: string }) => error.code === '42501', text)
    }
  } finally {
    await client.end()
  }
})

test('F 64: servers without the fixes for known flaws give a warning', () => {
  for (const version of [150_008, 160_004, 170_000]) assert.match(versionWarning(version) ?? '', /upgrade to/)
  for (const version of [150_009, 150_018, 160_005, 170_001, 180_000]) assert.equal(versionWarning(version), undefined)
})

test('F 64: the warning is given at the start', async () => {
  const warnings: unknown[] = []
  const warn = (event: string, fields?: object) => warnings.push({ event, ...fields })
  const logger = { debug: () => undefined, info: () => undefined, warn, error: () => undefined }
  const { database } = testDatabase
  const query: typeof database.system.query = async (statement, values) =>
    statement.text.includes('server_version_num') ? [['170000']] : database.system.query(statement, values)
  await checkDatabase({ ...database, app: database.app, system: { ...database.system, query } }, logger)
  assert.equal((warnings[0] as { event?: string } | undefined)?.event, 'database.version-flawed')
})

test('a login that the server does not know says that the database is not prepared', async () => {
  const app = withLogin(testDatabase.urls.app, { user: 'pw_nobody', password: 'none' })
  const system = withLogin(testDatabase.urls.system, { user: 'pw_nobody', password: 'none' })
  await rejection(openDatabase({ urls: { ...testDatabase.urls, app, system } }), 'ERR_DATABASE_NOT_PREPARED')
})

test('URLs: two of three logins, a wrong mode or no URL at all are configuration errors that show no password', async () => {
  const { app } = testDatabase.urls
  const withMode = (mode: string): string => `${app}${app.includes('?') ? '&' : '?'}statement_mode=${mode}`
  await rejection(openDatabase({ environment: { DATABASE_URL: app } }), 'ERR_CONFIG')
  for (const url of ['mysql://u:geheim@h/d', 'postgres://u:geheim@[h/d', withMode('geheim')]) {
    assert.throws(
      () => parseDatabaseUrl(url),
      (error: Error & { code?: string }) => error.code === 'ERR_CONFIG' && !error.message.includes('geheim'),
    )
  }
  assert.equal(parseDatabaseUrl(withMode('unnamed')).mode, 'unnamed')
})

test('a password travels as the verifier that PostgreSQL itself would make', () => {
  // RFC 7677 section 3: user "user", password "pencil", salt and exchange as published there.
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const verifier = scramVerifier('pencil', salt, 4_096)
  assert.match(verifier, /^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$[A-Za-z0-9+/=]{44}:[A-Za-z0-9+/=]{44}$/)
  assert.ok(verifier.endsWith(':wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU='))
})
