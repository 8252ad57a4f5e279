/**
 * Reading many rows: pages for `list`, everything for `all`, in pieces that keep memory bounded whatever a tenant stored.
 */

import { PartywallError } from './errors.ts'
import type { TenantUid } from './ids.ts'
import type { KvPort } from './ports.ts'

/** Rows in one statement: at most 64 MiB of values at the largest size they can have. */
const PIECE_ROWS = 256
/** A page ends early when its values and keys come to this many characters. */
const MAX_PAGE_CHARACTERS = 16 * 1_024 * 1_024
/** What `all` gives at most: rows, and characters of their keys and values. */
const MAX_ALL_ROWS = 100_000
const MAX_ALL_CHARACTERS = 64 * 1_024 * 1_024

export interface RowsWanted {
  readonly tenant: TenantUid
  readonly space: string
  /** Encoded path. */
  readonly scope: string
  readonly prefix?: string
  /** Also the rows of every path below. */
  readonly below?: boolean
  readonly afterKey?: string
}

export type StoredRow = Awaited<ReturnType<KvPort['list']>>[number]

/** The first `limit` rows wanted, or fewer when they are large; `more` says that rows follow the last one. */
export async function readPage(
  kv: Pick<KvPort, 'list'>,
  wanted: RowsWanted,
  limit: number,
  beforeEach: () => void | Promise<void>,
): Promise<{ rows: StoredRow[]; more: boolean }> {
  const rows: StoredRow[] = []
  let characters = 0
  for await (const row of readRows(kv, wanted, Math.min(limit + 1, PIECE_ROWS), beforeEach)) {
    if (rows.length === limit || (rows.length > 0 && characters + sizeOf(row) > MAX_PAGE_CHARACTERS)) {
      return { rows, more: true }
    }
    rows.push(row)
    characters += sizeOf(row)
  }
  return { rows, more: false }
}

/**
 * All rows wanted. Rows that stay unchanged meanwhile come exactly once.
 * @throws ERR_RESULT_TOO_LARGE above 100,000 rows or 64 Mi characters
 */
export async function readAll(
  kv: Pick<KvPort, 'list'>,
  wanted: RowsWanted,
  beforeEach: () => void | Promise<void>,
): Promise<StoredRow[]> {
  const rows: StoredRow[] = []
  let characters = 0
  for await (const row of readRows(kv, wanted, PIECE_ROWS, beforeEach)) {
    rows.push(row)
    characters += sizeOf(row)
    if (rows.length > MAX_ALL_ROWS || characters > MAX_ALL_CHARACTERS) {
      throw new PartywallError('ERR_RESULT_TOO_LARGE', {
        message: 'all() gives at most 100,000 rows and 64 Mi characters; page through the scope with list()',
        details: { rows: rows.length, characters },
      })
    }
  }
  return rows
}

async function* readRows(
  kv: Pick<KvPort, 'list'>,
  { tenant, space, scope, prefix, below, afterKey }: RowsWanted,
  limit: number,
  beforeEach: () => void | Promise<void>,
): AsyncGenerator<StoredRow> {
  let after = afterKey === undefined ? undefined : { scope, key: afterKey }
  for (;;) {
    await beforeEach()
    const piece = await kv.list(tenant, space, scope, {
      limit,
      ...(prefix === undefined ? {} : { prefix }),
      ...(below === undefined ? {} : { below }),
      ...(after === undefined ? {} : { after }),
    })
    yield* piece
    const last = piece.at(-1)
    if (piece.length < limit || last === undefined) return
    after = { scope: last.scope, key: last.key }
  }
}

const sizeOf = (row: StoredRow): number => row.key.length + row.value.length
