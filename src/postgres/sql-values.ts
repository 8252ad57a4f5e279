/** JavaScript values as parameters, and PostgreSQL's texts as JavaScript values, for SQL of app authors. */

import pg from 'pg'
import type { Parameter } from './database.ts'
import type { GroupResult } from './group.ts'
import { bytea } from './parameters.ts'

/** Arrays become PostgreSQL arrays; plain objects become JSON (an array for a JSON column is passed as JSON text). */
export type SqlValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Date
  | Uint8Array
  | readonly SqlValue[]
  | { readonly [key: string]: unknown }

export type SqlRow = Readonly<Record<string, unknown>>

/** @throws TypeError for what has no SQL form: functions, symbols, invalid dates */
export function toParameter(value: SqlValue): Parameter {
  if (value === null || value === undefined) return null
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'object':
      return objectParameter(value)
    default:
      throw new TypeError(`a ${typeof value} cannot be a parameter`)
  }
}

function objectParameter(value: Exclude<SqlValue, string | number | bigint | boolean | null | undefined>): Parameter {
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return bytea(value)
  if (isArray(value)) return `{${value.map(arrayElement).join(',')}}`
  return JSON.stringify(value)
}

function arrayElement(value: SqlValue): string {
  if (isArray(value)) return toParameter(value) ?? 'NULL'
  const text = toParameter(value)
  return text === null ? 'NULL' : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

const isArray = (value: unknown): value is readonly SqlValue[] => Array.isArray(value)

/** Rows by column name, parsed as the driver does: numbers, booleans, Dates, JSON, Buffers; int8 and numeric stay text. */
export function toRows(result: GroupResult): SqlRow[] {
  const parsers = result.fields.map(field => pg.types.getTypeParser(field.dataTypeID, 'text'))
  return (result.rows[0] ?? []).map(row =>
    Object.fromEntries(
      result.fields.map((field, index) => {
        const text = row[index]
        return [field.name, text === null || text === undefined ? null : parsers[index]?.(text)]
      }),
    ),
  )
}

/** From the command tag: `UPDATE 3`, `INSERT 0 3`. */
export const affectedRows = (result: GroupResult): number | undefined => {
  const match = /^(?:INSERT \d+|UPDATE|DELETE|MERGE) (\d+)$/.exec(result.tag)
  return match === null ? undefined : Number(match[1])
}
