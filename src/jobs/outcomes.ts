/**
 * How work ended, written down: done, due again later, or dead. A process tries until it is written or the store says no; what
 * it cannot write stays its own until the lease ends.
 */

import { isPartywallError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import type { BoundPool, Parameter, Statement } from '../postgres/database.ts'
import type { HeldWork, Outcome } from './execution.ts'
import { backoffOf, type JobSettings } from './settings.ts'
import { createSharedCommit } from './shared-commit.ts'
import { WORK_STATEMENTS } from './work-tables.ts'

export interface Outcomes {
  /** Resolves when it is written, or when nothing more can be done about it here; never rejects. */
  write(work: HeldWork, outcome: Outcome): Promise<void>
}

export interface OutcomesDeps {
  readonly pool: BoundPool
  readonly processId: string
  readonly settings: JobSettings
  readonly logger: Logger
  readonly random: () => number
  /** The work is due again in so many milliseconds. */
  readonly onAgain: (waitMs: number) => void
  readonly isClosing: () => boolean
}

/** What is lost with the operating system is done again; a process that dies loses nothing of it. */
const LAZY_COMMIT: Statement = {
  name: 'work_lazy_commit',
  text: "select set_config('synchronous_commit', 'off', true)",
}
const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 2_000

export function createOutcomes(deps: OutcomesDeps): Outcomes {
  const { processId, settings, logger } = deps
  const commits = createSharedCommit(deps.pool, {
    lanes: 2,
    maxMembers: 128,
    eagerMembers: 16,
    maxWaiting: 100_000,
    opening: [[LAZY_COMMIT, []]],
  })

  return {
    async write(work, outcome) {
      const call = callOf(work, outcome)
      for (let waitMs = RETRY_FIRST_MS; ; waitMs = Math.min(RETRY_MAX_MS, waitMs * 2)) {
        try {
          await commits.run(work.tenant, [call])
          return
        } catch (error) {
          logger.warn('work-outcome-not-written', { tenant: work.tenant, id: work.id, error })
          if (deps.isClosing() || !isPassing(error)) return
        }
        await new Promise(resolve => setTimeout(resolve, waitMs).unref())
      }
    },
  }

  function callOf(work: HeldWork, outcome: Outcome): readonly [Statement, readonly Parameter[]] {
    const statements = WORK_STATEMENTS[work.table]
    if (outcome.kind === 'done') return [statements.finish, [work.id, processId]]
    const attempt = work.attempts + 1
    const dead = outcome.kind === 'dead' || (outcome.kind === 'again' && attempt >= work.maxAttempts)
    const waitSeconds =
      outcome.kind === 'later' ? outcome.waitSeconds : backoffOf(settings, attempt, deps.random()) / 1000
    logger[dead ? 'error' : 'warn'](dead ? 'work-dead' : 'work-failed', {
      tenant: work.tenant,
      id: work.id,
      handler: work.handler,
      attempt,
      error: outcome.error,
    })
    if (!dead) deps.onAgain(waitSeconds * 1000 + 5)
    // Work that could not even be tried has not used up an attempt.
    const counted = outcome.kind === 'later' ? '0' : '1'
    const wait = dead ? null : String(waitSeconds)
    return [statements.fail, [work.id, processId, wait, describeError(outcome.error), counted]]
  }
}

/** Another try may do better. */
const isPassing = (error: unknown): boolean =>
  isPartywallError(error) && /^ERR_(STORE_\w+|UPDATE_CONTENTION)$/.test(error.code)

/** What went wrong, short, never a body, and nothing that a text column refuses. */
export function describeError(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? `${String(error.code)}: ` : ''
  const message = error instanceof Error ? error.message : String(error)
  return `${code}${message}`.slice(0, 500).replaceAll('\u0000', '\u{FFFD}')
}
