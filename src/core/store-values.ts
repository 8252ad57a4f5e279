/** What may be stored and how it is asked for: values as JSON text, times to live, limits, versions. Pure checks. */

import { PartywallError } from './errors.ts'
import type { SetOptions } from './store.ts'
import type { JsonValue } from './tenant.ts'

/** Bytes of UTF-8 of the JSON text of one value. */
export const MAX_VALUE_BYTES = 256 * 1_024
/** Ten years of 365 days. */
export const MAX_TTL_SECONDS = 315_360_000
const MAX_PAGE_ROWS = 1_000
/** Keys `getMany` takes at most. */
const MAX_KEYS = 1_000
const DEFAULT_PAGE_ROWS = 100

/**
 * The JSON text of a value, made once and stored as it is.
 * @throws ERR_VALUE_INVALID for what JSON cannot say (undefined, functions, BigInt, cycles, nesting beyond the stack)
 * @throws ERR_VALUE_TOO_LARGE above 256 KiB
 */
export function encodeValue(value: unknown): string {
  const text = stringify(value)
  if (text === undefined) {
    throw new PartywallError('ERR_VALUE_INVALID', { message: `a value of type ${typeof value} has no JSON` })
  }
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_VALUE_BYTES) {
    throw new PartywallError('ERR_VALUE_TOO_LARGE', { details: { bytes, most: MAX_VALUE_BYTES } })
  }
  return text
}

/** A fresh copy of a stored value; `__proto__` comes back as a property of its own. */
export const decodeValue = (text: string): JsonValue => JSON.parse(text) as JsonValue

/** The options of `set`, checked. @throws ERR_TTL_INVALID, ERR_VERSION_INVALID */
export function checkSetOptions(options: number | SetOptions | undefined): { ttlSeconds?: number; ifVersion?: number } {
  if (options === undefined) return {}
  const { ttlSeconds, ifVersion }: SetOptions =
    typeof options === 'object' && options !== null ? options : { ttlSeconds: options }
  return {
    ...(ttlSeconds === undefined ? {} : { ttlSeconds: checkTtl(ttlSeconds) }),
    ...(ifVersion === undefined ? {} : { ifVersion: checkVersion(ifVersion) }),
  }
}

/** @throws ERR_TTL_INVALID unless whole seconds from 1 to ten years */
export function checkTtl(seconds: number): number {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_TTL_SECONDS) {
    throw new PartywallError('ERR_TTL_INVALID', { message: 'a time to live is whole seconds, from 1 to ten years' })
  }
  return seconds
}

/** @throws ERR_VERSION_INVALID unless 0 or a version that a store could have given */
export function checkVersion(version: number): number {
  if (!Number.isSafeInteger(version) || version < 0) throw new PartywallError('ERR_VERSION_INVALID')
  return version
}

/** @throws ERR_LIMIT_INVALID unless a whole number from 1 to 1,000 */
export function checkLimit(limit: number = DEFAULT_PAGE_ROWS): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE_ROWS) {
    throw new PartywallError('ERR_LIMIT_INVALID', { message: 'a limit is a whole number from 1 to 1,000' })
  }
  return limit
}

/** @throws ERR_LIMIT_INVALID above 1,000 keys */
export function checkKeyCount(keys: readonly string[]): void {
  if (keys.length > MAX_KEYS) {
    throw new PartywallError('ERR_LIMIT_INVALID', {
      message: 'at most 1,000 keys at once',
      details: { keys: keys.length },
    })
  }
}

function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw new PartywallError('ERR_VALUE_INVALID', { cause })
  }
}
