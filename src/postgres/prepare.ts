/**
 * Prepares a database for Partywall, as an administrator: roles, schema, what the public may not do, migrations.
 * Safe to run again, by several processes at once, and after an interruption.
 */

import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { PartywallError } from '../core/errors.ts'
import { type AdminSession, identifier, withAdminSession } from './admin-session.ts'
import { withDatabase, withLogin } from './database-url.ts'
import { migrate, readMigrations } from './migrate.ts'
import { AUTHOR, ensureRoles, LOGINS, type Login, OWNER, type Passwords, roleOf, SETTINGS } from './roles.ts'
import { checkServerVersion } from './server-version.ts'

export interface PrepareOptions {
  /** Of an administrator: superuser, or one who may create roles and owns the database. */
  readonly adminUrl: string
  /** Prepared instead of the URL's own; created where it is missing. */
  readonly database?: string
  /** Set for the logins; called while no other process prepares. Left out: new logins get new ones, others keep theirs. */
  readonly passwords?: Partial<Passwords> | (() => Promise<Partial<Passwords>>)
  /** New passwords for all logins that `passwords` does not name. */
  readonly renewPasswords?: boolean
}

export interface PreparedDatabase {
  /** Without a password where the login was there before and kept its own. */
  readonly urls: Readonly<Record<Login, string>>
  /** Logins whose password did not change and is not known here. */
  readonly keptPasswords: readonly Login[]
  /** Migrations that ran now. */
  readonly migrated: number
  /** Things that could not be taken from the public, since the administrator does not own them. */
  readonly warnings: readonly string[]
}

/** Where the numbered files lie: beside this module, in the sources as in the package. */
export const MIGRATIONS_FOLDER: string = fileURLToPath(new URL('./sql', import.meta.url))

const LOCK = 'select pg_advisory_lock(hashtextextended($1, 0))'

/** Changes whenever a database prepared by this version would look different. */
export async function preparationFingerprint(): Promise<string> {
  const migrations = await readMigrations(MIGRATIONS_FOLDER)
  const parts = [migrations.map(migration => migration.checksum), SETTINGS, REVOCATIONS]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/**
 * @throws ERR_STORE_UNAVAILABLE, ERR_DATABASE_TOO_OLD, ERR_DATABASE_TOO_NEW, ERR_MIGRATION_CHANGED,
 *   ERR_STATEMENT_REFUSED where the administrator's rights do not suffice
 */
export async function prepareDatabase(options: PrepareOptions): Promise<PreparedDatabase> {
  const { adminUrl } = options
  const url = options.database === undefined ? adminUrl : withDatabase(adminUrl, options.database)
  const passwords = await withAdminSession(adminUrl, async session => {
    checkServerVersion(await serverVersion(session))
    // Roles belong to the whole server, so the lock is taken in the one database that every caller starts from.
    await session.run(LOCK, ['partywall prepare'])
    const given = typeof options.passwords === 'function' ? await options.passwords() : (options.passwords ?? {})
    const known = await retryWhenConcurrent(session, () => ensureRoles(session, given, options.renewPasswords === true))
    if (options.database !== undefined) await ensureDatabase(session, options.database)
    return known
  })
  const { migrated, warnings } = await prepareSchema(url)
  return {
    urls: urlsOf(url, passwords),
    keptPasswords: LOGINS.filter(login => passwords[login] === undefined),
    migrated,
    warnings,
  }
}

const urlsOf = (url: string, passwords: Partial<Passwords>): Readonly<Record<Login, string>> => {
  const of = (login: Login): string => withLogin(url, { user: roleOf(login), password: passwords[login] })
  return { app: of('app'), system: of('system'), jobs: of('jobs') }
}

const prepareSchema = (url: string): Promise<{ migrated: number; warnings: readonly string[] }> =>
  withAdminSession(url, async session => {
    await session.run(LOCK, ['partywall prepare'])
    await session.run(`create schema if not exists pw authorization ${OWNER}`)
    const warnings = await closeToPublic(session)
    const migrated = await migrate(session, await readMigrations(MIGRATIONS_FOLDER), { schema: 'pw', owner: OWNER })
    await grantShared(session)
    return { migrated, warnings }
  })

async function ensureDatabase(session: AdminSession, name: string): Promise<void> {
  const found = await session.run('select from pg_database where datname = $1', [name])
  if (found.length === 0) await session.run(`create database ${identifier(name)} encoding 'UTF8' template template0`)
}

/** What every login may read, and what app authors need to protect tables of their own. */
async function grantShared(session: AdminSession): Promise<void> {
  await session.run(`set role ${OWNER}`)
  await session.run(`grant select on pw.migration to ${LOGINS.map(roleOf).join(', ')}`)
  await session.run(`grant usage on schema pw to ${AUTHOR}`)
  await session.run(`grant execute on function pw.protect(regclass) to ${AUTHOR}`)
  await session.run('reset role')
}

interface Revocation {
  readonly what: string
  readonly sql: string
  /** A query for whether pw_app still has it. */
  readonly remains: string
}

/** Rights of PUBLIC that let one tenant's SQL leave something behind for another's, or look at another's statements. */
const REVOCATIONS: readonly Revocation[] = [
  {
    what: 'schema public',
    sql: 'revoke all on schema public from public',
    remains: `select true from pg_namespace where nspname = 'public' and has_schema_privilege('pw_app', oid, 'usage')`,
  },
  {
    what: 'temporary tables, and connections of others',
    sql: `do $$ begin
      execute format('revoke temporary, connect on database %I from public', current_database());
      execute format('grant connect on database %I to ${LOGINS.map(roleOf).join(', ')}', current_database());
    end $$`,
    remains: `select true where has_database_privilege('pw_app', current_database(), 'temporary')`,
  },
  {
    what: 'statistics and activity of others',
    sql: `revoke select on pg_catalog.pg_stats, pg_catalog.pg_stats_ext, pg_catalog.pg_stats_ext_exprs,
        pg_catalog.pg_stat_activity, pg_catalog.pg_stat_replication, pg_catalog.pg_stat_ssl from public;
      revoke execute on function pg_catalog.pg_stat_get_activity(int), pg_catalog.pg_stat_get_backend_activity(int)
        from public`,
    remains: `select true where has_table_privilege('pw_app', 'pg_catalog.pg_stats', 'select')
      or has_table_privilege('pw_app', 'pg_catalog.pg_stat_activity', 'select')
      or has_function_privilege('pw_app', 'pg_catalog.pg_stat_get_activity(int)', 'execute')`,
  },
  {
    what: 'large objects',
    sql: `revoke execute on function pg_catalog.lo_creat(int), pg_catalog.lo_create(oid), pg_catalog.lo_open(oid, int),
        pg_catalog.lo_from_bytea(oid, bytea), pg_catalog.lo_get(oid), pg_catalog.lo_get(oid, bigint, int),
        pg_catalog.lo_put(oid, bigint, bytea), pg_catalog.lo_unlink(oid) from public`,
    remains: `select true where has_function_privilege('pw_app', 'pg_catalog.lo_from_bytea(oid, bytea)', 'execute')`,
  },
]

/** Takes from PUBLIC what we may; each on its own, since an administrator may own the database but not the catalog. */
export async function closeToPublic(session: AdminSession): Promise<readonly string[]> {
  const warnings: string[] = []
  for (const { what, sql, remains } of REVOCATIONS) {
    try {
      await session.run(sql)
    } catch (error) {
      if (!isForbidden(error)) throw error
    }
    // Somebody who may not revoke gets an error or only a warning from the server, depending on what.
    if ((await session.run(remains)).length > 0) warnings.push(`not taken from PUBLIC, for lack of rights: ${what}`)
  }
  return warnings
}

const isForbidden = (error: unknown): boolean => errorCode(error) === '42501'

const errorCode = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined

/** Callers that start from other databases do not share the lock; the server then reports a conflict on its catalog. */
async function retryWhenConcurrent<T>(session: AdminSession, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      await session.run('begin')
      const result = await work()
      await session.run('commit')
      return result
    } catch (error) {
      await session.run('rollback')
      const isConflict = errorCode(error) === 'XX000' || errorCode(error) === '23505' || errorCode(error) === '42710'
      if (!isConflict || attempt === 10) throw error
    }
  }
}

async function serverVersion(session: AdminSession): Promise<number> {
  const [row] = await session.run("select current_setting('server_version_num') as version")
  const version = Number(row?.version)
  if (!Number.isInteger(version))
    throw new PartywallError('ERR_STORE_UNAVAILABLE', { message: 'not a PostgreSQL server' })
  return version
}
