/**
 * Runs one piece of held work: checks its tenant and installation again, binds, runs the handler within its time limit,
 * and says how it ended. Stores nothing; the dispatcher writes the outcome.
 */

import type { ContextMode } from '../core/context.ts'
import type { Binder } from '../core/dialect.ts'
import { isPartywallError, PartywallError } from '../core/errors.ts'
import type { IdentityUid, TenantUid } from '../core/ids.ts'
import type { HandlerTable, Registry, Work, WorkHandler } from '../core/ports.ts'
import { type IdentityRecord, isLive, type JsonValue } from '../core/tenant.ts'
import { runInTime } from '../core/time-limit.ts'
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
  /** What the text says, where whoever accepted it knows it already. For one run: a handler may change it. */
  readonly value?: JsonValue | undefined
}

/** `again`: a failed attempt · `later`: not its fault, no attempt counted against it soon · `dead`: never again. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'again' | 'dead'; readonly error: unknown }
  | { readonly kind: 'later'; readonly error: unknown; readonly waitSeconds: number }

export interface ExecutionDeps {
  readonly registry: Pick<Registry, 'findByUid'>
  readonly binder: Binder
  readonly handlers: HandlerTable
  readonly handlerTimeoutMs: number
}

/** Longest run of a handler for an identity that has ended: the host waits for its answer meanwhile. */
const FAREWELL_TIMEOUT_MS = 5_000

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
    if (identity === undefined) return { kind: 'dead', error: new PartywallError('ERR_TENANT_REVOKED') }
    return refusalOf(identity, deps.handlers.modeOf(work.handler)) ?? (await runHandler(work, handler, identity, deps))
  } catch (error) {
    return outcomeOf(error)
  }
}

/**
 * Runs a handler bound to a fresh record of its identity, in the mode that the handler is for. When its time is over the context
 * ends with it: of two attempts only the later one has effects.
 */
export async function runHandler(
  work: Pick<HeldWork, 'id' | 'handler' | 'attempts' | 'payload' | 'value'>,
  handler: WorkHandler,
  identity: IdentityRecord,
  deps: Omit<ExecutionDeps, 'registry'>,
): Promise<Outcome> {
  const mode = deps.handlers.modeOf(work.handler)
  try {
    const bound = deps.binder.open(identity, mode)
    try {
      const given: Work = {
        id: work.id,
        payload: work.value ?? (JSON.parse(work.payload) as JsonValue),
        attempt: work.attempts + 1,
        // Made when somebody asks: most handlers never do.
        get signal() {
          return bound.context.signal
        },
      }
      const longest = deps.handlers.timeoutOf(work.handler) ?? deps.handlerTimeoutMs
      const timeoutMs = mode === 'full' ? longest : Math.min(FAREWELL_TIMEOUT_MS, longest)
      await runInTime(bound, timeoutMs, () => handler(given, bound.context))
      return { kind: 'done' }
    } finally {
      bound.release()
    }
  } catch (error) {
    return outcomeOf(error)
  }
}

/** Work of a running identity needs it to run; a farewell needs it to have ended, and never finds it running. */
function refusalOf(identity: IdentityRecord, mode: ContextMode): Outcome | undefined {
  const isFit = mode === 'full' ? isLive(identity) : identity.state === 'uninstalled' && identity.hold === 'none'
  if (isFit) return undefined
  if (identity.hold === 'none') return { kind: 'dead', error: new PartywallError('ERR_TENANT_REVOKED') }
  return { kind: 'later', waitSeconds: 60, error: new PartywallError('ERR_TENANT_HELD') }
}

function outcomeOf(error: unknown): Outcome {
  // The registry or the store being out of reach says nothing about the work.
  if (isPartywallError(error, 'ERR_STORE_UNAVAILABLE')) return { kind: 'later', waitSeconds: 5, error }
  return { kind: isPartywallError(error, 'ERR_TENANT_REVOKED') ? 'dead' : 'again', error }
}
