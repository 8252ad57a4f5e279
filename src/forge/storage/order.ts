/**
 * Values of an index as text whose byte order is the order of the values: numbers by size, texts by their bytes, false before true.
 * PostgreSQL may compare such texts before its policies have seen the row, which no numeric operator may.
 */

import { createHash } from 'node:crypto'
import type { JsonValue } from '../../core/tenant.ts'

/** Letters keep kinds apart; they stand in the order in which kinds are sorted. */
const BOOLEAN = 'b'
const NUMBER = 'n'
const STRING = 's'

/** @returns `undefined` for what has no place in an order: objects, lists, null, and texts that PostgreSQL cannot hold */
export function orderedText(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'boolean') return `${BOOLEAN}${value ? 1 : 0}`
  if (typeof value === 'number') return `${NUMBER}${numberText(value)}`
  return typeof value === 'string' && !/\0|\p{Surrogate}/u.test(value) ? `${STRING}${value}` : undefined
}

/** The bits of the number, turned so that they sort: negative ones reversed, the others above them. */
function numberText(value: number): string {
  const bytes = Buffer.alloc(8)
  // There is one zero.
  bytes.writeDoubleBE(value === 0 ? 0 : value)
  const bits = bytes.readBigUInt64BE()
  const sign = 1n << 63n
  const sorted = bits & sign ? ~bits & (sign | (sign - 1n)) : bits | sign
  return sorted.toString(16).padStart(16, '0')
}

/** Everything of this kind of value that begins with the same letter lies between the letter and the next. */
export const kindOf = (text: string): string => text.slice(0, 1)

/** A partition as a whole; `undefined` where one of its values is missing, and the row is in no partition. */
export function partitionText(values: readonly (JsonValue | undefined)[]): string | undefined {
  const texts = values.map(orderedText)
  if (texts.includes(undefined)) return undefined
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex')
}
