/** Pages of values: by the beginning of their keys, and of entities by an index, with filters (Forge protocol s. 7.1). */

import { openCursor, sealCursor } from '../../core/cursor.ts'
import { isPartywallError } from '../../core/errors.ts'
import { rangeEnd } from '../../core/scope-encoding.ts'
import type { JsonValue } from '../../core/tenant.ts'
import type { EntityDefinition, EntityIndex } from '../manifest/types.ts'
import { type Given, isOfType, list, record } from './check.ts'
import { allHold, type ConditionGroup, readConditions } from './conditions.ts'
import type { StorageLimits } from './limits.ts'
import { kindOf, orderedText, partitionText } from './order.ts'
import * as sql from './rows.ts'
import { StorageError } from './storage-error.ts'
import { entityTarget, live, plainTarget, type StorageDeps, type Target } from './values.ts'

export interface Page {
  readonly rows: readonly sql.StoredValue[]
  readonly cursor: string | undefined
}

/** Rows of an index that one request looks at: filters that match little give short pages, and never a long wait. */
const MAX_SCANNED = 2_000
const CURSOR_BYTES = 4_096
const BY_KEY = 'by-key'

export async function queryKeys(
  context: Target['context'],
  { limit, after, where }: Given,
  deps: StorageDeps,
): Promise<Page> {
  const target = plainTarget(context)
  const rows = readLimit(limit, deps.limits, 'LIST_QUERY_LIMIT_EXCEEDED')
  const prefix = readPrefix(where)
  const place = placeOf(target, ['keys', prefix])
  const from = after == null ? null : open(deps, place, after)
  await live(context)
  const found = await deps.pool.query(context.tenantUid, sql.LIST, [
    target.space,
    prefix,
    rangeEnd(prefix) ?? null,
    from,
    String(rows + 1),
  ])
  await live(context)
  const values = found.map(row => sql.readRow(row))
  const page = values.slice(0, rows)
  const last = page.at(-1)
  return { rows: page, cursor: values.length > rows && last ? seal(deps, place, last.key) : undefined }
}

function readPrefix(where: unknown): string {
  if (where == null) return ''
  const conditions = list(where, 'where')
  if (conditions.length === 0) return ''
  const [first] = conditions
  const { property, condition, values } = record(first, 'where')
  if (conditions.length > 1) throw new StorageError('QUERY_WHERE_INVALID', 'a query has one condition')
  if (property !== 'key') throw new StorageError('QUERY_WHERE_FIELD_INVALID', 'a query asks for keys alone')
  const [prefix] = list(values, 'values of where')
  if (condition !== 'BEGINS_WITH' || typeof prefix !== 'string')
    throw new StorageError('QUERY_WHERE_INVALID', 'a query asks for the beginning of keys')
  return prefix
}

export async function queryEntities(
  context: Target['context'],
  entity: EntityDefinition,
  given: Given,
  deps: StorageDeps,
): Promise<Page> {
  const target = entityTarget(context, entity)
  const wish = readEntityQuery(entity, given, deps.limits)
  const place = placeOf(target, [
    wish.index.name,
    wish.partition,
    wish.low,
    wish.high,
    wish.isDown,
    given.filters ?? null,
  ])
  const from = given.cursor == null ? undefined : (JSON.parse(open(deps, place, given.cursor)) as [string, string])
  const scanner = wish.index.name === BY_KEY ? scanKeys : scanIndex
  const page: { range: string; value: sql.StoredValue }[] = []
  let position = from
  let scanned = 0
  let isEnd = false
  while (page.length <= wish.rows && !isEnd && scanned < MAX_SCANNED) {
    const want = Math.min(MAX_SCANNED, wish.filters === undefined ? wish.rows + 1 : Math.max(100, wish.rows + 1))
    await live(context)
    const found = await scanner(target, wish, position, want, deps)
    await live(context)
    isEnd = found.length < want
    for (const one of found) {
      scanned += 1
      if (page.length > wish.rows) break
      position = [one.range, one.value.key]
      if (allHold(wish.filters, JSON.parse(one.value.text) as Record<string, JsonValue>)) page.push(one)
    }
  }
  const rows = page.slice(0, wish.rows)
  const last = rows.at(-1)
  // A full page goes on after its last row; one that was cut short by the scan goes on where the scan ended.
  const next = page.length > wish.rows && last ? [last.range, last.value.key] : isEnd ? undefined : position
  return {
    rows: rows.map(({ value }) => value),
    cursor: next === undefined ? undefined : seal(deps, place, JSON.stringify(next)),
  }
}

interface EntityQuery {
  readonly index: EntityIndex
  readonly partition: string
  /** Bounds of the range's text: from `low` on, below `high`. */
  readonly low: string
  readonly high: string
  readonly isDown: boolean
  readonly rows: number
  readonly filters: ConditionGroup | undefined
}

function readEntityQuery(entity: EntityDefinition, given: Given, limits: StorageLimits): EntityQuery {
  const index = findIndex(entity, given.indexName)
  const partition = readPartition(entity, index, given.partition)
  if (given.sort != null && given.sort !== 'ASC' && given.sort !== 'DESC')
    throw new StorageError('INVALID_REQUEST', 'sort is ASC or DESC')
  return {
    index,
    partition,
    ...readRange(index, given.range, entity),
    isDown: given.sort === 'DESC',
    rows: readLimit(given.limit, limits, 'COMPLEX_QUERY_PAGE_LIMIT_NOT_IN_RANGE'),
    filters: readConditions(given.filters, limits.conditions),
  }
}

function findIndex(entity: EntityDefinition, name: unknown): EntityIndex {
  if (name === BY_KEY) return { name: BY_KEY, partition: [], range: ['key'] }
  const found = entity.indexes.find(index => index.name === name)
  if (found !== undefined) return found
  throw new StorageError('INVALID_ENTITY_INDEX', `entity ${entity.name} has no index ${JSON.stringify(name)}`)
}

function readPartition(entity: EntityDefinition, index: EntityIndex, given: unknown): string {
  const values = given == null ? [] : list(given, 'partition')
  if (values.length !== index.partition.length)
    throw new StorageError(
      'INVALID_FILTER_VALUES',
      `index ${index.name} is parted by ${index.partition.length} attributes`,
    )
  for (const [at, name] of index.partition.entries()) {
    if (!isOfType(values[at], entity.attributes[name] ?? 'any'))
      throw new StorageError('INVALID_FILTER_VALUES', `attribute ${name} of the partition has another type`)
  }
  return partitionText(values as readonly JsonValue[]) ?? ''
}

/** Above every text of its kind: the next letter. */
const above = (kind: string): string => String.fromCharCode(kind.charCodeAt(0) + 1)

function readRange(
  index: EntityIndex,
  given: unknown,
  entity: EntityDefinition,
): { readonly low: string; readonly high: string } {
  if (given == null) return { low: '', high: '~' }
  const { condition, values } = record(given, 'range')
  const type = index.name === BY_KEY ? 'string' : (entity.attributes[index.range[0]] ?? 'any')
  const texts = list(values, 'values of range').map(value => {
    const text = isOfType(value, type) ? orderedText(value as JsonValue) : undefined
    if (text === undefined)
      throw new StorageError('INVALID_FILTER_VALUES', `range values of index ${index.name} are of type ${type}`)
    return text
  })
  const [first, second] = texts
  const wanted = condition === 'BETWEEN' ? 2 : 1
  if (first === undefined || texts.length !== wanted)
    throw new StorageError(
      'INVALID_FILTER_VALUES',
      `${String(condition)} takes ${wanted} value${wanted > 1 ? 's' : ''}`,
    )
  const kind = kindOf(first)
  // No text has U+0001 where another ends, since it is the smallest: `a\u0001` is the first after `a`.
  switch (condition) {
    case 'EQUAL_TO':
      return { low: first, high: `${first}\u0001` }
    case 'BEGINS_WITH':
      if (kind !== 's') break
      return { low: first, high: rangeEnd(first) ?? above(kind) }
    case 'BETWEEN':
      return { low: first, high: `${second ?? ''}\u0001` }
    case 'GREATER_THAN':
      return { low: `${first}\u0001`, high: above(kind) }
    case 'GREATER_THAN_EQUAL_TO':
      return { low: first, high: above(kind) }
    case 'LESS_THAN':
      return { low: kind, high: first }
    case 'LESS_THAN_EQUAL_TO':
      return { low: kind, high: `${first}\u0001` }
  }
  throw new StorageError('INVALID_FILTER_CONDITION', `a range takes no condition ${JSON.stringify(condition)}`)
}

type Scanner = (
  target: Target,
  wish: EntityQuery,
  position: readonly [string, string] | undefined,
  rows: number,
  deps: StorageDeps,
) => Promise<{ range: string; value: sql.StoredValue }[]>

const scanIndex: Scanner = async ({ context, space }, wish, position, rows, { pool }) => {
  const [range, key] = position ?? [null, null]
  const values = [space, wish.index.name, wish.partition, wish.low, wish.high, range, key, String(rows)]
  const found = await pool.query(context.tenantUid, wish.isDown ? sql.SCAN_DOWN : sql.SCAN, values)
  return found.map(row => ({ range: row[0] ?? '', value: sql.readRow(row, 1) }))
}

/** Over the keys themselves; their order is that of the primary key. Bounds are texts of kind `s`. */
const scanKeys: Scanner = async ({ context, space }, wish, position, rows, { pool }) => {
  const low = wish.low.startsWith('s') ? wish.low.slice(1) : ''
  const high = wish.high.startsWith('s') ? wish.high.slice(1) : null
  const statement = wish.isDown ? sql.LIST_DOWN : sql.LIST
  const values = [space, low, high, position?.[1] ?? null, String(rows)]
  const found = await pool.query(context.tenantUid, statement, values)
  return found.map(row => ({ range: '', value: sql.readRow(row) }))
}

function readLimit(
  limit: unknown,
  limits: StorageLimits,
  code: 'LIST_QUERY_LIMIT_EXCEEDED' | 'COMPLEX_QUERY_PAGE_LIMIT_NOT_IN_RANGE',
): number {
  if (limit == null) return limits.defaultPageRows
  if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > limits.pageRows)
    throw new StorageError(code, `a page has 1 to ${limits.pageRows} rows`)
  return limit as number
}

const placeOf = ({ context, space }: Target, query: readonly unknown[]) => ({
  tenant: context.tenantUid,
  space: 'forge',
  scope: space,
  prefix: JSON.stringify(query),
})

const seal = ({ cursorKey }: StorageDeps, place: ReturnType<typeof placeOf>, text: string): string =>
  sealCursor(cursorKey, place, text)

function open({ cursorKey }: StorageDeps, place: ReturnType<typeof placeOf>, cursor: unknown): string {
  try {
    return openCursor(cursorKey, place, cursor, CURSOR_BYTES)
  } catch (error) {
    if (!isPartywallError(error, 'ERR_CURSOR_INVALID')) throw error
    throw new StorageError('INVALID_CURSOR', 'the cursor is not one of this query')
  }
}
