/**
 * `tenantStore`: one tenant's keys and values, over the rows of a `KvPort`.
 *
 * Here live the checks of the context before each statement and after each read, and the way between rows and values; rules
 * of names, values, cursors and pages have files of their own. The wall itself is the database's. Nothing here takes a
 * tenant from anywhere but the context.
 */

import { maybeContext, type TenantContext } from './context.ts'
import { openCursor, sealCursor } from './cursor.ts'
import { PartywallError } from './errors.ts'
import type { Clock, KvPort } from './ports.ts'
import { checkKey, checkPrefix, decodePath, encodePath, nestedName } from './scope-encoding.ts'
import type { TenantStore } from './store.ts'
import { readAll, readPage, type StoredRow } from './store-pages.ts'
import { coalesceReads, type ReadKey } from './store-reads.ts'
import { createTurns, type Turns } from './store-turns.ts'
import { type Change, updateEntry } from './store-update.ts'
import {
  checkKeyCount,
  checkLimit,
  checkSetOptions,
  checkTtl,
  checkVersion,
  decodeValue,
  encodeValue,
} from './store-values.ts'
import type { JsonValue } from './tenant.ts'

/** Families of rows that never see each other; `store` is what app authors call `tenantStore`. */
export type StoreSpace = 'store' | 'kvs' | 'kvs-secret' | 'webhook' | 'internal'

export interface TenantStoreOptions {
  readonly context: TenantContext
  readonly kv: KvPort
  readonly space: StoreSpace
  /** At least 32 secret bytes, the same in every process of the app; cursors are keyed by it, per tenant. */
  readonly cursorKey: Buffer
  readonly clock: Clock
}

const MIN_CURSOR_KEY_BYTES = 32

/** What belongs to a port and not to a context: stores of many requests coalesce and take turns together. */
interface Shared {
  readonly read: ReadKey
  readonly turns: Turns
}
const sharedByPort = new WeakMap<KvPort, Shared>()

/**
 * The store of the context's tenant in one space; `narrow` leads to the scopes below it.
 *
 * @throws TypeError without a context or with a short cursor key
 * @example const store = createTenantStore({ context, kv, space: 'store', cursorKey, clock })
 */
export function createTenantStore(options: TenantStoreOptions): TenantStore {
  if (options.context === undefined || options.context === null) throw new TypeError('a store needs a tenant context')
  if (options.cursorKey.length < MIN_CURSOR_KEY_BYTES) throw new TypeError('a cursor key has at least 32 bytes')
  return createScopedStore(options, sharedOf(options.kv), [])
}

function createScopedStore(options: TenantStoreOptions, shared: Shared, parts: readonly string[]): TenantStore {
  const { context, kv, space, cursorKey, clock } = options
  const tenant = context.tenantUid
  const scope = encodePath(parts)
  const { check, read, write } = createGuards(context)

  const set = (key: string, text: string, rules: { ttlSeconds?: number; ifVersion?: number }) =>
    write(() => kv.set(tenant, space, scope, key, text, rules))
  const remove = (key: string, rules: { ifVersion?: number }) => write(() => kv.del(tenant, space, scope, key, rules))
  const entry = (key: string) => read(() => shared.read(tenant, space, scope, key))

  return {
    async get(key) {
      checkKey(key)
      const found = await entry(key)
      return found === undefined ? undefined : decodeValue(found.value)
    },

    async getMany(keys) {
      checkKeyCount(keys)
      for (const key of keys) checkKey(key)
      const found = await read(async () => (keys.length === 0 ? new Map() : kv.getMany(tenant, space, scope, keys)))
      const values = new Map<string, JsonValue>()
      for (const [key, { value }] of found) values.set(key, decodeValue(value))
      return values
    },

    async entry(key) {
      checkKey(key)
      const found = await entry(key)
      return found === undefined ? undefined : { value: decodeValue(found.value), version: found.version }
    },

    async set(key, value, setOptions) {
      checkKey(key)
      return set(key, encodeValue(value), checkSetOptions(setOptions))
    },

    async del(key, { ifVersion } = {}) {
      checkKey(key)
      return remove(key, ifVersion === undefined ? {} : { ifVersion: checkVersion(ifVersion) })
    },

    async update<T extends JsonValue>(
      key: string,
      change: (value: T | undefined) => T | undefined | Promise<T | undefined>,
      { ttlSeconds }: { readonly ttlSeconds?: number } = {},
    ) {
      checkKey(key)
      const rules = ttlSeconds === undefined ? {} : { ttlSeconds: checkTtl(ttlSeconds) }
      const cell = {
        read: () => entry(key),
        write: (text: string, ifVersion: number) => set(key, text, { ...rules, ifVersion }),
        remove: (ifVersion: number) => remove(key, { ifVersion }),
      }
      const turn = JSON.stringify([tenant, space, scope, key])
      const stored = await shared.turns.run(turn, () => updateEntry(cell, change as Change, clock))
      return stored as T | undefined
    },

    async list({ prefix = '', limit, cursor } = {}) {
      checkPrefix(prefix)
      const most = checkLimit(limit)
      const place = { tenant, space, scope, prefix }
      const after = cursor === undefined ? {} : { afterKey: openCursor(cursorKey, place, cursor) }
      const page = await read(() => readPage(kv, { ...place, ...after }, most, check))
      const last = page.more ? page.rows.at(-1) : undefined
      return {
        items: toRecord(page.rows, row => row.key),
        ...(last === undefined ? {} : { cursor: sealCursor(cursorKey, place, last.key) }),
      }
    },

    async all({ nested = false } = {}) {
      const rows = await read(() => readAll(kv, { tenant, space, scope, below: nested }, check))
      return toRecord(
        rows,
        nested ? row => nestedName([...decodePath(row.scope.slice(scope.length)), row.key]) : row => row.key,
      )
    },

    narrow: part => createScopedStore(options, shared, [...parts, part]),

    clear: () => write(() => kv.clear(tenant, space, scope)),
  }
}

/** The checks of the context around statements. They give a promise only when the registry has to be asked. */
function createGuards(context: TenantContext) {
  const check = (): void | Promise<void> => {
    const current = maybeContext()
    if (current !== undefined && current.tenantUid !== context.tenantUid) {
      throw new PartywallError('ERR_TENANT_CONTEXT_FOREIGN', { message: 'a store of another tenant was used here' })
    }
    return context.ensureLive()
  }
  return {
    check,
    /** Live before the statement, and still live when its answer is handed out. */
    async read<T>(statement: () => Promise<T>): Promise<T> {
      const before = check()
      if (before !== undefined) await before
      const answer = await statement()
      const after = check()
      if (after !== undefined) await after
      return answer
    },
    async write<T>(statement: () => Promise<T>): Promise<T> {
      if (context.mode === 'read-only') throw new PartywallError('ERR_TENANT_READ_ONLY')
      const before = check()
      if (before !== undefined) await before
      return statement()
    },
  }
}

function sharedOf(kv: KvPort): Shared {
  let shared = sharedByPort.get(kv)
  if (shared === undefined) {
    shared = { read: coalesceReads(kv), turns: createTurns() }
    sharedByPort.set(kv, shared)
  }
  return shared
}

/** Values by name in an object without prototype. */
function toRecord(rows: readonly StoredRow[], nameOf: (row: StoredRow) => string): Record<string, JsonValue> {
  const record: Record<string, JsonValue> = Object.create(null)
  for (const row of rows) record[nameOf(row)] = decodeValue(row.value)
  return record
}
