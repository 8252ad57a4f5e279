/**
 * How fast a tenant's calls may leave, and what its product last said about limits (protocol s. 9.3). One per app and process,
 * so that a tenant that calls without end waits for itself and starves nobody.
 */

import { LRUCache } from 'lru-cache'
import { createBuckets } from '../../core/buckets.ts'
import { PartywallError } from '../../core/errors.ts'
import type { Clock, OutboundResponse } from '../../core/ports.ts'
import type { IdentityRecord } from '../../core/tenant.ts'
import { pause } from '../common/usable.ts'

/** As the product's answers said last; members it has not told are `undefined`. */
export interface ProductLimits {
  readonly limit: number | undefined
  readonly remaining: number | undefined
  /** When the quota is whole again. */
  readonly resetAt: Date | undefined
  /** Less than a fifth of the quota is left, says the product. */
  readonly isNearLimit: boolean
  /** Which of its limits the product meant, at the last 429. */
  readonly reason: string | undefined
}

export interface CallPace {
  /** Takes one call of the tenant's budget, after a wait where there is none. @throws PartywallError ERR_RATE_LIMITED, ERR_TENANT_REVOKED */
  take(identity: IdentityRecord, maxWaitMs: number, signal: AbortSignal): Promise<void>
  note(identity: IdentityRecord, answer: OutboundResponse): void
  limitsOf(identity: IdentityRecord): ProductLimits | undefined
  /** Waits between two tries. */
  readonly pause: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

/** Calls of one tenant: on average each second, and at once. */
export const CALL_BUDGET = { perSecond: 20, burst: 100 } as const
const MAX_REMEMBERED = 10_000

/** @param wait  how a wait is spent; for tests whose time stands still */
export function createCallPace(clock: Clock, wait: CallPace['pause'] = pause): CallPace {
  const buckets = createBuckets<string>(clock, CALL_BUDGET)
  const seen = new LRUCache<string, ProductLimits>({ max: MAX_REMEMBERED })
  return {
    pause: wait,
    async take({ uid }, maxWaitMs, signal) {
      let waited = 0
      for (;;) {
        const missing = buckets.take(uid)
        if (missing === 0) return
        if (waited + missing > maxWaitMs) throw overBudget(missing)
        waited += missing
        await wait(missing, signal)
      }
    },
    note({ uid }, { headers }) {
      const limits = readProductLimits(headers, seen.get(uid), clock.now())
      if (limits !== undefined) seen.set(uid, limits)
    },
    limitsOf: ({ uid }) => seen.get(uid),
  }
}

/** @param headers lower-case names @param now epoch milliseconds */
function readProductLimits(
  headers: Readonly<Record<string, string>>,
  before: ProductLimits | undefined,
  now: number,
): ProductLimits | undefined {
  const limit = wholeNumber(headers['x-ratelimit-limit'])
  const remaining = wholeNumber(headers['x-ratelimit-remaining'])
  const resetAt = dateOf(headers['x-ratelimit-reset'], now)
  const isNear = headers['x-ratelimit-nearlimit']
  const reason = headers['ratelimit-reason']
  if ([limit, remaining, resetAt, isNear, reason].every(value => value === undefined)) return undefined
  return {
    limit: limit ?? before?.limit,
    remaining: remaining ?? before?.remaining,
    resetAt: resetAt ?? before?.resetAt,
    isNearLimit: isNear === undefined ? (before?.isNearLimit ?? false) : isNear.toLowerCase() === 'true',
    reason: reason !== undefined && /^[\w-]{1,60}$/.test(reason) ? reason : before?.reason,
  }
}

const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,11}$/.test(text) ? Number(text) : undefined

/** ISO 8601 in Jira; seconds from now, or epoch seconds, elsewhere. */
function dateOf(text: string | undefined, now: number): Date | undefined {
  const seconds = wholeNumber(text)
  if (seconds !== undefined) return new Date(seconds < 1_000_000_000 ? now + seconds * 1000 : seconds * 1000)
  if (text === undefined || !/^\d{4}-\d{2}-\d{2}T[\d:.]{5,12}(?:Z|[+-]\d{2}:\d{2})$/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : new Date(at)
}

const overBudget = (missingMs: number) =>
  new PartywallError('ERR_RATE_LIMITED', {
    message: "this tenant's calls leave faster than its budget allows",
    retryAfterSeconds: Math.ceil(missingMs / 1000),
  })
