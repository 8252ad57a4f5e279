/**
 * The dispatcher: claims due rows of both work tables fairly between tenants, runs them bound, writes how they ended.
 *
 * A row this process holds carries its process id; the process proves that it lives by a shared advisory lock on a session
 * of its own. When the session is gone (SIGKILL), others take the rows over at their next look; a process that is alive
 * but stuck loses them when the lease ends. So work is done at least once, and by one process at a time.
 */

import type { Binder } from '../core/dialect.ts'
import { identityUid, newRowId, type TenantUid, tenantUid } from '../core/ids.ts'
import type { HandlerTable, Logger, Registry } from '../core/ports.ts'
import type { Database, Listener, Parameter, Row, Statement } from '../postgres/database.ts'
import { textArray } from '../postgres/parameters.ts'
import { executeWork, type HeldWork, type Outcome } from './execution.ts'
import { createFairQueue, type Place } from './fair-queue.ts'
import { backoffOf, type JobSettings } from './settings.ts'
import { createSharedCommit } from './shared-commit.ts'
import { HOLD_PROCESS, IS_PROCESS_GONE, WORK_STATEMENTS, type WorkTable } from './work-tables.ts'

export interface Dispatcher {
  /** Names this process in the rows it holds. */
  readonly processId: string
  start(): Promise<void>
  /** A place for a row that is about to be inserted as held by this process; `undefined`: insert it as due. */
  reserve(tenant: TenantUid): Place<HeldWork> | undefined
  /** There may be due rows: look soon, or in `waitMs`. */
  lookSoon(waitMs?: number): void
  /** Stops claiming, lets what runs finish for at most `graceMs`, gives the rest back. */
  close(graceMs: number): Promise<void>
}

export interface DispatcherDeps {
  readonly database: Database
  readonly registry: Registry
  readonly binder: Binder
  readonly handlers: HandlerTable & { names(): readonly string[] }
  readonly logger: Logger
  readonly random: () => number
  readonly settings: JobSettings
  /** Enqueues what schedules bring; asked on each poll. */
  readonly fireSchedules: () => Promise<number>
}

const TABLES: readonly WorkTable[] = ['inbox', 'job']
const FIRST = '00000000-0000-0000-0000-000000000000'
const TENANTS_PER_ROUND = 64
/** What is lost with the operating system is done again; a process that dies loses nothing of it. */
const LAZY_COMMIT: Statement = {
  name: 'work_lazy_commit',
  text: "select set_config('synchronous_commit', 'off', true)",
}

export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { database, settings, logger } = deps
  const processId = newRowId()
  const outcomes = createSharedCommit(database.app, { lanes: 1, maxMembers: 128, maxWaiting: 100_000 })
  const cursors = new Map<WorkTable, string>()
  let session: Listener | undefined
  let timer: NodeJS.Timeout | undefined
  let beatTimer: NodeJS.Timeout | undefined
  let looking: Promise<void> | undefined
  let lookAgain = false
  let closing = false

  const queue = createFairQueue<HeldWork>({
    total: settings.concurrency,
    perTenant: settings.concurrencyPerTenant,
    waitingPerTenant: settings.waitingPerTenant,
    run: work => settle(work),
    onRoom: () => {
      if (lookAgain && queue.waiting < settings.concurrencyPerTenant) lookSoon()
    },
  })

  async function settle(work: HeldWork): Promise<void> {
    const outcome = await executeWork(work, { ...deps, handlerTimeoutMs: settings.handlerTimeoutMs })
    try {
      await outcomes.run(work.tenant, [[LAZY_COMMIT, []], outcomeStatement(work, outcome)])
    } catch (error) {
      // The row stays ours until its lease ends, then it is due again: at least once.
      logger.warn('work-outcome-not-written', { tenant: work.tenant, id: work.id, error })
    }
  }

  function outcomeStatement(work: HeldWork, outcome: Outcome): readonly [Statement, readonly Parameter[]] {
    const statements = WORK_STATEMENTS[work.table]
    if (outcome.kind === 'done') return [statements.finish, [work.id, processId]]
    const attempt = work.attempts + 1
    const dead = outcome.kind === 'dead' || (outcome.kind === 'again' && attempt >= settings.maxAttempts)
    const waitSeconds =
      outcome.kind === 'later' ? outcome.waitSeconds : backoffOf(settings, attempt, deps.random()) / 1000
    logger[dead ? 'error' : 'warn'](dead ? 'work-dead' : 'work-failed', {
      tenant: work.tenant,
      id: work.id,
      handler: work.handler,
      attempt,
      error: outcome.error,
    })
    if (!dead) lookSoon(waitSeconds * 1000 + 5)
    return [statements.fail, [work.id, processId, dead ? null : String(waitSeconds), describeError(outcome.error)]]
  }

  function lookSoon(waitMs = 0): void {
    if (closing) return
    if (waitMs > 0) {
      setTimeout(() => lookSoon(), waitMs).unref()
      return
    }
    lookAgain = true
    looking ??= lookAround().finally(() => {
      looking = undefined
    })
  }

  async function lookAround(): Promise<void> {
    try {
      while (lookAgain && !closing && queue.room > 0) {
        lookAgain = false
        for (const table of TABLES) if (await claimRound(table)) lookAgain = true
        // The rest is asked for when what was taken has nearly run out.
        if (queue.waiting >= settings.concurrencyPerTenant) return
      }
    } catch (error) {
      logger.warn('work-claim-failed', { error })
    }
  }

  /** One round over the next tenants that wait; true when there may be more. */
  async function claimRound(table: WorkTable): Promise<boolean> {
    const statements = WORK_STATEMENTS[table]
    const after = cursors.get(table) ?? FIRST
    const waiting = await database.jobs.query(statements.waiting, [after, String(TENANTS_PER_ROUND)])
    const tenants = waiting.map(([tenant]) => tenant ?? FIRST)
    cursors.set(table, tenants.length < TENANTS_PER_ROUND ? FIRST : (tenants.at(-1) ?? FIRST))
    if (tenants.length === 0) return after !== FIRST
    const perTenant = Math.max(1, Math.min(settings.waitingPerTenant, Math.floor(queue.room / tenants.length)))
    const rows = await database.jobs.query(statements.claim, [
      textArray(tenants),
      String(perTenant),
      textArray(deps.handlers.names()),
      processId,
      String(settings.leaseSeconds),
    ])
    const byTenant = new Map<TenantUid, Row[]>()
    for (const row of rows) {
      const tenant = tenantUid(row[0] ?? '')
      byTenant.set(tenant, [...(byTenant.get(tenant) ?? []), row])
    }
    await Promise.all([...byTenant].map(([tenant, held]) => takeOver(table, tenant, held)))
    return rows.length > 0 || tenants.length === TENANTS_PER_ROUND
  }

  async function takeOver(table: WorkTable, tenant: TenantUid, rows: readonly Row[]): Promise<void> {
    const ids = rows.map(row => row[1] ?? '')
    const found = await database.app.query(tenant, WORK_STATEMENTS[table].payloads, [textArray(ids)])
    const payloads = new Map(found.map(([id, payload]) => [id ?? '', payload ?? 'null']))
    for (const [, id, identity, handler, attempts] of rows) {
      const payload = payloads.get(id ?? '')
      if (payload === undefined) continue
      queue.push(tenant, {
        table,
        tenant,
        id: id ?? '',
        identity: identityUid(identity ?? ''),
        handler: handler ?? '',
        attempts: Number(attempts),
        payload,
      })
    }
  }

  /** Rows of processes that are gone, or stuck beyond their lease, become due. */
  async function reclaim(): Promise<void> {
    for (const table of TABLES) {
      const statements = WORK_STATEMENTS[table]
      const owners = (await database.jobs.query(statements.owners, [])).map(([owner]) => owner ?? FIRST)
      const living = [processId]
      for (const owner of owners) {
        if (owner === processId) continue
        const [row] = await database.jobs.query(IS_PROCESS_GONE, [owner])
        if (row?.[0] !== 't') living.push(owner)
      }
      if (owners.some(owner => owner !== processId)) await database.jobs.query(statements.reclaim, [textArray(living)])
    }
  }

  async function openSession(): Promise<void> {
    session = await database.listen(
      'pw_work',
      () => undefined,
      error => {
        session = undefined
        logger.warn('work-session-lost', { error })
      },
    )
    await session.query(HOLD_PROCESS, [processId])
  }

  async function poll(): Promise<void> {
    try {
      if (session === undefined) await openSession()
      await reclaim()
      await deps.fireSchedules()
      lookSoon()
    } catch (error) {
      logger.warn('work-poll-failed', { error })
    } finally {
      if (!closing) timer = setTimeout(() => void poll(), settings.pollMs * (0.9 + 0.2 * deps.random())).unref()
    }
  }

  async function beat(): Promise<void> {
    try {
      for (const table of TABLES) {
        await database.jobs.query(WORK_STATEMENTS[table].beat, [processId, String(settings.leaseSeconds)])
        await database.jobs.query(WORK_STATEMENTS[table].sweep, [])
      }
    } catch (error) {
      logger.warn('work-beat-failed', { error })
    }
  }

  return {
    processId,
    async start() {
      await openSession()
      beatTimer = setInterval(() => void beat(), (settings.leaseSeconds * 1000) / 4).unref()
      await poll()
    },
    reserve: tenant => (closing || session === undefined ? undefined : queue.reserve(tenant)),
    lookSoon,
    async close(graceMs) {
      closing = true
      clearTimeout(timer)
      clearInterval(beatTimer)
      await looking
      // What has not started is let go with the session: another process finds its owner gone.
      queue.clear()
      await Promise.race([queue.drained(), new Promise(resolve => setTimeout(resolve, graceMs).unref())])
      await session?.close()
      session = undefined
    },
  }
}

/** For the dead letter's row: what went wrong, short, never a body. */
function describeError(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? `${String(error.code)}: ` : ''
  const message = error instanceof Error ? error.message : String(error)
  return `${code}${message}`.slice(0, 500)
}
