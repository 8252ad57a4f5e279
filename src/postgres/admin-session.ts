/** A short session of an administrator, for preparing a database: plain statements, one after the other. */

import pg from 'pg'
import { parseDatabaseUrl } from './database-url.ts'
import { storeError } from './errors.ts'

export interface AdminSession {
  /** Runs SQL text of ours, several statements at once where there are no values. */
  run(text: string, values?: readonly (string | null)[]): Promise<readonly Readonly<Record<string, unknown>>[]>
}

/** @throws ERR_STORE_UNAVAILABLE, ERR_STATEMENT_REFUSED with the server's message as cause */
export async function withAdminSession<T>(url: string, work: (session: AdminSession) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...parseDatabaseUrl(url).client, connectionTimeoutMillis: 10_000 })
  // A broken session shows in the statement that runs on it; without a listener it would end the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (error) {
    throw storeError(error, 'not-sent')
  }
  try {
    return await work({
      async run(text, values) {
        const result = await client.query(text, values === undefined ? undefined : [...values])
        return Array.isArray(result) ? [] : result.rows
      },
    })
  } catch (error) {
    throw storeError(error, 'sent')
  } finally {
    await client.end()
  }
}

/** Quotes an identifier; only for names that are ours or an administrator's. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`
/** Quotes a literal where the protocol takes no parameters (role passwords, settings). */
export const literal = (value: string): string => {
  const quoted = `'${value.replaceAll("'", "''")}'`
  return value.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}
