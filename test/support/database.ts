/**
 * A fresh, prepared database for one test file, dropped at the end. Cloned from a template that is made once per server and
 * state of the SQL files; several test processes may ask at the same time.
 *
 * PARTYWALL_TEST_ADMIN_URL names an administrator's URL of a throw-away server; without it the embedded server is started.
 */

import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AdminSession, withAdminSession } from '../../src/postgres/admin-session.ts'
import { withDatabase, withLogin } from '../../src/postgres/database-url.ts'
import { readMigrations } from '../../src/postgres/migrate.ts'
import { type OpenDatabase, type OpenDatabaseOptions, openDatabase } from '../../src/postgres/open.ts'
import { adminUrlOf } from '../../src/postgres/open-embedded.ts'
import { closeToPublic, MIGRATIONS_FOLDER, prepareDatabase } from '../../src/postgres/prepare.ts'
import { rolePasswords } from './role-passwords.ts'

export interface TestDatabase {
  readonly urls: { readonly app: string; readonly system: string; readonly jobs: string; readonly admin: string }
  readonly database: OpenDatabase
  /** Opens another handle on the same database, as another process would. Closed with the database. */
  open(options?: OpenDatabaseOptions): Promise<OpenDatabase>
  /** Runs SQL as the administrator. */
  admin(text: string, values?: readonly (string | null)[]): Promise<readonly Readonly<Record<string, unknown>>[]>
  close(): Promise<void>
}

export interface TestDatabaseOptions extends OpenDatabaseOptions {
  readonly adminUrl?: string
}

export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const { adminUrl: given, ...openOptions } = options
  const server = await findServer(given ?? process.env.PARTYWALL_TEST_ADMIN_URL)
  const name = `pwt_${randomBytes(6).toString('hex')}`
  await withAdminSession(server.adminUrl, async session => {
    const template = await ensureTemplate(session, server.adminUrl)
    await session.run(`create database ${name} template ${template}`)
  })
  const admin = withDatabase(server.adminUrl, name)
  await withAdminSession(admin, closeToPublic)
  const passwords = rolePasswords(server.adminUrl)
  const urls = {
    admin,
    app: withLogin(admin, { user: 'pw_app', password: passwords.app }),
    system: withLogin(admin, { user: 'pw_system', password: passwords.system }),
    jobs: withLogin(admin, { user: 'pw_jobs', password: passwords.jobs }),
  }
  const opened: OpenDatabase[] = []
  const open = async (extra: OpenDatabaseOptions = {}): Promise<OpenDatabase> => {
    const database = await openDatabase({ urls, ...openOptions, ...extra })
    opened.push(database)
    return database
  }
  const close = async (): Promise<void> => {
    await Promise.all(opened.map(database => database.close()))
    await withAdminSession(server.adminUrl, session => session.run(`drop database if exists ${name} with (force)`))
    await server.close()
  }
  try {
    return {
      urls,
      database: await open(),
      open,
      admin: (text, values) => withAdminSession(admin, session => session.run(text, values)),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function findServer(adminUrl: string | undefined): Promise<{ adminUrl: string; close(): Promise<void> }> {
  if (adminUrl !== undefined && adminUrl !== '') return { adminUrl, close: async () => undefined }
  const { startEmbedded } = await import('../../src/postgres/embedded/index.ts')
  const folder = await mkdtemp(join(tmpdir(), 'pwt-'))
  const nothing = (): void => undefined
  const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
  const server = await startEmbedded({ folder, logger })
  return {
    adminUrl: adminUrlOf(server.connection),
    close: async () => {
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Its name holds a hash of the SQL files: edited files get a new template. Made by one process, copied by many at once. */
async function ensureTemplate(session: AdminSession, adminUrl: string): Promise<string> {
  const migrations = await readMigrations(MIGRATIONS_FOLDER)
  const hash = createHash('sha256')
  for (const migration of migrations) hash.update(migration.checksum)
  const template = `pwt_template_${hash.digest('hex').slice(0, 16)}`
  const isThere = async (): Promise<boolean> => {
    const rows = await session.run('select datistemplate from pg_database where datname = $1', [template])
    return rows[0]?.datistemplate === true
  }
  if (await isThere()) return template
  await session.run("select pg_advisory_lock(hashtextextended('test template', 0))")
  if (await isThere()) return template
  await prepareDatabase({ adminUrl, database: template, passwords: rolePasswords(adminUrl) })
  // Marked last: a template that was interrupted half-way is prepared again.
  await session.run(`alter database ${template} with is_template true`)
  return template
}
