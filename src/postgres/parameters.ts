/** Parameters whose text format needs care. Everything else is passed as its plain text. */

import type { Parameter } from './database.ts'

/** A one-dimensional array literal: every element quoted, `"` and `\` escaped; null stays NULL. */
export const textArray = (values: readonly (string | null)[]): string =>
  `{${values.map(value => (value === null ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`)).join(',')}}`

/** Bytes in PostgreSQL's hex format. */
export const bytea = (value: Uint8Array | undefined | null): Parameter =>
  value == null ? null : `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`

/** The reverse of `bytea`, for a column read as text. */
export const fromBytea = (text: string): Buffer => Buffer.from(text.slice(2), 'hex')

/** A point in time from epoch milliseconds, as `timestamptz` takes it. */
export const timestamp = (epochMs: number | undefined): Parameter =>
  epochMs === undefined ? null : new Date(epochMs).toISOString()
