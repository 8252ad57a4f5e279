/**
 * What must hold before the first request: a server new enough, a database prepared by this version, logins that cannot
 * pass the wall. Nothing is repaired here; each refusal says what to do.
 */

import { PartywallError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import type { Database, PlainPool, Statement } from './database.ts'
import { sqlStateOf } from './errors.ts'
import { checkApplied, readMigrations } from './migrate.ts'
import { MIGRATIONS_FOLDER } from './prepare.ts'
import { refuseUnsafeDatabase } from './refusal.ts'
import { checkServerVersion, versionWarning } from './server-version.ts'

const VERSION: Statement = { name: 'pw_version', text: "select current_setting('server_version_num')" }
const APPLIED: Statement = {
  name: 'pw_applied',
  text: 'select number, name, checksum from pw.migration order by number',
}

/** States of a database or login that is not there, or may not be used: the mark of one that was never prepared. */
const UNPREPARED = new Set(['28P01', '28000', '3D000', '3F000', '42P01', '42501'])

/** @throws ERR_DATABASE_NOT_PREPARED, ERR_DATABASE_TOO_OLD, ERR_DATABASE_TOO_NEW, ERR_MIGRATION_CHANGED, ERR_WALL_UNSAFE_ROLE */
export async function checkDatabase(database: Database, logger: Logger | undefined): Promise<void> {
  try {
    await checkVersion(database.system, logger)
    await checkMigrations(database.system)
    await refuseUnsafeDatabase(database)
  } catch (error) {
    if (!UNPREPARED.has(sqlStateOf(error) ?? '')) throw error
    throw notPrepared(error)
  }
}

async function checkVersion(system: PlainPool, logger: Logger | undefined): Promise<void> {
  const [row] = await system.query(VERSION, [])
  const version = Number(row?.[0])
  checkServerVersion(version)
  const warning = versionWarning(version)
  if (warning !== undefined) logger?.warn('database.version-flawed', { message: warning, version })
}

async function checkMigrations(system: PlainPool): Promise<void> {
  const shipped = await readMigrations(MIGRATIONS_FOLDER)
  const rows = await system.query(APPLIED, [])
  const applied = rows.map(row => ({ number: Number(row[0]), name: row[1] ?? '', checksum: row[2] ?? '' }))
  checkApplied(applied, shipped)
  if (applied.length < shipped.length) {
    throw notPrepared(undefined, `${shipped.length - applied.length} migrations have not run`)
  }
}

const notPrepared = (cause: unknown, reason = 'the logins or the schema are missing'): PartywallError =>
  new PartywallError('ERR_DATABASE_NOT_PREPARED', {
    cause,
    message: `the database is not prepared: ${reason}; run "npx partywall db prepare --admin-url <administrator URL>"`,
    details: { sqlState: sqlStateOf(cause) },
  })
