/** What the cases of the tenant store share: hostile names, and checks that read well. */

import assert from 'node:assert/strict'
import { type ErrorCode, isPartywallError, type PartywallError } from '../core/errors.ts'

/** Names that have broken stores: separators, wildcards, quotes, paths, other scripts, the longest allowed. */
export const HOSTILE_NAMES: readonly string[] = [
  '%',
  '%25',
  '_',
  '\\',
  '\\x00',
  '..',
  '../../etc/passwd',
  '.',
  '/',
  ':',
  'a:b',
  'a/b',
  '1:a/',
  '*',
  "'",
  "''; drop table pw.kv; --",
  '"',
  '{a,b}',
  'NULL',
  '$1',
  ' ',
  'a ',
  '\t',
  '\n',
  '\r\n',
  '\u0001',
  '\u007f',
  '\u00e9',
  'e\u0301',
  '\u202e',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{10ffff}',
  '日本語',
  '\u{1f600}',
  '__proto__',
  'constructor',
  '00000000-0000-7000-8000-000000000000',
  'k'.repeat(1_024),
]

/** Deep and strict; objects are compared by their own properties, with a prototype or without. */
export function equal(actual: unknown, expected: unknown): void {
  assert.deepEqual(entriesOf(actual), entriesOf(expected))
}

/** Fails unless `work` ends with this very code; gives the error. */
export async function refuses(code: ErrorCode, work: () => Promise<unknown>): Promise<PartywallError> {
  const [outcome] = await Promise.allSettled([(async () => work())()])
  assert.ok(outcome?.status === 'rejected', `${code} was expected, but nothing was refused`)
  const error: unknown = outcome.reason
  if (!isPartywallError(error))
    throw new assert.AssertionError({ message: `${code} was expected, not ${String(error)}` })
  assert.equal(error.code, code)
  return error
}

function entriesOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(entriesOf)
  if (typeof value !== 'object' || value === null) return value
  return new Map(Object.entries(value).map(([name, inner]) => [name, entriesOf(inner)]))
}
