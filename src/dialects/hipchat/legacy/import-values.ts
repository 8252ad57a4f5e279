/** One old value on its way into `tenantStore`: its name here, what may be stored, and what is there already. */

import { isDeepStrictEqual } from 'node:util'
import { type ErrorCode, isPartywallError, PartywallError } from '../../../core/errors.ts'
import { checkKey, encodePath } from '../../../core/scope-encoding.ts'
import type { TenantStore } from '../../../core/store.ts'
import { encodeValue, MAX_TTL_SECONDS } from '../../../core/store-values.ts'
import type { JsonValue } from '../../../core/tenant.ts'
import type { OldValue } from './old-store.ts'

/** Where a value goes: a key of `tenantStore`, or of a store narrowed by `scopes`, outermost first. */
export type NewPlace = string | { readonly scopes: readonly string[]; readonly key: string }

/**
 * What an old key below `data:` is called here; `undefined` leaves the value behind. The old layout does not say where a scope
 * ends: `a:b` may be the key `a:b`, or the key `b` of `narrow('a')`. The add-on's author knows.
 */
export type KeyMapping = (key: string, tenant: string) => NewPlace | undefined

export interface ValueRules {
  readonly place: NewPlace
  /** Writes over what is there. */
  readonly overwrite: boolean
}

/** Codes that are about the value alone; anything else ends the import. */
const ABOUT_THE_VALUE: readonly ErrorCode[] = [
  'ERR_KEY_INVALID',
  'ERR_SCOPE_INVALID',
  'ERR_VALUE_INVALID',
  'ERR_VALUE_TOO_LARGE',
]

/** The code of an error that one value caused. @throws the error, when it is another one */
export function codeOfValue(error: unknown): ErrorCode {
  if (isPartywallError(error) && ABOUT_THE_VALUE.includes(error.code)) return error.code
  throw error
}

/** True for trouble with our own store: it ends the import, which can go on later. */
export const isAboutTheStore = ({ code }: PartywallError): boolean => code.startsWith('ERR_STORE_')

/**
 * The value, if it could be stored under this name.
 * @throws PartywallError ERR_KEY_INVALID, ERR_SCOPE_INVALID, ERR_VALUE_INVALID, ERR_VALUE_TOO_LARGE
 */
export function checkValue(place: NewPlace, old: OldValue): JsonValue {
  if ('code' in old) throw new PartywallError(old.code)
  const { scopes, key } = partsOf(place)
  checkKey(key)
  encodePath(scopes)
  const value = parse(old.text)
  encodeValue(value)
  return value
}

/**
 * Writes a value that is not there yet, with the time it has left.
 * @throws as `checkValue`, and what the store throws
 */
export async function writeValue(store: TenantStore, old: OldValue, rules: ValueRules): Promise<'stored' | 'kept'> {
  const value = checkValue(rules.place, old)
  const { scopes, key } = partsOf(rules.place)
  const target = scopes.reduce((outer, scope) => outer.narrow(scope), store)
  const ttl = ttlOf(old)
  if (rules.overwrite) {
    const present = await target.entry(key)
    if (present !== undefined && isDeepStrictEqual(present.value, value)) return 'kept'
    await target.set(key, value, ttl)
    return 'stored'
  }
  try {
    await target.set(key, value, { ...ttl, ifVersion: 0 })
    return 'stored'
  } catch (error) {
    if (isPartywallError(error, 'ERR_VERSION_CONFLICT')) return 'kept'
    throw error
  }
}

const partsOf = (place: NewPlace) => (typeof place === 'string' ? { scopes: [], key: place } : place)

function ttlOf(old: OldValue): { ttlSeconds?: number } {
  if (!('ttlMs' in old) || old.ttlMs === undefined) return {}
  return { ttlSeconds: Math.min(Math.max(Math.ceil(old.ttlMs / 1000), 1), MAX_TTL_SECONDS) }
}

function parse(text: string): JsonValue {
  try {
    return JSON.parse(text)
  } catch {
    // What the parser says would quote the value.
    throw new PartywallError('ERR_VALUE_INVALID')
  }
}
