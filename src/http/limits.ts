/**
 * Limits per tenant: how many requests run at once and how many start per second. State lives in this process; it belongs to proved
 * tenants only, so that nobody can use up a neighbour's share by naming him.
 */

import { createBuckets } from '../core/buckets.ts'
import type { Binder } from '../core/dialect.ts'
import { PartywallError } from '../core/errors.ts'
import type { TenantUid } from '../core/ids.ts'
import type { Clock } from '../core/ports.ts'
import { mergeSettings } from './settings.ts'

export interface TenantLimitSettings {
  /** Requests of one tenant at once; default 100. */
  readonly inFlight: number
  /** Requests of one tenant per second, on average; default 200. */
  readonly perSecond: number
  /** Requests of one tenant that may come at once; default 400. */
  readonly burst: number
}

export const DEFAULT_TENANT_LIMITS: TenantLimitSettings = { inFlight: 100, perSecond: 200, burst: 400 }

export interface TenantLimits {
  /**
   * Counts a request of this tenant in.
   * @returns counts it out; safe to call twice
   * @throws ERR_RATE_LIMITED with `retryAfterSeconds`
   */
  enter(tenant: TenantUid): () => void
}

/** @throws TypeError for a setting that is not a positive number */
export function createTenantLimits(clock: Clock, settings: Partial<TenantLimitSettings> = {}): TenantLimits {
  const limits = mergeSettings(DEFAULT_TENANT_LIMITS, settings)
  const buckets = createBuckets<TenantUid>(clock, limits)
  const inFlight = new Map<TenantUid, number>()
  return {
    enter(tenant) {
      const running = inFlight.get(tenant) ?? 0
      if (running >= limits.inFlight) throw new PartywallError('ERR_RATE_LIMITED', { retryAfterSeconds: 1 })
      const waitMs = buckets.take(tenant)
      if (waitMs > 0) {
        throw new PartywallError('ERR_RATE_LIMITED', { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) })
      }
      inFlight.set(tenant, running + 1)
      return once(() => {
        const left = (inFlight.get(tenant) ?? 1) - 1
        if (left > 0) inFlight.set(tenant, left)
        else inFlight.delete(tenant)
      })
    },
  }
}

/**
 * A binder whose contexts count as requests of their tenant. For what comes by HTTP; jobs have limits of their own.
 */
export function limitBinder(binder: Binder, limits: TenantLimits): Binder {
  return {
    async run(identity, work, mode) {
      // What is left to do for an ended installation is ours, not a request of its tenant.
      if (mode === 'read-only') return binder.run(identity, work, mode)
      const leave = limits.enter(identity.tenantUid)
      try {
        return await binder.run(identity, work, mode)
      } finally {
        leave()
      }
    },
    open(identity, mode) {
      const leave = limits.enter(identity.tenantUid)
      try {
        return binder.open(identity, mode, leave)
      } catch (error) {
        leave()
        throw error
      }
    },
  }
}

function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    work()
  }
}
