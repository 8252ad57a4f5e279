/**
 * What happens to data after its time: tenants whose retention is over are erased, rows whose time is over are deleted.
 *
 * When retention begins and ends is decided with the change itself (`registry-apply`); here it is only carried out.
 */

import { type TenantUid, tenantUid } from '../core/ids.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { IdentityRecord } from '../core/tenant.ts'
import type { Database, PlainPool, Statement } from './database.ts'
import { NO_FAREWELL_OWED } from './farewells.ts'
import type { RetentionPolicy } from './registry-apply.ts'
import { type Erasure, eraseTenant } from './retention-erase.ts'

/** Most rows of one kind deleted, and tenants erased, per statement. */
const SWEEP_ROWS = 5_000
const SWEEP_TENANTS = 100
const DEFAULT_SWEEP_MS = 60_000
/** How long an uninstall with retention 0 waits for transactions that were open when it began. */
const ERASE_WAIT_MS = 3_000

const DUE: Statement = {
  name: 'pw_retention_due',
  text: `select tenant_id from pw.tenant t where purge_after <= now() and hold in ('none', 'erasing')
    and tenant_id > $1 and ${NO_FAREWELL_OWED} order by tenant_id limit ${SWEEP_TENANTS}`,
}
const EXPIRED_VALUES: Statement = {
  name: 'pw_retention_expired_values',
  text: `with expired as materialized (select tenant_id, space, scope, key from pw.kv where expires_at < now() limit ${SWEEP_ROWS}),
    gone as (delete from pw.kv k using expired e where k.tenant_id = e.tenant_id and k.space = e.space and k.scope = e.scope
      and k.key = e.key and k.expires_at < now() returning 1)
    select count(*) from gone`,
}
/** Values of Forge apps, and what their indexes say of them. */
const EXPIRED_FORGE_VALUES: Statement = {
  name: 'pw_retention_expired_forge_values',
  text: `with expired as materialized (select tenant_id, space, key from pw.forge_value where expires_at < now() limit ${SWEEP_ROWS}),
    gone as (delete from pw.forge_value v using expired e where v.tenant_id = e.tenant_id and v.space = e.space
      and v.key = e.key and v.expires_at < now() returning v.tenant_id, v.space, v.key),
    unindexed as (delete from pw.forge_index i using gone g where i.tenant_id = g.tenant_id and i.space = g.space
      and i.key = g.key returning 1)
    select count(*) from gone`,
}
const expiredRows = (table: string, name: string): Statement => ({
  name,
  text: `with expired as materialized (select ctid from ${table} where expires_at < now() - interval '1 minute' limit ${SWEEP_ROWS}),
    gone as (delete from ${table} t using expired e where t.ctid = e.ctid and t.expires_at < now() returning 1)
    select count(*) from gone`,
})
const EXPIRED_USED_TOKENS = expiredRows('pw.used_token', 'pw_retention_expired_used_tokens')
const EXPIRED_TOKENS = expiredRows('pw.token', 'pw_retention_expired_tokens')
const FIRST = '00000000-0000-0000-0000-000000000000'

export interface RetentionOptions {
  readonly database: Pick<Database, 'app' | 'system' | 'jobs'>
  readonly clock: Clock
  readonly logger: Logger
  readonly retention: RetentionPolicy
  /** Milliseconds between sweeps; default 60,000. */
  readonly sweepMs?: number
  /** Longest wait for open transactions in an erasure; default 3,000. */
  readonly eraseWaitMs?: number
}

export interface Sweep {
  readonly erased: number
  /** Begun, and gone on with at the next sweep. */
  readonly pending: number
  readonly values: number
  readonly tokens: number
  readonly usedTokens: number
}

export interface Retention {
  /** Erases the tenant now if its retention is over: with retention 0 before the uninstall is answered. */
  eraseIfDue(identity: Pick<IdentityRecord, 'tenantUid'>): Promise<void>
  /** One round: erases every tenant that is due, deletes every row whose time is over. */
  sweep(): Promise<Sweep>
  /** Sweeps by itself from now on. */
  start(): void
  /** Ends the running sweep after its present step. */
  close(): Promise<void>
}

export function createRetention(options: RetentionOptions): Retention {
  const { database, clock, logger, sweepMs = DEFAULT_SWEEP_MS } = options
  let isClosed = false
  const deps = { database, clock, waitMs: options.eraseWaitMs ?? ERASE_WAIT_MS, mustStop: () => isClosed }
  let timer: NodeJS.Timeout | undefined
  let running: Promise<Sweep> | undefined

  const eraseDue = async (): Promise<{ erased: number; pending: number }> => {
    const count = { erased: 0, pending: 0 }
    for (let after = FIRST; !isClosed; ) {
      const due = (await database.system.query(DUE, [after])).map(([uid]) => tenantUid(uid ?? ''))
      for (const tenant of due) {
        if (isClosed) return count
        const erasure = await eraseOne(tenant)
        if (erasure !== 'not-due') count[erasure]++
        after = tenant
      }
      if (due.length < SWEEP_TENANTS) break
    }
    return count
  }

  /** One tenant that cannot be erased must not keep the others. */
  const eraseOne = async (tenant: TenantUid): Promise<Erasure> => {
    try {
      return await eraseTenant(deps, tenant)
    } catch (error) {
      logger.error('erasure-failed', { tenant, error })
      return 'pending'
    }
  }

  const deleteAll = async (pool: PlainPool, statement: Statement): Promise<number> => {
    let total = 0
    while (!isClosed) {
      const [row] = await pool.query(statement, [])
      const count = Number(row?.[0])
      total += count
      if (count < SWEEP_ROWS) break
    }
    return total
  }

  const sweepOnce = async (): Promise<Sweep> => ({
    ...(await eraseDue()),
    values: (await deleteAll(database.jobs, EXPIRED_VALUES)) + (await deleteAll(database.jobs, EXPIRED_FORGE_VALUES)),
    tokens: await deleteAll(database.system, EXPIRED_TOKENS),
    usedTokens: await deleteAll(database.system, EXPIRED_USED_TOKENS),
  })

  const sweep = (): Promise<Sweep> => {
    running ??= sweepOnce().finally(() => {
      running = undefined
    })
    return running
  }

  const schedule = (): void => {
    // Spread out, so that the processes of an app do not all sweep at the same moment.
    timer = setTimeout(() => void sweepAndGoOn(), sweepMs * (0.5 + Math.random() / 2)).unref()
  }

  const sweepAndGoOn = async (): Promise<void> => {
    try {
      const done = await sweep()
      if (done.erased > 0 || done.pending > 0) logger.info('tenants-erased', { ...done })
    } catch (error) {
      logger.warn('sweep-failed', { error })
    }
    if (!isClosed) schedule()
  }

  return {
    async eraseIfDue({ tenantUid: tenant }) {
      if (options.retention.days > 0) return
      const erasure = await eraseTenant(deps, tenant)
      // What was there is gone; rows that a transaction from before may still commit go with a sweep.
      if (erasure === 'pending') logger.warn('erasure-pending', { tenant })
    },
    sweep,
    start() {
      if (timer === undefined && !isClosed) schedule()
    },
    async close() {
      isClosed = true
      clearTimeout(timer)
      try {
        await running
      } catch (error) {
        logger.warn('sweep-failed', { error })
      }
    },
  }
}
