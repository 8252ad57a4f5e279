/** Conditions on the attributes of entities: filters of queries, and what a transaction demands (Forge protocol s. 7.1). */

import type { JsonValue } from '../../core/tenant.ts'
import { list, record } from './check.ts'
import { StorageError } from './storage-error.ts'

export interface Condition {
  readonly property: string
  readonly condition: string
  readonly values: readonly JsonValue[]
}
export interface ConditionGroup {
  readonly joins: 'and' | 'or'
  readonly conditions: readonly Condition[]
}

type Test = (value: JsonValue | undefined, values: readonly JsonValue[]) => boolean

const compares =
  (test: (order: number) => boolean): Test =>
  (value, [other]) => {
    const order = compare(value, other)
    return order !== undefined && test(order)
  }

const TESTS: ReadonlyMap<string, { readonly values: number; readonly test: Test }> = new Map([
  ['EQUAL_TO', { values: 1, test: (value, [other]) => isSame(value, other) }],
  ['NOT_EQUAL_TO', { values: 1, test: (value, [other]) => !isSame(value, other) }],
  ['GREATER_THAN', { values: 1, test: compares(order => order > 0) }],
  ['GREATER_THAN_EQUAL_TO', { values: 1, test: compares(order => order >= 0) }],
  ['LESS_THAN', { values: 1, test: compares(order => order < 0) }],
  ['LESS_THAN_EQUAL_TO', { values: 1, test: compares(order => order <= 0) }],
  [
    'BETWEEN',
    {
      values: 2,
      test: (value, [low, high]) => (compare(value, low) ?? -1) >= 0 && (compare(value, high) ?? 1) <= 0,
    },
  ],
  ['BEGINS_WITH', { values: 1, test: (value, [start]) => isText(value) && isText(start) && value.startsWith(start) }],
  ['CONTAINS', { values: 1, test: contains }],
  ['NOT_CONTAINS', { values: 1, test: (value, values) => !contains(value, values) }],
  ['EXISTS', { values: 1, test: value => value !== undefined && value !== null }],
  ['NOT_EXISTS', { values: 1, test: value => value === undefined || value === null }],
])

/** @throws StorageError INVALID_FILTER_CONDITION, INVALID_FILTER_VALUES */
export function readCondition(given: unknown): Condition {
  const { property, condition, values } = record(given, 'a condition')
  if (typeof property !== 'string') throw new StorageError('INVALID_FILTER_CONDITION', 'a condition names a property')
  const known = typeof condition === 'string' ? TESTS.get(condition) : undefined
  if (known === undefined)
    throw new StorageError('INVALID_FILTER_CONDITION', `there is no condition ${JSON.stringify(condition)}`)
  const found = list(values, 'values of a condition')
  if (found.length !== known.values)
    throw new StorageError(
      'INVALID_FILTER_VALUES',
      `${condition} takes ${known.values} value${known.values > 1 ? 's' : ''}`,
    )
  return { property, condition: condition as string, values: found as readonly JsonValue[] }
}

/** `{ and: [...] }` or `{ or: [...] }`; `undefined` where nothing is demanded. */
export function readConditions(given: unknown, most: number): ConditionGroup | undefined {
  if (given === undefined || given === null) return undefined
  const { and, or } = record(given, 'filters')
  if (and !== undefined && or !== undefined)
    throw new StorageError('INVALID_FILTER_CONDITION', 'filters are joined by "and" or by "or", not by both')
  const conditions = list(and ?? or ?? [], 'filters').map(readCondition)
  if (conditions.length > most)
    throw new StorageError('INVALID_FILTER_CONDITION', `a query has at most ${most} conditions`)
  return { joins: or === undefined ? 'and' : 'or', conditions }
}

export const holds = (
  { property, condition, values }: Condition,
  entity: Readonly<Record<string, JsonValue>>,
): boolean =>
  TESTS.get(condition)?.test(Object.hasOwn(entity, property) ? entity[property] : undefined, values) ?? false

export function allHold(group: ConditionGroup | undefined, entity: Readonly<Record<string, JsonValue>>): boolean {
  if (group === undefined || group.conditions.length === 0) return true
  return group.joins === 'and'
    ? group.conditions.every(condition => holds(condition, entity))
    : group.conditions.some(condition => holds(condition, entity))
}

/** Of two values of one kind; `undefined` where there is no order between them. */
function compare(value: JsonValue | undefined, other: JsonValue | undefined): number | undefined {
  if (typeof value === 'number' && typeof other === 'number') return value - other
  if (typeof value === 'boolean' && typeof other === 'boolean') return Number(value) - Number(other)
  if (isText(value) && isText(other)) return Buffer.compare(Buffer.from(value), Buffer.from(other))
  return undefined
}

const isSame = (value: JsonValue | undefined, other: JsonValue | undefined): boolean =>
  JSON.stringify(value) === JSON.stringify(other)

function contains(value: JsonValue | undefined, [part]: readonly JsonValue[]): boolean {
  if (isText(value)) return isText(part) && value.includes(part)
  return Array.isArray(value) && value.some((one: JsonValue) => isSame(one, part))
}

const isText = (value: unknown): value is string => typeof value === 'string'
