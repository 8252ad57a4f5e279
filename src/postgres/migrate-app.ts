/**
 * Migrations of app authors: their own numbered files, in a schema of their own that `pw_author` owns. Files may make tables
 * and call `pw.protect('app.note')`; they cannot touch Partywall's own schema.
 */

import { PartywallError } from '../core/errors.ts'
import { identifier, withAdminSession } from './admin-session.ts'
import { migrate, readMigrations } from './migrate.ts'
import { AUTHOR } from './roles.ts'

export interface MigrateAppOptions {
  /** Of an administrator, as for `prepareDatabase`, which must have run before. */
  readonly adminUrl: string
  /** Holds `000001_name.sql`, `000002_name.sql` ... */
  readonly folder: string
  /** Lower-case; default `app`. */
  readonly schema?: string
}

/** Schemas that are not an app's to take. */
const TAKEN = /^(pw|public|information_schema|pg_.*)$/

/**
 * Applies what is missing and lets `pw_app` reach the schema. Tables become visible to it by `pw.protect` alone.
 * @returns how many files ran
 * @throws ERR_CONFIG, ERR_MIGRATION_CHANGED, ERR_DATABASE_TOO_NEW, ERR_STATEMENT_REFUSED; ERR_WALL_UNSAFE_ROLE when a file
 *   left a table with a `tenant_id` unprotected (its rows stay; nobody but the owner can reach them)
 */
export async function migrateApp({ adminUrl, folder, schema = 'app' }: MigrateAppOptions): Promise<number> {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(schema) || TAKEN.test(schema)) {
    throw new PartywallError('ERR_CONFIG', { message: `not a schema for an app: ${schema}` })
  }
  const migrations = await readMigrations(folder)
  return withAdminSession(adminUrl, async session => {
    await session.run(`create schema if not exists ${identifier(schema)} authorization ${AUTHOR}`)
    await session.run(`set search_path = ${identifier(schema)}, pg_catalog`)
    const count = await migrate(session, migrations, { schema, owner: AUTHOR })
    await session.run(`set role ${AUTHOR}; grant usage on schema ${identifier(schema)} to pw_app, pw_jobs; reset role`)
    const open = await session.run(UNPROTECTED, [schema])
    if (open.length > 0) {
      throw new PartywallError('ERR_WALL_UNSAFE_ROLE', {
        message: `call pw.protect() for: ${open.map(row => String(row.name)).join(', ')}`,
      })
    }
    return count
  })
}

const UNPROTECTED = `
  select format('%I.%I', $1::text, c.relname) as name from pg_class c
  where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p')
    and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
    and not (c.relrowsecurity and c.relforcerowsecurity
      and exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'bound' and not p.polpermissive))`
