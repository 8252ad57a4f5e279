/** Several keys at once: batches, where each key succeeds or fails by itself, and transactions, where all do or none. */

import type { TenantContext } from '../../core/context.ts'
import type { JsonValue } from '../../core/tenant.ts'
import type { EntityDefinition } from '../manifest/types.ts'
import { checkKey, findEntity, type Given, list, record } from './check.ts'
import { allHold, readConditions } from './conditions.ts'
import * as sql from './rows.ts'
import { StorageError } from './storage-error.ts'
import {
  deleteCalls,
  deleteValue,
  entityTarget,
  getValue,
  live,
  lockKey,
  plainTarget,
  readWish,
  runAll,
  type SetWish,
  type StorageDeps,
  setValue,
  type Target,
  writeCalls,
} from './values.ts'

export interface BatchResult {
  readonly successfulKeys: readonly Given[]
  readonly failedKeys: readonly Given[]
}
type Kind = 'get' | 'set' | 'delete'

/** @throws StorageError the whole batch is refused: empty, too large, a key twice */
export async function runBatch(
  kind: Kind,
  given: unknown,
  context: TenantContext,
  entities: readonly EntityDefinition[],
  deps: StorageDeps,
): Promise<BatchResult> {
  const items = list(given, 'a batch').map(item => record(item, 'an item of a batch'))
  const names = items.map(nameOf)
  if (items.length === 0) throw new StorageError('INVALID_BATCH_REQUEST', 'a batch has at least one key')
  deps.nearLimits.note(context.identity.externalId, 'batchKeys', items.length, deps.limits.batchKeys)
  if (items.length > deps.limits.batchKeys)
    throw new StorageError('INVALID_BATCH_REQUEST', `a batch has at most ${deps.limits.batchKeys} keys`)
  if (new Set(names).size !== names.length) throw new StorageError('INVALID_BATCH_REQUEST', 'a batch has each key once')
  checkSize(given, context, deps, 'INVALID_BATCH_REQUEST')
  const successfulKeys: Given[] = []
  const failedKeys: Given[] = []
  for (const item of items) {
    const { key, entityName } = item
    const named = { key, ...(entityName === undefined ? {} : { entityName }) }
    try {
      successfulKeys.push({ ...named, ...(await runItem(kind, item, targetOf(item, context, entities), deps)) })
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      failedKeys.push({ ...named, error: { code: error.code, message: error.message } })
    }
  }
  return { successfulKeys, failedKeys }
}

async function runItem(kind: Kind, item: Given, target: Target, deps: StorageDeps): Promise<Given> {
  const key = checkKey(item.key, deps.limits)
  if (kind === 'delete') {
    await deleteValue(target, key, deps)
    return {}
  }
  if (kind === 'set') {
    await setValue(target, readWish(item, target, deps.limits), deps)
    return {}
  }
  const value = await getValue(target, key, deps)
  if (value === undefined) throw new StorageError('KEY_NOT_FOUND', `there is no value for the key ${key}`)
  return {
    value: JSON.parse(value.text) as JsonValue,
    createdAt: value.createdAt,
    updatedAt: value.updatedAt,
    ...(value.expiresAt === undefined ? {} : { expireTime: new Date(value.expiresAt).toISOString() }),
  }
}

/** One step of a transaction. */
interface Step {
  readonly kind: 'set' | 'delete' | 'check'
  readonly key: string
  readonly target: Target
  readonly wish: SetWish | undefined
  readonly conditions: ReturnType<typeof readConditions>
}

/** @throws StorageError INVALID_TRANSACTION_REQUEST, CONDITIONAL_CHECK_FAILED; nothing was written then */
export async function runTransaction(
  given: unknown,
  context: TenantContext,
  entities: readonly EntityDefinition[],
  deps: StorageDeps,
): Promise<void> {
  const steps = readSteps(record(given), context, entities, deps)
  checkSize(given, context, deps, 'INVALID_TRANSACTION_REQUEST')
  const writes = await Promise.all(
    steps.map(async step => (step.wish === undefined ? undefined : writeCalls(step.target, step.wish, deps))),
  )
  // In one order for all: two transactions on the same keys take turns, and never wait for each other in a circle.
  const ordered = [...steps].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
  await live(context)
  await deps.pool.transaction(context.tenantUid, async transaction => {
    for (const { target, key } of ordered) await lockKey(transaction, target.space, key)
    for (const { target, key, conditions } of ordered) {
      if (conditions === undefined) continue
      const [row] = await transaction.query(sql.GET_LOCKED, [target.space, key])
      const value = row === undefined ? {} : (JSON.parse(sql.readRow(row).text) as Record<string, JsonValue>)
      if (!allHold(conditions, value))
        throw new StorageError('CONDITIONAL_CHECK_FAILED', `the conditions on key ${key} do not hold`)
    }
    for (const [index, step] of steps.entries()) {
      if (step.kind === 'delete') await runAll(transaction, deleteCalls(step.target, step.key))
      await runAll(transaction, writes[index] ?? [])
    }
  })
}

function readSteps(
  given: Given,
  context: TenantContext,
  entities: readonly EntityDefinition[],
  deps: StorageDeps,
): readonly Step[] {
  const steps = (['set', 'delete', 'check'] as const).flatMap(kind =>
    (given[kind] === undefined ? [] : list(given[kind], kind)).map((item): Step => {
      const one = record(item, `an item of ${kind}`)
      const target = targetOf(one, context, entities)
      const conditions = readConditions(one.conditions, deps.limits.conditions)
      if (kind === 'check' && (target.entity === undefined || conditions === undefined))
        throw new StorageError('INVALID_TRANSACTION_REQUEST', 'a check names an entity and conditions')
      const wish = kind === 'set' ? readWish(one, target, deps.limits) : undefined
      return { kind, key: checkKey(one.key, deps.limits), target, wish, conditions }
    }),
  )
  const { transactionOperations } = deps.limits
  deps.nearLimits.note(context.identity.externalId, 'transactionOperations', steps.length, transactionOperations)
  if (steps.length === 0 || steps.length > transactionOperations)
    throw new StorageError('INVALID_TRANSACTION_REQUEST', `a transaction has 1 to ${transactionOperations} operations`)
  if (new Set(steps.map(nameOf)).size !== steps.length)
    throw new StorageError('INVALID_TRANSACTION_REQUEST', 'a transaction has each key once')
  return steps
}

const targetOf = ({ entityName }: Given, context: TenantContext, entities: readonly EntityDefinition[]): Target =>
  entityName == null ? plainTarget(context) : entityTarget(context, findEntity(entityName, entities))

/** Injective: keys and names of entities have no line feed at their ends, and spaces are told from keys by the first one. */
const nameOf = (one: Given | Step): string =>
  'target' in one
    ? `${(one as Step).target.space}\n${(one as Step).key}`
    : `${one.entityName == null ? '' : String(one.entityName)}\n${String(one.key)}`

function checkSize(
  given: unknown,
  { identity }: TenantContext,
  { limits, nearLimits }: StorageDeps,
  code: 'INVALID_BATCH_REQUEST' | 'INVALID_TRANSACTION_REQUEST',
) {
  const bytes = Buffer.byteLength(JSON.stringify(given))
  nearLimits.note(identity.externalId, 'groupBytes', bytes, limits.groupBytes)
  if (bytes > limits.groupBytes)
    throw new StorageError(code, `all values together have at most ${limits.groupBytes / 1024 / 1024} MiB`)
}
