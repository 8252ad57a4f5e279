/** What a request to storage may say: keys, values, times to live, entities. Pure; what is refused is a `StorageError`. */

import type { JsonValue } from '../../core/tenant.ts'
import type { EntityDefinition } from '../manifest/types.ts'
import type { StorageLimits } from './limits.ts'
import { StorageError } from './storage-error.ts'

export interface Given {
  readonly [name: string]: unknown
}

const KEY = /^(?!\s+$)[a-zA-Z0-9:._\s\-#]+$/
const INTEGER_MAX = 2 ** 31 - 1
const SECONDS: ReadonlyMap<unknown, number> = new Map([
  ['SECONDS', 1],
  ['MINUTES', 60],
  ['HOURS', 3600],
  ['DAYS', 86_400],
])

export function record(value: unknown, what = 'the request'): Given {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Given
  throw new StorageError('INVALID_REQUEST', `${what} must be an object`)
}

export function list(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new StorageError('INVALID_REQUEST', `${what} must be a list`)
}

export function checkKey(key: unknown, limits: StorageLimits): string {
  if (typeof key !== 'string') throw new StorageError('INVALID_KEY', 'a key must be a string')
  if (key === '') throw new StorageError('EMPTY_KEY', 'a key must not be empty')
  if (key.length > limits.keyCharacters)
    throw new StorageError('KEY_TOO_LONG', `a key has at most ${limits.keyCharacters} characters`)
  if (!KEY.test(key)) throw new StorageError('INVALID_KEY', 'a key is made of letters, digits, blanks and : . _ - #')
  return key
}

/** @returns its JSON text, stored as it is */
export function checkValue(value: unknown, limits: StorageLimits): string {
  if (value === undefined) throw new StorageError('INVALID_REQUEST', 'a value is missing')
  if (depthOf(value, limits.depth) > limits.depth)
    throw new StorageError('MAX_DEPTH', `a value is nested at most ${limits.depth} deep`)
  const text = JSON.stringify(value)
  if (Buffer.byteLength(text) > limits.valueBytes)
    throw new StorageError('MAX_SIZE', `a value has at most ${limits.valueBytes / 1024} KiB`)
  return text
}

/** Levels of objects and lists; not counted beyond one more than `most`. */
function depthOf(value: unknown, most: number): number {
  let level: unknown[] = [value]
  for (let depth = 0; ; depth += 1) {
    const next = level.flatMap(one => (typeof one === 'object' && one !== null ? [one] : []))
    if (next.length === 0 || depth > most) return depth
    level = next.flatMap(one => Object.values(one))
  }
}

/** @returns whole seconds, `undefined` for a value that stays */
export function checkTtl(ttl: unknown, limits: StorageLimits): number | undefined {
  if (ttl === undefined || ttl === null) return undefined
  const { unit, value } = record(ttl, 'ttl')
  const factor = SECONDS.get(unit)
  if (factor === undefined || !Number.isSafeInteger(value) || (value as number) < 1)
    throw new StorageError('INVALID_TTL', 'a ttl is a whole number of SECONDS, MINUTES, HOURS or DAYS')
  const seconds = (value as number) * factor
  if (seconds > limits.ttlSeconds) throw new StorageError('INVALID_TTL', 'a ttl is at most one year')
  return seconds
}

export function findEntity(name: unknown, entities: readonly EntityDefinition[]): EntityDefinition {
  const found = entities.find(entity => entity.name === name)
  if (found !== undefined) return found
  throw new StorageError('INVALID_ENTITY_TYPE', `the manifest has no entity ${JSON.stringify(name)}`)
}

/** @throws StorageError INVALID_ENTITY_VALUE, INVALID_ENTITY_ATTRIBUTE */
export function checkEntityValue(
  value: unknown,
  entity: EntityDefinition,
): asserts value is Readonly<Record<string, JsonValue>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new StorageError('INVALID_ENTITY_VALUE', 'the value of an entity is an object')
  for (const [name, member] of Object.entries(value)) {
    const type = Object.hasOwn(entity.attributes, name) ? entity.attributes[name] : undefined
    if (type === undefined)
      throw new StorageError(
        'INVALID_ENTITY_ATTRIBUTE',
        `entity ${entity.name} has no attribute ${JSON.stringify(name)}`,
      )
    if (!isOfType(member, type))
      throw new StorageError(
        'INVALID_ENTITY_VALUE',
        `attribute ${name} of entity ${entity.name} must be of type ${type}`,
      )
  }
}

export function isOfType(value: unknown, type: EntityDefinition['attributes'][string]): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string'
    case 'boolean':
      return typeof value === 'boolean'
    case 'integer':
      return Number.isInteger(value) && Math.abs(value as number) <= INTEGER_MAX + ((value as number) < 0 ? 1 : 0)
    case 'float':
      return typeof value === 'number' && (value === 0 || (Math.abs(value) >= 1e-130 && Math.abs(value) < 1e126))
    case 'any':
      return true
  }
}
