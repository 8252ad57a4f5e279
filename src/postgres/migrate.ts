/**
 * Numbered SQL files, each applied once, in order, in a transaction of its own, by one process at a time.
 * A file that has run must not change; a database that knows more files than we do is refused.
 */

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PartywallError } from '../core/errors.ts'
import { type AdminSession, identifier } from './admin-session.ts'
import { sqlStateOf } from './errors.ts'

export interface Migration {
  readonly number: number
  readonly name: string
  readonly text: string
  /** SHA-256 of the text with line ends as `\n`, hex. */
  readonly checksum: string
}

export interface MigrationTarget {
  /** Schema of the table `migration` that remembers what has run. */
  readonly schema: string
  /** Role that runs the files and owns what they make. */
  readonly owner: string
}

const FILE_NAME = /^(\d{6})_([a-z0-9_]+)\.sql$/

/**
 * Reads a folder of `NNNNNN_name.sql`, numbers rising by one from 000001.
 * @throws ERR_CONFIG for a gap, a number used twice, or a `.sql` file with another kind of name
 */
export async function readMigrations(folder: string): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter(name => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (fileName, index) => {
      const match = FILE_NAME.exec(fileName)
      if (match === null || Number(match[1]) !== index + 1) {
        throw new PartywallError('ERR_CONFIG', {
          message: `expected ${String(index + 1).padStart(6, '0')}_<name>.sql, found ${fileName}`,
        })
      }
      const text = (await readFile(join(folder, fileName), 'utf8')).replaceAll('\r\n', '\n')
      return {
        number: index + 1,
        name: match[2] ?? '',
        text,
        checksum: createHash('sha256').update(text).digest('hex'),
      }
    }),
  )
}

/**
 * Applies what is missing.
 * @returns how many files ran
 * @throws ERR_DATABASE_TOO_NEW, ERR_MIGRATION_CHANGED, ERR_STATEMENT_REFUSED with the server's reason as cause
 */
export async function migrate(
  session: AdminSession,
  migrations: readonly Migration[],
  target: MigrationTarget,
): Promise<number> {
  const table = `${identifier(target.schema)}.migration`
  const lockKey = `partywall migrations of ${target.schema}`
  await session.run('select pg_advisory_lock(hashtextextended($1, 0))', [lockKey])
  await session.run(`set role ${identifier(target.owner)}`)
  try {
    await session.run(
      `create table if not exists ${table}
       (number int primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`,
    )
    const applied = await readApplied(session, table)
    checkApplied(applied, migrations)
    const missing = migrations.slice(applied.length)
    for (const migration of missing) await apply(session, table, migration)
    return missing.length
  } finally {
    await session.run('reset role')
    await session.run('select pg_advisory_unlock(hashtextextended($1, 0))', [lockKey])
  }
}

export interface AppliedMigration {
  readonly number: number
  readonly name: string
  readonly checksum: string
}

/** @throws ERR_DATABASE_TOO_NEW, ERR_MIGRATION_CHANGED */
export function checkApplied(applied: readonly AppliedMigration[], shipped: readonly Migration[]): void {
  if (applied.length > shipped.length) {
    throw new PartywallError('ERR_DATABASE_TOO_NEW', {
      message: `the database has ${applied.length} migrations, this version brings ${shipped.length}; upgrade Partywall`,
    })
  }
  applied.forEach((row, index) => {
    const file = shipped[index]
    if (file === undefined || row.number !== file.number || row.checksum !== file.checksum) {
      throw new PartywallError('ERR_MIGRATION_CHANGED', {
        message: `migration ${row.number} (${row.name}) is not the one that has run; a new change belongs in a new file`,
      })
    }
  })
}

async function readApplied(session: AdminSession, table: string): Promise<readonly AppliedMigration[]> {
  const rows = await session.run(`select number, name, checksum from ${table} order by number`)
  return rows.map(row => ({
    number: Number(row.number),
    name: String(row.name),
    checksum: String(row.checksum),
  }))
}

async function apply(session: AdminSession, table: string, migration: Migration): Promise<void> {
  try {
    await session.run('begin')
    await session.run(migration.text)
    await session.run(`insert into ${table} (number, name, checksum) values ($1, $2, $3)`, [
      String(migration.number),
      migration.name,
      migration.checksum,
    ])
    await session.run('commit')
  } catch (error) {
    await session.run('rollback')
    throw new PartywallError('ERR_STATEMENT_REFUSED', {
      cause: error,
      message: `migration ${migration.number} (${migration.name}) failed and was rolled back`,
      details: { sqlState: sqlStateOf(error), migration: migration.number },
    })
  }
}
