/** The contract of `tenantStore`. The implementation over rows is `createTenantStore` in `core/tenant-store.ts`. */

import type { JsonValue } from './tenant.ts'

export interface SetOptions {
  /** Seconds, 1 to 10 years. Left out: until deleted. */
  readonly ttlSeconds?: number
  /** Only if the stored version is this one; 0: only if the key is absent. @throws ERR_VERSION_CONFLICT */
  readonly ifVersion?: number
}

export interface StoreEntry {
  readonly value: JsonValue
  /** Grows with every write of this key; never 0. */
  readonly version: number
}

export interface ListOptions {
  /** Literal, byte-exact prefix of keys. */
  readonly prefix?: string
  /** 1 to 1,000; default 100. */
  readonly limit?: number
  /** From an earlier page of the same tenant, space, scope and prefix. @throws ERR_CURSOR_INVALID */
  readonly cursor?: string
}

export interface StorePage {
  /** Keys in byte order; an object without prototype, so that `__proto__` is a key like any other. */
  readonly items: Readonly<Record<string, JsonValue>>
  /** Present when there may be more. */
  readonly cursor?: string
}

/**
 * One tenant's key-value store. Every call takes its tenant from the context that made the store and is checked by the
 * database. Values are copies; single-key writes are atomic, last write wins unless a version is given.
 * @throws ERR_KEY_INVALID, ERR_SCOPE_INVALID, ERR_VALUE_INVALID, ERR_VALUE_TOO_LARGE, ERR_TENANT_REVOKED, ERR_STORE_UNAVAILABLE
 */
export interface TenantStore {
  /** `undefined` when missing or expired. Gets of one tick travel as one statement. */
  get(key: string): Promise<JsonValue | undefined>
  getMany(keys: readonly string[]): Promise<ReadonlyMap<string, JsonValue>>
  /** The value with its version, for `ifVersion`. */
  entry(key: string): Promise<StoreEntry | undefined>
  /** A number as third argument is a time to live in seconds, as the HipChat library has it. */
  set(key: string, value: JsonValue, options?: number | SetOptions): Promise<{ readonly version: number }>
  /** True when something was deleted. */
  del(key: string, options?: { readonly ifVersion?: number }): Promise<boolean>
  /**
   * Read, change, write without lost updates: `change` gets the present value (`undefined` when missing) and may run again when
   * another writer was faster. Returns what was stored; `undefined` from `change` deletes the key.
   * @throws ERR_UPDATE_CONTENTION
   */
  update<T extends JsonValue>(
    key: string,
    change: (value: T | undefined) => T | undefined | Promise<T | undefined>,
    options?: { readonly ttlSeconds?: number },
  ): Promise<T | undefined>
  list(options?: ListOptions): Promise<StorePage>
  /** Every key of this scope by its own name; with `nested` also those below, as `scope:key` with `%` and `:` inside parts percent-encoded. */
  all(options?: { readonly nested?: boolean }): Promise<Readonly<Record<string, JsonValue>>>
  /** A store below this one: `narrow('a').narrow('b')` is another one than `narrow('a:b')`. At most 8 deep. */
  narrow(scope: string): TenantStore
  /** Deletes everything in this scope and below; returns how many. */
  clear(): Promise<number>
}
