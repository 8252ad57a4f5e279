/**
 * Names of the store: which keys and scopes are allowed, and how a path of scopes becomes one column.
 *
 * A path is written as `<bytes>:<part>/` for each part, so no text inside a part can end it early and two different
 * paths never give the same text. All paths below one begin with its text, which makes them one range of the primary
 * key; `rangeEnd` gives the end of such a range. Nothing here knows a tenant or a database.
 */

import { type ErrorCode, PartywallError } from './errors.ts'

/** Bytes of UTF-8 a key or one scope may have. */
export const MAX_NAME_BYTES = 1_024
export const MAX_SCOPE_DEPTH = 8
/** Bytes all scopes of a path may take together: with the longest key the row still fits an index page of PostgreSQL. */
export const MAX_PATH_BYTES = 1_536

// With the `u` flag a surrogate matches only when it stands alone.
const UNSTORABLE = /[\0\p{Surrogate}]/u

/** @throws ERR_KEY_INVALID unless `key` is a well-formed string of 1 to 1,024 bytes without U+0000 */
export function checkKey(key: unknown): asserts key is string {
  checkName(key, 'ERR_KEY_INVALID', 1)
}

/** As `checkKey`; the empty prefix is allowed and matches every key. @throws ERR_KEY_INVALID */
export function checkPrefix(prefix: unknown): asserts prefix is string {
  checkName(prefix, 'ERR_KEY_INVALID', 0)
}

/**
 * The column text of a path of scopes; the empty path is the empty text.
 *
 * @param parts  outermost first; each 1 to 1,024 bytes, at most 8, at most 1,536 bytes together with their lengths
 * @throws ERR_SCOPE_INVALID
 * @example encodePath(['project', '7']) // '7:project/1:7/'
 */
export function encodePath(parts: readonly unknown[]): string {
  if (parts.length > MAX_SCOPE_DEPTH) throw scopeInvalid('scopes nest too deep', { most: MAX_SCOPE_DEPTH })
  let path = ''
  for (const part of parts) {
    checkName(part, 'ERR_SCOPE_INVALID', 1)
    path += `${Buffer.byteLength(part)}:${part}/`
  }
  const bytes = Buffer.byteLength(path)
  if (bytes > MAX_PATH_BYTES) throw scopeInvalid('nested scopes are too long together', { bytes, most: MAX_PATH_BYTES })
  return path
}

/**
 * The parts of a path text that `encodePath` made.
 * @throws TypeError for any other text
 */
export function decodePath(path: string): string[] {
  const parts: string[] = []
  const bytes = Buffer.from(path)
  for (let at = 0; at < bytes.length; ) {
    const colon = bytes.indexOf(0x3a, at)
    const end = colon + 1 + Number(bytes.toString('latin1', at, Math.max(at, colon)))
    if (colon <= at || bytes[end] !== 0x2f) throw new TypeError('not the text of a path')
    parts.push(bytes.toString('utf8', colon + 1, end))
    at = end + 1
  }
  return parts
}

/**
 * The smallest text above every text that begins with `prefix`, in the byte order of UTF-8; `undefined` when there is
 * none (empty prefix, or nothing but U+10FFFF).
 */
export function rangeEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, character => character.codePointAt(0) ?? 0)
  while (points.at(-1) === 0x10ffff) points.pop()
  const last = points.pop()
  if (last === undefined) return undefined
  // Surrogates are no characters of their own: after U+D7FF comes U+E000.
  points.push(last === 0xd7ff ? 0xe000 : last + 1)
  return points.map(point => String.fromCodePoint(point)).join('')
}

/** The smallest text above `text` itself in byte order: U+0001 is the smallest character a name can have. */
export const successor = (text: string): string => `${text}\u0001`

/** How a nested entry is called by `all({ nested: true })`: parts joined by `:`, with `%` and `:` inside parts percent-encoded. */
export const nestedName = (parts: readonly string[]): string =>
  parts.map(part => part.replace(/[%:]/g, mark => (mark === '%' ? '%25' : '%3A'))).join(':')

function checkName(name: unknown, code: ErrorCode, leastBytes: number): asserts name is string {
  if (typeof name !== 'string') throw new PartywallError(code, { message: 'a name must be a string' })
  const bytes = Buffer.byteLength(name)
  if (bytes < leastBytes || bytes > MAX_NAME_BYTES) {
    throw new PartywallError(code, { message: 'a name has 1 to 1,024 bytes of UTF-8', details: { bytes } })
  }
  if (UNSTORABLE.test(name)) {
    throw new PartywallError(code, { message: 'a name is well-formed Unicode without U+0000' })
  }
}

const scopeInvalid = (message: string, details: Record<string, number>): PartywallError =>
  new PartywallError('ERR_SCOPE_INVALID', { message, details })
