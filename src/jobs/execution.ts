/**
 * Runs one piece of held work: checks its tenant and installation again, binds, runs the handler within its time limit,
 * and says how it ended. Stores nothing; the dispatcher writes the outcome.
 */

import { runInContext } from '../core/context.ts'
import type { Binder } from '../core/dialect.ts'
import { isPartywallError, PartywallError } from '../core/errors.ts'
import type { IdentityUid, TenantUid } from '../core/ids.ts'
import type { HandlerTable, Registry, Work } from '../core/ports.ts'
import { isLive, type JsonValue } from '../core/tenant.ts'
import type { WorkTable } from './work-tables.ts'

/** A row this process holds a lease on. */
export interface HeldWork {
  readonly table: WorkTable
  readonly tenant: TenantUid
  readonly id: string
  readonly identity: IdentityUid
  readonly handler: string
  /** Attempts made before this one. */
  readonly attempts: number
  readonly maxAttempts: number
  /** JSON text. */
  readonly payload: string
}

/** `again`: a failed attempt · `later`: not its fault, no attempt counted against it soon · `dead`: never again. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'again' | 'dead'; readonly error: unknown }
  | { readonly kind: 'later'; readonly error: unknown; readonly waitSeconds: number }

export interface ExecutionDeps {
  readonly registry: Registry
  readonly binder: Binder
  readonly handlers: HandlerTable
  readonly handlerTimeoutMs: number
}

export async function executeWork(work: HeldWork, deps: ExecutionDeps): Promise<Outcome> {
  const handler = deps.handlers.get(work.handler)
  if (handler === undefined) {
    return {
      kind: 'later',
      waitSeconds: 30,
      error: new PartywallError('ERR_HANDLER_UNKNOWN', { details: { handler: work.handler } }),
    }
  }
  try {
    const identity = await deps.registry.findByUid(work.tenant, work.identity)
    if (identity === undefined || (!isLive(identity) && identity.hold === 'none')) {
      return { kind: 'dead', error: new PartywallError('ERR_TENANT_REVOKED') }
    }
    if (!isLive(identity)) return { kind: 'later', waitSeconds: 60, error: new PartywallError('ERR_TENANT_HELD') }
    const bound = deps.binder.open(identity)
    try {
      const payload = JSON.parse(work.payload) as JsonValue
      const given: Work = {
        id: work.id,
        payload,
        attempt: work.attempts + 1,
        // Made when somebody asks: most handlers never do.
        get signal() {
          return bound.context.signal
        },
      }
      const run = () => handler(given, bound.context)
      await withinTime(
        runInContext(bound.context, async () => run()),
        deps.handlerTimeoutMs,
      )
      return { kind: 'done' }
    } finally {
      bound.release()
    }
  } catch (error) {
    // The registry or the store being out of reach says nothing about the work.
    if (isPartywallError(error, 'ERR_STORE_UNAVAILABLE')) return { kind: 'later', waitSeconds: 5, error }
    return { kind: isPartywallError(error, 'ERR_TENANT_REVOKED') ? 'dead' : 'again', error }
  }
}

async function withinTime(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new PartywallError('ERR_HANDLER_TIMEOUT', { details: { timeoutMs } })),
      timeoutMs,
    ).unref()
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
