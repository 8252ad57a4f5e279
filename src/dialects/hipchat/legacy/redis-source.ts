/**
 * The Redis store of the old libraries, read through a client of the app's own (`redis`, `ioredis`) or `connectRedis`. Nothing is
 * written to Redis.
 */

import { PartywallError } from '../../../core/errors.ts'
import type { OldStoreSource, OldValue } from './old-store.ts'

/** What we call of a client: ioredis has `call`, node-redis has `sendCommand` with an array. */
export type RedisClient =
  | { call(command: string, ...words: string[]): Promise<unknown> }
  | { sendCommand(words: string[]): Promise<unknown> }

const PAGE_SIZE = 500
/** Bytes of one value that are read at most; JSON text that is larger could not be stored here. */
const MAX_TEXT_BYTES = 1_048_576

/** @example await importHipchatStore(addon, redisStoreSource(await connectRedis(url))) */
export function redisStoreSource(client: RedisClient): OldStoreSource {
  const send = async (...words: string[]): Promise<unknown> => {
    try {
      return 'call' in client ? await client.call(words[0] ?? '', ...words.slice(1)) : await client.sendCommand(words)
    } catch (cause) {
      throw new PartywallError('ERR_IMPORT_SOURCE', { cause, message: `Redis refused ${words[0]}` })
    }
  }
  return {
    async *keys(prefix) {
      const match = `${prefix.replace(/[*?[\]\\^-]/g, '\\$&')}*`
      let cursor = '0'
      do {
        const [next, keys] = readScan(await send('SCAN', cursor, 'MATCH', match, 'COUNT', String(PAGE_SIZE)))
        yield keys.filter(key => key.startsWith(prefix))
        cursor = next
      } while (cursor !== '0')
    },
    read: keys => Promise.all(keys.map(key => readValue(key, send))),
  }
}

async function readValue(key: string, send: (...words: string[]) => Promise<unknown>): Promise<OldValue | undefined> {
  const [kind, ttlMs] = await Promise.all([send('TYPE', key), send('PTTL', key)])
  if (kind === 'none' || ttlMs === -2) return undefined
  if (kind !== 'string' || typeof ttlMs !== 'number') return { code: 'ERR_VALUE_INVALID' }
  // One byte more than may be: enough to tell.
  const text = await send('GETRANGE', key, '0', String(MAX_TEXT_BYTES))
  if (typeof text !== 'string') return { code: 'ERR_VALUE_INVALID' }
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) return { code: 'ERR_VALUE_TOO_LARGE' }
  return { text, ttlMs: ttlMs < 0 ? undefined : ttlMs }
}

function readScan(answer: unknown): readonly [string, readonly string[]] {
  const [cursor, keys] = Array.isArray(answer) ? answer : []
  const isText = (value: unknown): value is string => typeof value === 'string'
  if (isText(cursor) && Array.isArray(keys) && keys.every(isText)) return [cursor, keys]
  throw new PartywallError('ERR_IMPORT_SOURCE', { message: 'Redis answered SCAN in another form than known' })
}
