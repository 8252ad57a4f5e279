/**
 * Opens the database: three logins by URL, or the embedded server where no URL is given. With URLs nothing is ever changed
 * in the database; it is checked that it was prepared, that we understand it, and that no login could pass the wall.
 */

import { join } from 'node:path'
import { PartywallError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { type BoundPoolWithSql, createBoundPool, createPlainPool } from './bound-query.ts'
import type { StatementMode } from './connection.ts'
import type { Database } from './database.ts'
import { parseDatabaseUrl } from './database-url.ts'
import { listen } from './listener.ts'
import { createPool, type Pool } from './pool.ts'
import { type DatabaseUrls, LOGINS, type Login } from './roles.ts'
import { checkDatabase } from './start-check.ts'

export type { DatabaseUrls }

export interface OpenDatabaseOptions {
  /** Default: `DATABASE_URL`, `DATABASE_SYSTEM_URL`, `DATABASE_JOBS_URL`; with none of them the embedded server. */
  readonly urls?: DatabaseUrls
  /** Direct URL of pw_system for LISTEN where the others go through a pooler; default `DATABASE_LISTEN_URL`. */
  readonly listenUrl?: string
  /** Folder of the embedded server; default `.partywall` in the working directory, or `PARTYWALL_DATA`. */
  readonly folder?: string
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly logger?: Logger
  /** Overrides what the URLs say with `?statement_mode=`. */
  readonly statementMode?: StatementMode
  /** Longest wait for one answer of the server; default 6,000. The logins' own `statement_timeout` should be lower. */
  readonly answerTimeoutMs?: number
  /** Longest wait for a new connection; default 3,000. */
  readonly connectTimeoutMs?: number
  /** Longest wait for a free connection of a transaction; default 10,000. */
  readonly acquireTimeoutMs?: number
  readonly connections?: Partial<Readonly<Record<Login, Partial<PoolSize>>>>
}

export interface PoolSize {
  /** Shared by single statements and groups. */
  readonly shared: number
  /** Held by one transaction each. */
  readonly exclusive: number
}

/** A database, and what only the SQL of app authors needs. */
export interface OpenDatabase extends Database {
  readonly app: BoundPoolWithSql
  readonly urls: DatabaseUrls
  /** True where the embedded server is ours. */
  readonly isEmbedded: boolean
}

const SIZES: Readonly<Record<Login, PoolSize>> = {
  app: { shared: 4, exclusive: 6 },
  system: { shared: 2, exclusive: 4 },
  jobs: { shared: 2, exclusive: 2 },
}
const URL_NAMES: Readonly<Record<Login, string>> = {
  app: 'DATABASE_URL',
  system: 'DATABASE_SYSTEM_URL',
  jobs: 'DATABASE_JOBS_URL',
}

/**
 * @throws ERR_CONFIG for URLs that are missing or wrong, ERR_DATABASE_NOT_PREPARED, ERR_DATABASE_TOO_OLD,
 *   ERR_DATABASE_TOO_NEW, ERR_MIGRATION_CHANGED, ERR_WALL_UNSAFE_ROLE, ERR_STORE_UNAVAILABLE, and those of the embedded server
 */
export async function openDatabase(options: OpenDatabaseOptions = {}): Promise<OpenDatabase> {
  const environment = options.environment ?? process.env
  const given = options.urls ?? urlsFrom(environment)
  const embedded = given === undefined ? await startServer(options, environment) : undefined
  const urls = given ?? embedded?.urls
  if (urls === undefined) throw new PartywallError('ERR_CONFIG', { message: 'no database' })
  try {
    const database = connect(urls, options, environment, embedded?.close)
    try {
      await checkDatabase(database, options.logger)
    } catch (error) {
      await database.close()
      throw error
    }
    return database
  } catch (error) {
    await embedded?.close()
    throw error
  }
}

function connect(
  urls: DatabaseUrls,
  options: OpenDatabaseOptions,
  environment: Readonly<Record<string, string | undefined>>,
  closeServer: (() => Promise<void>) | undefined,
): OpenDatabase {
  const poolOf = (login: Login): Pool => {
    const { client, mode } = parseDatabaseUrl(urls[login])
    return createPool({
      client: { ...client, application_name: `partywall ${login}` },
      mode: options.statementMode ?? mode ?? 'named',
      connectTimeoutMs: options.connectTimeoutMs ?? 3_000,
      answerTimeoutMs: options.answerTimeoutMs ?? 6_000,
      acquireTimeoutMs: options.acquireTimeoutMs ?? 10_000,
      ...SIZES[login],
      ...options.connections?.[login],
    })
  }
  const pools = { app: poolOf('app'), system: poolOf('system'), jobs: poolOf('jobs') }
  let closing: Promise<void> | undefined
  return {
    app: createBoundPool(pools.app),
    system: createPlainPool(pools.system),
    jobs: createPlainPool(pools.jobs),
    urls,
    isEmbedded: closeServer !== undefined,
    listen: (channel, onMessage, onLost) => {
      const listenUrl = options.listenUrl ?? environment.DATABASE_LISTEN_URL
      return listen(
        { url: listenUrl ?? urls.system, isDirect: listenUrl !== undefined, ...options },
        channel,
        onMessage,
        onLost,
      )
    },
    close: () => {
      closing ??= Promise.all(LOGINS.map(login => pools[login].close())).then(() => closeServer?.())
      return closing
    },
  }
}

function urlsFrom(environment: Readonly<Record<string, string | undefined>>): DatabaseUrls | undefined {
  const missing = LOGINS.filter(login => !environment[URL_NAMES[login]])
  if (missing.length === LOGINS.length) return undefined
  if (missing.length > 0) {
    throw new PartywallError('ERR_CONFIG', {
      message:
        `${missing.map(login => URL_NAMES[login]).join(' and ')} missing; ` +
        '"npx partywall db prepare --admin-url <administrator URL>" makes the three logins and prints their URLs',
    })
  }
  const of = (login: Login): string => environment[URL_NAMES[login]] ?? ''
  return { app: of('app'), system: of('system'), jobs: of('jobs') }
}

/** Loaded only where it is needed. */
async function startServer(options: OpenDatabaseOptions, environment: Readonly<Record<string, string | undefined>>) {
  const { openEmbedded } = await import('./open-embedded.ts')
  const folder = options.folder ?? environment.PARTYWALL_DATA ?? join(process.cwd(), '.partywall')
  return openEmbedded(folder, options.logger)
}
