/**
 * Waiting until a change has reached every process: one poll for all who wait in this process.
 *
 * A lease that has not acknowledged a change cannot be renewed past it, so all such leases are over one lease after the
 * commit, whatever any wall clock says. What is left then is ended by deleting its row.
 */

import { isPartywallError, PartywallError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import type { PlainPool } from './database.ts'
import * as sql from './leases-statements.ts'

const POLL_FIRST_MS = 2
const POLL_MAX_MS = 40
/** Leases are granted by statements that were under way at the commit: their last moments. */
const SLACK_MS = 50
/** After this many leases without knowing, the caller is told so. */
const PATIENCE = 3

interface Waiter {
  readonly n: number
  readonly since: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export interface Settlements {
  settled(n: number): Promise<void>
  close(): void
}

export function createSettlements(options: {
  readonly system: PlainPool
  readonly clock: Clock
  readonly leaseMs: number
}): Settlements {
  const { system, clock, leaseMs } = options
  const waiters = new Set<Waiter>()
  let isPolling = false
  let isClosed = false
  let delayMs = POLL_FIRST_MS
  let wake: () => void = () => undefined

  const poll = async (): Promise<void> => {
    isPolling = true
    while (waiters.size > 0 && !isClosed) {
      try {
        await look()
      } catch (error) {
        tellImpatient(error)
      }
      if (waiters.size > 0) await pause()
    }
    isPolling = false
  }

  /** Only a look that shows no lease below `n` counts; deleting is followed by another look. */
  const look = async (): Promise<void> => {
    const [row] = await system.query(sql.LEAST_ACKNOWLEDGED, [])
    const least = row?.[0] == null ? Number.POSITIVE_INFINITY : Number(row[0])
    for (const waiter of waiters) {
      if (least >= waiter.n) {
        waiters.delete(waiter)
        waiter.resolve()
      }
    }
    if (waiters.size === 0) return
    if (row?.[1] === 't') await system.query(sql.END_DEAD, [])
    const overdue = Math.max(...[...waiters].filter(isOverdue).map(waiter => waiter.n))
    if (overdue > least) await system.query(sql.END_BELOW, [String(overdue)])
    tellImpatient(
      new PartywallError('ERR_STORE_TIMEOUT', { message: 'leases could not be ended', retryAfterSeconds: 1 }),
    )
  }

  const isOverdue = ({ since }: Waiter): boolean => clock.monotonic() - since > leaseMs + SLACK_MS

  const tellImpatient = (error: unknown): void => {
    const reason = isPartywallError(error) ? error : new PartywallError('ERR_STORE_UNAVAILABLE', { cause: error })
    for (const waiter of waiters) {
      if (clock.monotonic() - waiter.since < PATIENCE * leaseMs) continue
      waiters.delete(waiter)
      waiter.reject(reason)
    }
  }

  const pause = (): Promise<void> =>
    new Promise(resolve => {
      const timer = setTimeout(resolve, delayMs)
      delayMs = Math.min(POLL_MAX_MS, delayMs * 2)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })

  return {
    settled: n =>
      new Promise((resolve, reject) => {
        if (isClosed) {
          reject(new PartywallError('ERR_SHUTTING_DOWN'))
          return
        }
        waiters.add({ n, since: clock.monotonic(), resolve, reject })
        delayMs = POLL_FIRST_MS
        if (isPolling) wake()
        else void poll()
      }),
    close() {
      isClosed = true
      for (const waiter of waiters) waiter.reject(new PartywallError('ERR_SHUTTING_DOWN'))
      waiters.clear()
      wake()
    },
  }
}
