/**
 * The ports of the core: what it needs from the database, the network, the clock. `postgres` and `http` implement them,
 * `app.ts` hands them out. Nothing here has behaviour.
 */

import type { KeyObject } from 'node:crypto'
import type { ContextMode, TenantContext } from './context.ts'
import type { IdentityUid, TenantUid } from './ids.ts'
import type { IdentityKey, IdentityRecord, JsonObject, JsonValue } from './tenant.ts'

/** Time. `now` is the wall clock in epoch milliseconds; `monotonic` never jumps and is for durations and cache ages. */
export interface Clock {
  now(): number
  monotonic(): number
}

/** Randomness from a cryptographic source. */
export interface Random {
  bytes(count: number): Buffer
}

/** One event = one line. `event` is a fixed text in kebab-case, facts go into `fields`. Secrets are scrubbed, not trusted to be absent. */
export interface Logger {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}
export interface LogFields {
  readonly tenant?: string
  readonly error?: unknown
  readonly [key: string]: unknown
}

/** A lifecycle token that may count once, with one body. Written in the transaction of the change it carries. */
export interface UsedToken {
  /** SHA-256 of the compact token. */
  readonly tokenHash: Buffer
  /** SHA-256 of the raw body. */
  readonly bodyHash: Buffer
  /** Epoch milliseconds until which the token could be used again. */
  readonly expiresAt: number
}

interface ChangeBase {
  readonly key: IdentityKey
  /** Time of the event, epoch milliseconds; events older than the newest accepted one never change secret or state. */
  readonly at: number
  /** Why, for the audit row: `install`, `update`, `uninstall`, `host-revoked`, `operator` ... */
  readonly reason: string
  readonly usedToken?: UsedToken
  /**
   * The host says no time: `at` is this process's clock and the order is that of arrival, so that two processes whose clocks
   * differ never take a change for an old one.
   */
  readonly isOrderedByArrival?: boolean
}

export type TenantChange =
  | (ChangeBase & {
      readonly kind: 'install'
      /** `host[:port]`; another host than the bound one ends in ERR_INSTALL_CONFLICT. */
      readonly host: string
      /** Secrets by name; sealed before they are stored. `secret` is the shared secret. */
      readonly secrets: Readonly<Record<string, string>>
      /** Secrets made only when the identity is new, and kept over updates (`webhookToken`). */
      readonly initialSecrets?: Readonly<Record<string, string>>
      readonly attributes: JsonObject
      readonly state: 'installed' | 'enabled'
      /**
       * Compare and set: the change counts only if the identity is still at this version (`absent`: still unknown),
       * else ERR_INSTALL_CONFLICT. Left out: whatever is there is replaced.
       */
      readonly expect?: number | 'absent'
    })
  | (ChangeBase & { readonly kind: 'enable' | 'disable'; readonly expect?: number })
  | (ChangeBase & {
      readonly kind: 'uninstall'
      readonly expect?: number
      /** Handler of a farewell that is owed from then on, durable with the change and held by this process; see `Farewells`. */
      readonly farewell?: string
    })

export interface ChangeResult {
  /**
   * `created` a new identity · `restored` an uninstalled one came back · `changed` · `unchanged` (same event again, or
   * nothing to do) · `stale` (older than the newest accepted event) · `unknown` (no such identity).
   */
  readonly outcome: 'created' | 'restored' | 'changed' | 'unchanged' | 'stale' | 'unknown'
  readonly identity: IdentityRecord | undefined
  /**
   * Resolves when no process can still accept the state before this change: at once for a change that takes nothing
   * away, else when every live process has acknowledged it or its lease has ended. A 2xx leaves only after this.
   */
  settled(): Promise<void>
}

/** Tenants and identities: look-up on each request, lifecycle changes in one transaction with audit row and fence. */
export interface Registry {
  /**
   * By identity key; from the cache while this process's lease holds, else from the database.
   * `undefined` when unknown. Uninstalled identities are returned: the caller checks `isLive`.
   * @throws ERR_STORE_UNAVAILABLE
   */
  find(key: IdentityKey): Promise<IdentityRecord | undefined>
  /** The same without waiting, only where the cache may answer; `undefined` says nothing about existence. */
  peek(key: IdentityKey): IdentityRecord | undefined
  /** A fresh read, at most one per identity and second (else what `find` gives): for a signature that failed against a cached entry. */
  findFresh(key: IdentityKey): Promise<IdentityRecord | undefined>
  findByUid(tenant: TenantUid, identity: IdentityUid): Promise<IdentityRecord | undefined>
  /**
   * External ids of the identities of one app and environment that have not ended, in their order, page by page.
   * @param after  the last id of the page before
   */
  list(
    group: Omit<IdentityKey, 'externalId'>,
    page?: { readonly after?: string; readonly limit?: number },
  ): Promise<readonly string[]>
  /**
   * Applies a lifecycle change: one transaction, secrets sealed, audit row.
   * @throws ERR_INSTALL_CONFLICT other host, or `expect` not met; ERR_TENANT_HELD; ERR_STORE_UNAVAILABLE;
   *   ERR_TOKEN_REPLAYED the used token came with another body
   */
  apply(change: TenantChange): Promise<ChangeResult>
  /** Remembers that the host's token endpoint refused this identity; true when it did so twice, at least 60 s apart. */
  noteRefusal(identity: IdentityRecord): Promise<boolean>
  /** Forgets a refusal after the endpoint has honoured the identity again. */
  clearRefusal(identity: IdentityRecord): Promise<void>
  /**
   * True while this very record may still be acted on: the lease holds and no newer version is known.
   * False says "look again", not "revoked".
   */
  isCurrent(identity: IdentityRecord): boolean
  /** Calls back when a version newer than the running one takes rights away. Returns the way to stop listening. */
  onRevoked(listener: (change: { tenant: TenantUid; identity: IdentityUid; version: number }) => void): () => void
  /**
   * Calls back when this process may have missed changes and has dropped its whole cache; what still runs must be checked
   * again. The process takes part again only when every listener's promise has settled. Returns the way to stop listening.
   */
  onLapsed(listener: () => Promise<void>): () => void
}

/** Sealed OAuth tokens of all dialects, shared by the processes. Keys are opaque digests made by `core/tokens`. */
export interface TokenStore {
  load(identity: IdentityRecord, tokenKey: string): Promise<StoredToken | undefined>
  save(identity: IdentityRecord, tokenKey: string, token: StoredToken): Promise<void>
  drop(identity: IdentityRecord, tokenKey?: string): Promise<void>
  /** Runs `work` while no other process runs it for the same key (advisory lock, waits at most `waitMs`). */
  exclusively<T>(identity: IdentityRecord, tokenKey: string, waitMs: number, work: () => Promise<T>): Promise<T>
}
export interface StoredToken {
  readonly accessToken: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
  readonly scope: string
  readonly facts: JsonObject
  /** Epoch milliseconds; set by `core/tokens` before it saves, and kept with the row: every process refreshes at the same age. */
  readonly obtainedAt?: number
}

/** One outbound call through the one client. Paths and queries are part of `url`. */
export interface OutboundRequest {
  readonly url: string
  readonly method: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** Exact origins (`https://host[:port]`) this call may go to; redirects never leave them. */
  readonly allowedOrigins: readonly string[]
  /** Redirects on the same origin that may be followed; default 0. */
  readonly maxRedirects?: number
  readonly timeoutMs?: number
  readonly maxBytes?: number
  readonly signal?: AbortSignal
}
export interface OutboundResponse {
  readonly status: number
  /** Lower-case names; repeated ones joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}
export interface Outbound {
  /** @throws ERR_OUTBOUND_URL, ERR_OUTBOUND_REFUSED, ERR_OUTBOUND_UNREACHABLE, ERR_OUTBOUND_TIMEOUT, ERR_OUTBOUND_TOO_LARGE */
  request(request: OutboundRequest): Promise<OutboundResponse>
}

/** Public keys of a host's signatures. Implemented by `http/key-source`. */
export interface KeySource {
  /**
   * @param id as the token names it; what is no safe id is asked for nowhere
   * @returns `undefined` when no key server has a usable key of this id
   * @throws ERR_OUTBOUND_*, ERR_HOST_RESPONSE when the key servers cannot be asked · ERR_OVERLOADED
   */
  find(id: string): Promise<KeyObject | undefined>
}

/** Key-encryption keys; data keys of tenants are wrapped by the current one. */
export interface KeyProvider {
  readonly current: { readonly id: string; readonly key: Buffer }
  find(id: string): Buffer | undefined
}

/** Delivery and job handlers by name; filled while the app is built, read by the dispatcher. */
export interface HandlerTable {
  /**
   * @param mode `read-only`: for identities that have ended, and for those alone; default `full`
   * @param timeoutMs  longest run, where it is not that of the settings
   */
  set(name: string, handler: WorkHandler, mode?: ContextMode, timeoutMs?: number): void
  get(name: string): WorkHandler | undefined
  modeOf(name: string): ContextMode
  timeoutOf(name: string): number | undefined
}
export interface Work {
  /** Stable over retries. */
  readonly id: string
  readonly payload: JsonValue
  /** 1 for the first. */
  readonly attempt: number
  readonly signal: AbortSignal
}
/** Runs inside the bound context of the work's tenant. A rejection is a failed attempt. */
export type WorkHandler = (work: Work, context: TenantContext) => Promise<void>

/** What is still to be run for identities that have ended: owed since the very change, run once, by one process at a time. */
export interface Farewells {
  /**
   * Resolves when nothing is owed to this ended identity any more: runs its handler here (read-only, 5 s; a failure goes to
   * the dead letters), or waits for the process that does.
   * @param own  handler that this process has just come to owe by its own change: it holds that already
   * @throws ERR_TENANT_HELD (503) another process still runs it · ERR_STORE_UNAVAILABLE
   */
  complete(identity: IdentityRecord, own?: string): Promise<void>
}

export interface Delivery {
  readonly handler: string
  /** JSON text; stored as it is. */
  readonly payload: string
  /** What the text says, where it is known: handed to the handler when that runs from memory. Nobody else may keep or change it. */
  readonly value?: JsonValue
  /** SHA-256 that names this very delivery over the host's retries; unique per identity. */
  readonly retryKey: Buffer
  /** SHA-256 of the token it came with, where the retry key is not the token's own: one token never brings a second delivery. */
  readonly replayKey?: Buffer
  /** How long the keys are kept at least, epoch milliseconds: as long as the token could be used again. */
  readonly replayUntil?: number
}
export interface Inbox {
  /**
   * Durable when it resolves; work starts at once in this process where there is room, else when its turn comes.
   * @returns the id of the (new or earlier) delivery
   */
  accept(
    context: TenantContext,
    delivery: Delivery,
  ): Promise<{ readonly outcome: 'accepted' | 'duplicate'; readonly id: string }>
  /** Puts work that failed for good outside the inbox (an uninstall listener) among the tenant's dead letters. */
  bury(
    context: TenantContext,
    work: { readonly handler: string; readonly payload: string; readonly error: unknown },
  ): Promise<void>
  /** Resolves when no accepted delivery of this tenant is unfinished, or after `waitMs`. */
  idle(tenant: TenantUid, waitMs: number): Promise<void>
}
export interface Jobs {
  /** Enqueues inside the tenant of the context; `key` makes it unique among this tenant's unfinished jobs. */
  enqueue(
    context: TenantContext,
    job: { handler: string; payload: JsonValue; runAt?: number; key?: string; maxAttempts?: number },
  ): Promise<{ id: string }>
  /** Repeats by cron expression (croner); the same `name` replaces. */
  schedule(
    context: TenantContext,
    schedule: { name: string; cron: string; timeZone?: string; handler: string; payload: JsonValue },
  ): Promise<void>
  unschedule(context: TenantContext, name: string): Promise<boolean>
}

/** The rows behind `tenantStore`; `scope` is already encoded. Values are JSON text. All calls are bound to `tenant` by the database. */
export interface KvPort {
  get(tenant: TenantUid, space: string, scope: string, key: string): Promise<KvEntry | undefined>
  getMany(
    tenant: TenantUid,
    space: string,
    scope: string,
    keys: readonly string[],
  ): Promise<ReadonlyMap<string, KvEntry>>
  /** @throws ERR_VERSION_CONFLICT when `ifVersion` is given and not met (0: must be absent) */
  set(
    tenant: TenantUid,
    space: string,
    scope: string,
    key: string,
    value: string,
    options: { ttlSeconds?: number; ifVersion?: number },
  ): Promise<{ version: number }>
  del(tenant: TenantUid, space: string, scope: string, key: string, options: { ifVersion?: number }): Promise<boolean>
  /** Rows of `scope` itself, or with `below` also of every nested scope, ordered by (scope, key) bytewise, after `after`. */
  list(
    tenant: TenantUid,
    space: string,
    scope: string,
    options: {
      prefix?: string
      below?: boolean
      after?: { scope: string; key: string }
      limit: number
    },
  ): Promise<readonly (KvEntry & { readonly scope: string; readonly key: string })[]>
  clear(tenant: TenantUid, space: string, scope: string): Promise<number>
}
export interface KvEntry {
  readonly value: string
  readonly version: number
}
