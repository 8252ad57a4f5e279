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
import type { TenantUid } from './ids.ts'
import type { Clock, KvEntry, KvPort } from './ports.ts'
import { checkKey, checkPrefix, decodePath, encodePath, nestedName } from './scope-encoding.ts'
import type { ListOptions, SetOptions, StoreEntry, StorePage, TenantStore } from './store.ts'
import { readAll, readPage, type StoredRow } from './store-pages.ts'
import { coalesceReads, type ReadKey } from './store-reads.ts'
import { createTurns, type Turns } from './store-turns.ts'
import { type Cell, type Change, updateEntry } from './store-update.ts'
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
  return new ScopedStore(options, sharedOf(options.kv), [])
}

/**
 * One scope of one context. A class, since a store is made for each request and most requests use one method of it:
 * making it must cost nothing.
 */
class ScopedStore implements TenantStore {
  readonly #options: TenantStoreOptions
  readonly #shared: Shared
  readonly #parts: readonly string[]
  readonly #tenant: TenantUid
  readonly #scope: string

  constructor(options: TenantStoreOptions, shared: Shared, parts: readonly string[]) {
    this.#options = options
    this.#shared = shared
    this.#parts = parts
    this.#tenant = options.context.tenantUid
    this.#scope = encodePath(parts)
  }

  get(key: string): Promise<JsonValue | undefined> {
    return this.#read(key).then(toValue)
  }

  async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, JsonValue>> {
    checkKeyCount(keys)
    for (const key of keys) checkKey(key)
    const { kv, space } = this.#options
    const found = await this.#reading(async () =>
      keys.length === 0 ? new Map() : kv.getMany(this.#tenant, space, this.#scope, keys),
    )
    const values = new Map<string, JsonValue>()
    for (const [key, { value }] of found) values.set(key, decodeValue(value))
    return values
  }

  async entry(key: string): Promise<StoreEntry | undefined> {
    const found = await this.#read(key)
    return found === undefined ? undefined : { value: decodeValue(found.value), version: found.version }
  }

  async set(key: string, value: JsonValue, options?: number | SetOptions): Promise<{ readonly version: number }> {
    checkKey(key)
    return this.#write(key, encodeValue(value), checkSetOptions(options))
  }

  async del(key: string, { ifVersion }: { readonly ifVersion?: number } = {}): Promise<boolean> {
    checkKey(key)
    return this.#remove(key, ifVersion === undefined ? {} : { ifVersion: checkVersion(ifVersion) })
  }

  async update<T extends JsonValue>(
    key: string,
    change: (value: T | undefined) => T | undefined | Promise<T | undefined>,
    { ttlSeconds }: { readonly ttlSeconds?: number } = {},
  ): Promise<T | undefined> {
    checkKey(key)
    const rules = ttlSeconds === undefined ? {} : { ttlSeconds: checkTtl(ttlSeconds) }
    const cell: Cell = {
      read: () => this.#read(key),
      write: (text, ifVersion) => this.#write(key, text, { ...rules, ifVersion }),
      remove: ifVersion => this.#remove(key, { ifVersion }),
    }
    const turn = JSON.stringify([this.#tenant, this.#options.space, this.#scope, key])
    const run = () => updateEntry(cell, change as Change, this.#options.clock)
    return (await this.#shared.turns.run(turn, run)) as T | undefined
  }

  async list({ prefix = '', limit, cursor }: ListOptions = {}): Promise<StorePage> {
    checkPrefix(prefix)
    const most = checkLimit(limit)
    const { cursorKey, kv } = this.#options
    const place = { ...this.#place(), prefix }
    const after = cursor === undefined ? {} : { afterKey: openCursor(cursorKey, place, cursor) }
    const page = await this.#reading(() => readPage(kv, { ...place, ...after }, most, () => this.#check()))
    const last = page.more ? page.rows.at(-1) : undefined
    return {
      items: toRecord(page.rows, row => row.key),
      ...(last === undefined ? {} : { cursor: sealCursor(cursorKey, place, last.key) }),
    }
  }

  async all({ nested = false }: { readonly nested?: boolean } = {}): Promise<Readonly<Record<string, JsonValue>>> {
    const wanted = { ...this.#place(), below: nested }
    const rows = await this.#reading(() => readAll(this.#options.kv, wanted, () => this.#check()))
    const pathOf = (row: StoredRow): string[] => decodePath(row.scope.slice(this.#scope.length))
    return toRecord(rows, nested ? row => nestedName([...pathOf(row), row.key]) : row => row.key)
  }

  narrow(scope: string): TenantStore {
    return new ScopedStore(this.#options, this.#shared, [...this.#parts, scope])
  }

  clear(): Promise<number> {
    return this.#writing(() => this.#options.kv.clear(this.#tenant, this.#options.space, this.#scope))
  }

  #place() {
    return { tenant: this.#tenant, space: this.#options.space, scope: this.#scope }
  }

  /** The hot path of `#reading`: one key, coalesced with the others of this tick. */
  async #read(key: string): Promise<KvEntry | undefined> {
    checkKey(key)
    const before = this.#check()
    if (before !== undefined) await before
    const found = await this.#shared.read(this.#tenant, this.#options.space, this.#scope, key)
    const after = this.#check()
    if (after !== undefined) await after
    return found
  }

  #write(key: string, text: string, rules: { ttlSeconds?: number; ifVersion?: number }) {
    return this.#writing(() => this.#options.kv.set(this.#tenant, this.#options.space, this.#scope, key, text, rules))
  }

  #remove(key: string, rules: { ifVersion?: number }): Promise<boolean> {
    return this.#writing(() => this.#options.kv.del(this.#tenant, this.#options.space, this.#scope, key, rules))
  }

  /** Live before the statement, and still live when its answer is handed out. */
  async #reading<T>(statement: () => Promise<T>): Promise<T> {
    await this.#check()
    const answer = await statement()
    await this.#check()
    return answer
  }

  async #writing<T>(statement: () => Promise<T>): Promise<T> {
    if (this.#options.context.mode === 'read-only') throw new PartywallError('ERR_TENANT_READ_ONLY')
    const before = this.#check()
    if (before !== undefined) await before
    return statement()
  }

  /** Gives a promise only when the registry has to be asked. */
  #check(): void | Promise<void> {
    const current = maybeContext()
    if (current !== undefined && current.tenantUid !== this.#tenant) {
      throw new PartywallError('ERR_TENANT_CONTEXT_FOREIGN', { message: 'a store of another tenant was used here' })
    }
    return this.#options.context.ensureLive()
  }
}

const toValue = (entry: KvEntry | undefined): JsonValue | undefined =>
  entry === undefined ? undefined : decodeValue(entry.value)

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
