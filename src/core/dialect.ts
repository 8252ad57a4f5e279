/** What a dialect gets from the composition root. A dialect verifies and translates; binding and storing is done by these. */

import type { ContextMode, TenantContext } from './context.ts'
import type { PartywallError } from './errors.ts'
import type {
  Clock,
  Farewells,
  HandlerTable,
  Inbox,
  Jobs,
  Logger,
  Outbound,
  Random,
  Registry,
  StoredToken,
} from './ports.ts'
import type { TenantStore } from './store.ts'
import type { IdentityRecord } from './tenant.ts'

export interface AppSpec {
  readonly key: string
  readonly environment: string
  /** Public URL without trailing slash; the only source of our own addresses (never a Host header). */
  readonly baseUrl: string
}

/** The one place where a verified identity becomes a bound context. Implemented by `core/bind`. */
export interface Binder {
  /**
   * Binds `identity` and runs `work` inside its context; the context is released when `work` has settled.
   * @throws ERR_TENANT_DISABLED when the identity is not live (mode `read-only` accepts an uninstalled one)
   */
  run<T>(identity: IdentityRecord, work: (context: TenantContext) => T | Promise<T>, mode?: ContextMode): Promise<T>
  /**
   * For frameworks that run their own chain: the context now, and the function that releases it.
   * @param onRelease  called once, when it is released
   */
  open(identity: IdentityRecord, mode?: ContextMode, onRelease?: () => void): Bound
}

/** A context in the hands of who opened it. */
export interface Bound {
  readonly context: TenantContext
  /** Ends the context before its time: `signal` aborts with the reason, and `ensureLive` throws it from then on. */
  end(reason: PartywallError): void
  /** Lets the context go. Safe to call twice. */
  release(): void
}

/** OAuth tokens of all dialects: memory, then sealed row, then one single-flight request. Implemented by `core/tokens`. */
export interface Tokens {
  /**
   * A token of this identity for exactly these scopes. The key covers dialect, host, tenant, secret version, subject and scopes.
   * @param request asks the host; called by one process at a time
   */
  get(
    identity: IdentityRecord,
    wanted: { readonly subject?: string; readonly scopes: readonly string[] },
    request: () => Promise<StoredToken>,
  ): Promise<StoredToken>
  /** The host refused this access token: forget it wherever it is kept. */
  refuse(
    identity: IdentityRecord,
    wanted: { readonly subject?: string; readonly scopes: readonly string[] },
    accessToken: string,
  ): Promise<void>
  /** Forgets everything of this identity in memory. */
  forget(identity: Pick<IdentityRecord, 'uid'>): void
}

export interface DialectDeps {
  readonly app: AppSpec
  readonly registry: Registry
  readonly binder: Binder
  readonly tokens: Tokens
  readonly outbound: Outbound
  readonly inbox: Inbox
  readonly jobs: Jobs
  readonly handlers: HandlerTable
  readonly farewells: Farewells
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** A store of this context in one of the spaces `store`, `kvs`, `kvs-secret`, `webhook`, `internal`. */
  storeOf(context: TenantContext, space: 'store' | 'kvs' | 'kvs-secret' | 'webhook' | 'internal'): TenantStore
  /** Erases a tenant's data now, for retention 0; called after `settled()` and before the 2xx. */
  eraseIfDue(identity: IdentityRecord): Promise<void>
}
