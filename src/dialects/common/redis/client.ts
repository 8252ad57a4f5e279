/**
 * Reads keys and texts of Redis through a client of the app's own (`redis`, `ioredis`) or `connectRedis`: for imports of old stores.
 * Nothing is written to Redis.
 */

import { type ErrorCode, PartywallError } from '../../../core/errors.ts'

/** What we call of a client: ioredis has `call`, node-redis has `sendCommand` with an array. */
export type RedisClient =
  | { call(command: string, ...words: string[]): Promise<unknown> }
  | { sendCommand(words: string[]): Promise<unknown> }

export type RedisText =
  /** And milliseconds until it expires. */
  | { readonly text: string; readonly ttlMs?: number | undefined }
  /** Why it cannot be taken along. */
  | { readonly code: Extract<ErrorCode, 'ERR_VALUE_TOO_LARGE' | 'ERR_VALUE_INVALID'> }

const PAGE_SIZE = 500
/** Bytes of one value that are read at most; JSON text that is larger could not be stored here. */
const MAX_TEXT_BYTES = 1_048_576

/** Every key that begins with `prefix`, in pages; a key may come twice. @throws PartywallError ERR_IMPORT_SOURCE */
export async function* scanKeys(client: RedisClient, prefix: string): AsyncIterable<readonly string[]> {
  const match = `${prefix.replace(/[*?[\]\\^-]/g, '\\$&')}*`
  let cursor = '0'
  do {
    const words = ['SCAN', cursor, 'MATCH', match, 'COUNT', String(PAGE_SIZE)]
    const [next, keys] = readScan(await send(client, words))
    yield keys.filter(key => key.startsWith(prefix))
    cursor = next
  } while (cursor !== '0')
}

/** `undefined` for a key that is gone. @throws PartywallError ERR_IMPORT_SOURCE */
export async function readText(client: RedisClient, key: string): Promise<RedisText | undefined> {
  const [kind, ttlMs] = await Promise.all([send(client, ['TYPE', key]), send(client, ['PTTL', key])])
  if (kind === 'none' || ttlMs === -2) return undefined
  if (kind !== 'string' || typeof ttlMs !== 'number') return { code: 'ERR_VALUE_INVALID' }
  // One byte more than may be: enough to tell.
  const text = await send(client, ['GETRANGE', key, '0', String(MAX_TEXT_BYTES)])
  if (typeof text !== 'string') return { code: 'ERR_VALUE_INVALID' }
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) return { code: 'ERR_VALUE_TOO_LARGE' }
  return { text, ttlMs: ttlMs < 0 ? undefined : ttlMs }
}

async function send(client: RedisClient, words: string[]): Promise<unknown> {
  const [command = '', ...rest] = words
  try {
    return 'call' in client ? await client.call(command, ...rest) : await client.sendCommand(words)
  } catch (cause) {
    throw new PartywallError('ERR_IMPORT_SOURCE', { cause, message: `Redis refused ${command}` })
  }
}

function readScan(answer: unknown): readonly [string, readonly string[]] {
  const [cursor, keys] = Array.isArray(answer) ? answer : []
  const isText = (value: unknown): value is string => typeof value === 'string'
  if (isText(cursor) && Array.isArray(keys) && keys.every(isText)) return [cursor, keys]
  throw new PartywallError('ERR_IMPORT_SOURCE', { message: 'Redis answered SCAN in another form than known' })
}
