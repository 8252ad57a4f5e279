/** Single values: get, set, delete, in each of the spaces. One request is one transaction. */

import type { TenantContext } from '../../core/context.ts'
import type { JsonValue } from '../../core/tenant.ts'
import type { BoundPool, BoundTransaction } from '../../postgres/database.ts'
import type { EntityDefinition } from '../manifest/types.ts'
import { checkEntityValue, checkKey, checkTtl, checkValue, type Given, record } from './check.ts'
import type { StorageLimits } from './limits.ts'
import type { NearLimits } from './near-limits.ts'
import * as sql from './rows.ts'
import type { Seal } from './seal.ts'
import { type Call, entitySpace, indexCalls, KVS, SECRET } from './spaces.ts'
import { StorageError } from './storage-error.ts'

export interface StorageDeps {
  readonly pool: BoundPool
  readonly seal: Seal
  readonly limits: StorageLimits
  readonly cursorKey: Buffer
  readonly nearLimits: NearLimits
}
/** Where a request reads and writes, in whose name. */
export interface Target {
  readonly context: TenantContext
  readonly space: string
  readonly entity: EntityDefinition | undefined
}

export const plainTarget = (context: TenantContext): Target => ({ context, space: KVS, entity: undefined })
export const secretTarget = (context: TenantContext): Target => ({ context, space: SECRET, entity: undefined })
export const entityTarget = (context: TenantContext, entity: EntityDefinition): Target => ({
  context,
  space: entitySpace(entity.name),
  entity,
})

export interface SetWish {
  readonly key: string
  readonly text: string
  readonly value: JsonValue
  readonly ttlSeconds: number | undefined
}

/** Key, value and time to live of one write, checked for its target. */
export function readWish({ key, value, options }: Given, target: Target, limits: StorageLimits): SetWish {
  const checked = checkKey(key, limits)
  const text = checkValue(value, limits)
  if (target.entity !== undefined) checkEntityValue(value, target.entity)
  const { ttl } = options === undefined || options === null ? { ttl: undefined } : record(options, 'options')
  return { key: checked, text, value: value as JsonValue, ttlSeconds: checkTtl(ttl, limits) }
}

export async function getValue(target: Target, key: string, deps: StorageDeps): Promise<sql.StoredValue | undefined> {
  await live(target.context)
  const [row] = await deps.pool.query(target.context.tenantUid, sql.GET, [target.space, key])
  await live(target.context)
  return row === undefined ? undefined : opened(target, sql.readRow(row), deps)
}

/** Of a secret its text, of others the row as it is. */
export async function opened(target: Target, value: sql.StoredValue, { seal }: StorageDeps): Promise<sql.StoredValue> {
  if (target.space !== SECRET) return value
  return { ...value, text: await seal.open(target.context.tenantUid, value.key, value.text) }
}

/** Statements of one write; the first gives the row that was written. */
export async function writeCalls(target: Target, wish: SetWish, deps: StorageDeps): Promise<Call[]> {
  const { context, space, entity } = target
  const { limits, nearLimits } = deps
  nearLimits.note(context.identity.externalId, 'valueBytes', Buffer.byteLength(wish.text), limits.valueBytes)
  nearLimits.note(context.identity.externalId, 'keyCharacters', wish.key.length, limits.keyCharacters)
  const text = space === SECRET ? await deps.seal.seal(context.tenantUid, wish.key, wish.text) : wish.text
  const ttl = wish.ttlSeconds === undefined ? null : String(wish.ttlSeconds)
  const index =
    entity === undefined
      ? []
      : indexCalls(entity, wish.key, wish.value as Readonly<Record<string, JsonValue>>, deps.limits)
  return [[sql.SET, [space, wish.key, text, ttl]], ...index]
}

export async function setValue(target: Target, wish: SetWish, deps: StorageDeps): Promise<sql.StoredValue> {
  const calls = await writeCalls(target, wish, deps)
  await live(target.context)
  const [written] = await deps.pool.group(target.context.tenantUid, calls)
  return rowOf(written)
}

/** @throws StorageError KEY_CONFLICT a value is there */
export async function insertValue(target: Target, wish: SetWish, deps: StorageDeps): Promise<sql.StoredValue> {
  const [[, values] = [sql.INSERT, []], ...index] = await writeCalls(target, wish, deps)
  await live(target.context)
  return deps.pool.transaction(target.context.tenantUid, async transaction => {
    const written = await transaction.query(sql.INSERT, values)
    if (written.length === 0) throw new StorageError('KEY_CONFLICT', `there is a value for the key ${wish.key} already`)
    for (const [statement, parameters] of index) await transaction.query(statement, parameters)
    return rowOf(written)
  })
}

/** Writes, and gives what was there before. */
export async function swapValue(
  target: Target,
  wish: SetWish,
  deps: StorageDeps,
): Promise<{ readonly before: sql.StoredValue | undefined; readonly after: sql.StoredValue }> {
  const calls = await writeCalls(target, wish, deps)
  await live(target.context)
  return deps.pool.transaction(target.context.tenantUid, async transaction => {
    await lockKey(transaction, target.space, wish.key)
    const [row] = await transaction.query(sql.GET_LOCKED, [target.space, wish.key])
    const [written] = await runAll(transaction, calls)
    return {
      before: row === undefined ? undefined : await opened(target, sql.readRow(row), deps),
      after: rowOf(written),
    }
  })
}

/** @returns whether there was one */
export async function deleteValue(target: Target, key: string, deps: StorageDeps): Promise<boolean> {
  await live(target.context)
  const [deleted] = await deps.pool.group(target.context.tenantUid, deleteCalls(target, key))
  return deleted?.[0]?.[0] === 't'
}

export const deleteCalls = ({ space, entity }: Target, key: string): Call[] => [
  [sql.DELETE, [space, key]],
  ...(entity === undefined ? [] : [[sql.UNINDEX, [space, key]] as Call]),
]

export const lockKey = (transaction: BoundTransaction, space: string, key: string) =>
  transaction.query(sql.LOCK, [`${space} ${key}`])

export async function runAll(transaction: BoundTransaction, calls: readonly Call[]) {
  const results = []
  for (const [statement, values] of calls) results.push(await transaction.query(statement, values))
  return results
}

export async function live(context: TenantContext): Promise<void> {
  const check = context.ensureLive()
  if (check !== undefined) await check
}

function rowOf(rows: Awaited<ReturnType<BoundTransaction['query']>> | undefined): sql.StoredValue {
  const row = rows?.[0]
  if (row === undefined) throw new TypeError('a write that returned no row')
  return sql.readRow(row)
}
