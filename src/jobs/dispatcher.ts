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
import { within } from '../core/shutdown.ts'
import type { Database, Listener, Row } from '../postgres/database.ts'
import { textArray } from '../postgres/parameters.ts'
import { executeWork, type HeldWork } from './execution.ts'
import { createFairQueue, type Place, WAITING_FACTOR } from './fair-queue.ts'
import { createOutcomes } from './outcomes.ts'
import type { JobSettings } from './settings.ts'
import { HOLD_PROCESS, IS_PROCESS_GONE, WORK_STATEMENTS, type WorkTable } from './work-tables.ts'

export interface Dispatcher {
  /** Names this process in the rows it holds. */
  readonly processId: string
  start(): Promise<void>
  /** A place for a row that is about to be inserted as held by this process; `undefined`: insert it as due. */
  reserve(tenant: TenantUid): Place<HeldWork> | undefined
  /** Whether a row is in this process's memory, waiting or running. */
  isHeld(id: string): boolean
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
/** Rows of one tenant that are taken over at a time however full the memory is. */
const LEAST_SHARE = 4
export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { database, settings, logger } = deps
  const processId = newRowId()
  const execution = { ...deps, handlerTimeoutMs: settings.handlerTimeoutMs }
  const outcomes = createOutcomes({
    pool: database.app,
    processId,
    settings,
    logger,
    random: deps.random,
    onAgain: lookSoon,
    isClosing: () => closing,
  })
  /** What this process has in memory: only that is kept alive. A row that got lost on the way is due when its lease ends. */
  const held = new Map<string, HeldWork>()
  /** Where a walk over the tenants was cut short; none: it begins with the first. */
  const cursors = new Map<WorkTable, string>()
  /** Tenants that have (perhaps) more in the database than was taken over. */
  const left: Readonly<Record<WorkTable, Set<TenantUid>>> = { inbox: new Set(), job: new Set() }
  /** Those of them that have room in memory again. */
  const hungry = new Set<TenantUid>()
  let session: Listener | undefined
  let timer: NodeJS.Timeout | undefined
  let beatTimer: NodeJS.Timeout | undefined
  let looking: Promise<void> | undefined
  let lookAgain = false
  let closing = false

  const queue = createFairQueue<HeldWork, TenantUid>({
    total: settings.concurrency,
    perTenant: settings.concurrencyPerTenant,
    waitingPerTenant: settings.waitingPerTenant,
    run: work => settle(work),
    onRoom: tenant => {
      if (TABLES.some(table => left[table].has(tenant)) && isHungry(tenant)) hungry.add(tenant)
      if (cursors.size > 0 && queue.waiting < settings.concurrency) lookSoon()
      else if (hungry.size > 0) look()
    },
  })
  /** Asked before the last one has begun, so that a tenant alone never stands still. */
  const isHungry = (tenant: TenantUid) => queue.waitingOf(tenant) < settings.concurrencyPerTenant / 2
  const isMemoryFull = () => queue.waiting >= settings.concurrency * WAITING_FACTOR

  async function settle(work: HeldWork): Promise<void> {
    await outcomes.write(work, await executeWork(work, execution))
    held.delete(work.id)
  }

  function lookSoon(waitMs = 0): void {
    if (closing) return
    if (waitMs > 0) {
      setTimeout(() => lookSoon(), waitMs).unref()
      return
    }
    lookAgain = true
    look()
  }

  function look(): void {
    if (closing) return
    looking ??= lookAround().finally(() => {
      looking = undefined
      if (hungry.size > 0) look()
    })
  }

  async function lookAround(): Promise<void> {
    try {
      while ((lookAgain || hungry.size > 0) && !closing) {
        const isWalk = lookAgain
        lookAgain = false
        const fed = [...hungry]
        hungry.clear()
        for (const table of TABLES) {
          const asked = fed.filter(tenant => left[table].has(tenant))
          if (asked.length > 0) await claim(table, asked)
          if (isWalk) await walk(table)
        }
      }
    } catch (error) {
      // The next poll walks over all of them.
      logger.warn('work-claim-failed', { error })
    }
  }

  /** Once past every tenant that waits, unless memory is full before: then the next walk goes on there, and one from the start follows. */
  async function walk(table: WorkTable): Promise<void> {
    let after = cursors.get(table) ?? FIRST
    // Before another walk is asked for: with the memory full it would be asked for for ever, and nothing else would run.
    if (!isMemoryFull() && cursors.delete(table)) lookAgain = true
    for (let isMore = true; isMore && !closing; ) {
      if (isMemoryFull()) {
        cursors.set(table, after)
        return
      }
      const rows = await database.jobs.query(WORK_STATEMENTS[table].waiting, [after, String(TENANTS_PER_ROUND)])
      const tenants = rows.map(([tenant]) => tenantUid(tenant ?? ''))
      // Who has enough in memory is asked again when that runs out, and leaves the room to the others.
      for (const tenant of tenants) if (!isHungry(tenant)) left[table].add(tenant)
      const asked = tenants.filter(isHungry)
      if (asked.length > 0) await claim(table, asked)
      after = tenants.at(-1) ?? FIRST
      isMore = tenants.length === TENANTS_PER_ROUND
    }
  }

  /** Holds the next rows of these tenants, some of each: one tenant's backlog never fills the memory. */
  async function claim(table: WorkTable, tenants: readonly TenantUid[]): Promise<void> {
    const room = settings.concurrency * 2 - queue.running - queue.waiting
    const share = Math.max(LEAST_SHARE, Math.min(settings.waitingPerTenant, Math.floor(room / tenants.length)))
    const rows = await database.jobs.query(WORK_STATEMENTS[table].claim, [
      textArray(tenants),
      String(share),
      textArray(deps.handlers.names()),
      processId,
      String(settings.leaseSeconds),
    ])
    const byTenant = new Map<TenantUid, Row[]>(tenants.map(tenant => [tenant, []]))
    for (const row of rows) byTenant.get(tenantUid(row[0] ?? ''))?.push(row)
    for (const [tenant, held] of byTenant) {
      if (held.length < share) left[table].delete(tenant)
      else left[table].add(tenant)
    }
    await Promise.all([...byTenant].map(([tenant, held]) => takeOver(table, tenant, held)))
  }

  async function takeOver(table: WorkTable, tenant: TenantUid, rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return
    const ids = rows.map(row => row[1] ?? '')
    const found = await database.app.query(tenant, WORK_STATEMENTS[table].payloads, [textArray(ids)])
    if (closing) return
    const payloads = new Map(found.map(([id, payload]) => [id ?? '', payload ?? 'null']))
    for (const [, id, identity, handler, attempts, maxAttempts] of rows) {
      const payload = payloads.get(id ?? '')
      if (payload === undefined) continue
      const work: HeldWork = {
        table,
        tenant,
        id: id ?? '',
        identity: identityUid(identity ?? ''),
        handler: handler ?? '',
        attempts: Number(attempts),
        maxAttempts: Number(maxAttempts ?? settings.maxAttempts),
        payload,
      }
      held.set(work.id, work)
      queue.push(tenant, work)
    }
  }

  /** Rows of processes that are known to be gone, and those whose lease has ended, become due. */
  async function reclaim(): Promise<void> {
    for (const table of TABLES) {
      const statements = WORK_STATEMENTS[table]
      const owners = (await database.jobs.query(statements.owners, [])).map(([owner]) => owner ?? FIRST)
      // Not "all but the living": who takes its first row meanwhile is not among the owners, and lives.
      const gone: string[] = []
      for (const owner of owners) {
        if (owner === processId) continue
        const [row] = await database.jobs.query(IS_PROCESS_GONE, [owner])
        if (row?.[0] === 't') gone.push(owner)
      }
      if (owners.length > 0) await database.jobs.query(statements.reclaim, [textArray(gone)])
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
        const kept = [...held.values()].filter(work => work.table === table)
        await database.jobs.query(WORK_STATEMENTS[table].beat, [
          textArray(kept.map(work => work.tenant)),
          textArray(kept.map(work => work.id)),
          processId,
          String(settings.leaseSeconds),
        ])
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
    reserve(tenant) {
      // Behind those of this tenant that wait in the database, or they would wait as long as new ones come.
      if (closing || session === undefined || left.inbox.has(tenant)) return undefined
      const place = queue.reserve(tenant)
      if (place === undefined) return undefined
      return {
        cancel: place.cancel,
        fill(work) {
          held.set(work.id, work)
          place.fill(work)
        },
      }
    },
    isHeld: id => held.has(id),
    lookSoon,
    async close(graceMs) {
      closing = true
      clearTimeout(timer)
      clearInterval(beatTimer)
      // What has not started is let go with the session: another process finds its owner gone.
      queue.clear()
      await within(graceMs, Promise.all([looking, queue.drained()]))
      await session?.close()
      session = undefined
    },
  }
}
