/** Says when an app comes near a limit of storage, before it reaches it: at 80 %, once an hour for an installation and a limit. */

import type { Clock, Logger } from '../../core/ports.ts'

export interface NearLimits {
  /** @param what  name of the limit, as `StorageLimits` has it */
  note(tenant: string, what: string, used: number, limit: number): void
}

const SHARE = 0.8
const AGAIN_MS = 3_600_000
const MAX_KEPT = 10_000

export function watchLimits(logger: Pick<Logger, 'warn'>, clock: Pick<Clock, 'monotonic'>): NearLimits {
  const saidAt = new Map<string, number>()
  return {
    note(tenant, what, used, limit) {
      if (used < limit * SHARE || used > limit) return
      const name = `${tenant} ${what}`
      const now = clock.monotonic()
      if (now - (saidAt.get(name) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return
      if (saidAt.size >= MAX_KEPT) saidAt.clear()
      saidAt.set(name, now)
      logger.warn('forge-storage-near-limit', { tenant, limit: what, used, of: limit })
    },
  }
}
