/** Where values lie: plain ones, secrets, and each entity's own. Writing of values and of the index rows that belong to them. */

import type { JsonValue } from '../../core/tenant.ts'
import type { Parameter, Statement } from '../../postgres/database.ts'
import { textArray } from '../../postgres/parameters.ts'
import type { EntityDefinition } from '../manifest/types.ts'
import type { StorageLimits } from './limits.ts'
import { orderedText, partitionText } from './order.ts'
import * as sql from './rows.ts'
import { StorageError } from './storage-error.ts'

export const KVS = 'kvs'
export const SECRET = 'secret'
export const entitySpace = (name: string): string => `entity:${name}`

export type Call = readonly [Statement, readonly Parameter[]]

/** Index rows of a value, as they are to be now; those of before go first. */
export function indexCalls(
  entity: EntityDefinition,
  key: string,
  value: Readonly<Record<string, JsonValue>>,
  limits: StorageLimits,
): Call[] {
  const space = entitySpace(entity.name)
  const rows = entity.indexes.flatMap(({ name, partition, range: [attribute] }) => {
    const parts = partition.map(one => memberOf(value, one))
    const partitionKey = partitionText(parts)
    const range = orderedText(memberOf(value, attribute))
    // What lacks an attribute of an index is not in it.
    if (partitionKey === undefined || range === undefined) return []
    checkSizes(attribute, range, parts, limits)
    return [{ name, partition: partitionKey, range }]
  })
  const unindex: Call = [sql.UNINDEX, [space, key]]
  if (rows.length === 0) return [unindex]
  const column = (pick: (row: (typeof rows)[number]) => string) => textArray(rows.map(pick))
  const values = [space, key, column(row => row.name), column(row => row.partition), column(row => row.range)]
  return [unindex, [sql.INDEX, values]]
}

function checkSizes(attribute: string, range: string, parts: readonly unknown[], limits: StorageLimits): void {
  if (Buffer.byteLength(range) - 1 > limits.rangeBytes)
    throw new StorageError(
      'INVALID_ENTITY_VALUE',
      `attribute ${attribute} is in the range of an index: at most ${limits.rangeBytes} bytes`,
    )
  if (Buffer.byteLength(JSON.stringify(parts)) > limits.partitionBytes)
    throw new StorageError(
      'INVALID_ENTITY_VALUE',
      `the partition of an index is at most ${limits.partitionBytes} bytes`,
    )
}

const memberOf = (value: Readonly<Record<string, JsonValue>>, name: string): JsonValue | undefined =>
  Object.hasOwn(value, name) ? value[name] : undefined
