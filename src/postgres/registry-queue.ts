/**
 * Changes that come at the same moment share a transaction, and so a commit: a thousand installs at once take some dozens
 * of commits, a lone one goes at once.
 */

import { isPartywallError } from '../core/errors.ts'
import type { TenantChange } from '../core/ports.ts'
import type { Applied, Outcome } from './registry-apply.ts'

const MAX_TOGETHER = 64
const MAX_IN_FLIGHT = 3
const MAX_TRIES = 4

interface Entry {
  readonly change: TenantChange
  readonly resolve: (applied: Applied) => void
  readonly reject: (error: unknown) => void
}

export interface ApplyQueue {
  /** Two changes of one identity must not wait here at the same time. */
  apply(change: TenantChange): Promise<Applied>
}

export function createApplyQueue(
  applyTogether: (changes: readonly TenantChange[]) => Promise<readonly Outcome[]>,
): ApplyQueue {
  const waiting: Entry[] = []
  let inFlight = 0
  let isScheduled = false

  const schedule = (): void => {
    if (isScheduled || waiting.length === 0 || inFlight >= MAX_IN_FLIGHT) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      const entries = waiting.splice(0, MAX_TOGETHER)
      inFlight++
      void run(entries).finally(() => {
        inFlight--
        schedule()
      })
      schedule()
    })
  }

  const run = async (entries: readonly Entry[]): Promise<void> => {
    try {
      const outcomes = await withRetry(() => applyTogether(entries.map(entry => entry.change)))
      for (const [at, entry] of entries.entries()) settle(entry, outcomes[at])
    } catch (error) {
      // One change that the database refuses must not fail those that only shared its transaction.
      if (entries.length > 1 && leftNoTrace(error)) for (const entry of entries) await run([entry])
      else for (const entry of entries) entry.reject(error)
    }
  }

  return {
    apply: change =>
      new Promise((resolve, reject) => {
        waiting.push({ change, resolve, reject })
        schedule()
      }),
  }
}

function settle(entry: Entry, outcome: Outcome | undefined): void {
  if (outcome !== undefined && 'applied' in outcome) entry.resolve(outcome.applied)
  else entry.reject(outcome?.error)
}

/** A deadlock or a lost race may be tried again here; anything else is the caller's to retry. */
async function withRetry<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === MAX_TRIES || !isPartywallError(error, 'ERR_UPDATE_CONTENTION')) throw error
    }
  }
}

/** The server refused a statement, so the transaction was rolled back; not so where the connection or time ran out. */
const leftNoTrace = (error: unknown): boolean =>
  isPartywallError(error, 'ERR_STATEMENT_REFUSED') ||
  isPartywallError(error, 'ERR_UPDATE_CONTENTION') ||
  (isPartywallError(error, 'ERR_STORE_TIMEOUT') && error.details.sqlState === '55P03')
