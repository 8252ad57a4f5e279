/** A direct connection that listens on one channel. Poolers that share server connections cannot carry it. */

import { PartywallError } from '../core/errors.ts'
import { Connection } from './connection.ts'
import type { Listener } from './database.ts'
import { parseDatabaseUrl } from './database-url.ts'

export interface ListenOptions {
  readonly url: string
  /** True where the URL is known to bypass poolers. */
  readonly isDirect: boolean
  readonly statementMode?: 'named' | 'unnamed'
  readonly connectTimeoutMs?: number
  readonly answerTimeoutMs?: number
}

/**
 * @param channel  lower-case letters, digits and `_`
 * @param onLost   called once when the connection breaks, not after `close`
 * @throws ERR_CONFIG where only a pooler's URL is known, ERR_STORE_UNAVAILABLE
 */
export async function listen(
  options: ListenOptions,
  channel: string,
  onMessage: (payload: string) => void,
  onLost: (error: unknown) => void,
): Promise<Listener> {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(channel)) throw new TypeError(`not a channel name: ${channel}`)
  const { client, mode } = parseDatabaseUrl(options.url)
  if (!options.isDirect && (options.statementMode ?? mode) === 'unnamed') {
    throw new PartywallError('ERR_CONFIG', {
      message: 'LISTEN does not work through a pooler; set DATABASE_LISTEN_URL to a direct URL of pw_system',
    })
  }
  let isClosed = false
  const connection = await Connection.open(
    {
      client: { ...client, application_name: 'partywall listen' },
      mode: 'named',
      connectTimeoutMs: options.connectTimeoutMs ?? 3_000,
      answerTimeoutMs: options.answerTimeoutMs ?? 6_000,
    },
    (_, error) => {
      if (isClosed) return
      isClosed = true
      onLost(error)
    },
  )
  connection.onNotification((name, payload) => {
    if (name === channel) onMessage(payload)
  })
  await connection.run([[{ name: 'pw_listen', text: `listen ${channel}` }, []]])
  return {
    query: async (statement, values) => (await connection.run([[statement, values]])).rows[0] ?? [],
    close: async () => {
      isClosed = true
      await connection.close()
    },
  }
}
