/**
 * Database URLs: what ours may say beside what the driver understands, and how one login's URL becomes another's.
 * Nothing here connects, and no error text shows a URL, since it may hold a password.
 */

import type pg from 'pg'
import { PartywallError } from '../core/errors.ts'
import type { StatementMode } from './connection.ts'

export interface ParsedUrl {
  readonly client: pg.ClientConfig
  /** `?statement_mode=unnamed` for a pooler that shares server connections between transactions. */
  readonly mode: StatementMode | undefined
  readonly user: string
}

/** Ours, or settings of the driver that would get in the way of the pipeline. */
const STRIPPED = ['statement_mode', 'query_timeout', 'statement_timeout', 'binary', 'pipeline']

/**
 * @param url  `postgres://user:password@host:port/database`; a socket folder as `?host=/folder`
 * @throws ERR_CONFIG
 */
export function parseDatabaseUrl(url: string): ParsedUrl {
  const parsed = parse(url)
  const mode = parsed.searchParams.get('statement_mode') ?? undefined
  if (mode !== undefined && mode !== 'named' && mode !== 'unnamed') {
    throw new PartywallError('ERR_CONFIG', { message: 'statement_mode in a database URL is named or unnamed' })
  }
  for (const name of STRIPPED) parsed.searchParams.delete(name)
  return { client: { connectionString: parsed.href }, mode, user: decodeURIComponent(parsed.username) }
}

/** The same server with another login or database; a `password` of `undefined` leaves the URL without one. */
export function withLogin(
  url: string,
  change: { readonly user: string; readonly password: string | undefined; readonly database?: string },
): string {
  const parsed = parse(url)
  parsed.username = encodeURIComponent(change.user)
  parsed.password = change.password === undefined ? '' : encodeURIComponent(change.password)
  if (change.database !== undefined) parsed.pathname = `/${encodeURIComponent(change.database)}`
  return parsed.href
}

/** The same login on another database of the server. */
export function withDatabase(url: string, database: string): string {
  const parsed = parse(url)
  parsed.pathname = `/${encodeURIComponent(database)}`
  return parsed.href
}

function parse(url: string): URL {
  // A URL without a host cannot hold a login; with a socket folder in the query any host will do.
  const complete = url.replace(/^(postgres(?:ql)?:\/\/)(?=[/?])/, '$1localhost')
  if (!/^postgres(ql)?:\/\//.test(complete) || !URL.canParse(complete)) {
    throw new PartywallError('ERR_CONFIG', {
      message: 'a database URL looks like postgres://user:password@host:port/database',
    })
  }
  return new URL(complete)
}
