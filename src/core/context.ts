/**
 * The tenant context: which tenant the running code acts for, carried by AsyncLocalStorage.
 *
 * Only `core/bind` makes one, from a verified principal. Everything that stores, calls out, logs or enqueues asks
 * `currentContext()` or gets the context handed; without one it throws. There is no default tenant.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { PartywallError } from './errors.ts'
import type { TenantUid } from './ids.ts'
import type { IdentityRecord } from './tenant.ts'

/** What may be done: `full`; `read-only` without outbound calls (uninstall listeners). */
export type ContextMode = 'full' | 'read-only'

export interface TenantContext {
  readonly tenantUid: TenantUid
  readonly identity: IdentityRecord
  readonly mode: ContextMode
  /** Aborted when the context ends, with ERR_TENANT_REVOKED or ERR_HANDLER_TIMEOUT as reason. Its listeners may throw. */
  readonly signal: AbortSignal
  /** True once it has ended: its rights were taken away, or its time is over. */
  readonly isRevoked: boolean
  /**
   * Call before every effect and before handing out what was read: throws when the context has ended; returns a promise only
   * when the lease has lapsed and the registry must be asked.
   * @throws ERR_TENANT_REVOKED, ERR_HANDLER_TIMEOUT
   */
  ensureLive(): void | Promise<void>
}

const storage = new AsyncLocalStorage<TenantContext>()

/** Runs `work` with `context` as the current tenant, for everything it starts. */
export const runInContext = <T>(context: TenantContext, work: () => T): T => storage.run(context, work)

/** @throws ERR_TENANT_CONTEXT_MISSING */
export function currentContext(): TenantContext {
  const context = storage.getStore()
  if (context === undefined) throw new PartywallError('ERR_TENANT_CONTEXT_MISSING')
  return context
}

export const maybeContext = (): TenantContext | undefined => storage.getStore()
