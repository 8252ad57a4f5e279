/**
 * Fires schedules: finds those that are due as pw_jobs, then, bound to the tenant and in one transaction, enqueues the
 * job and moves the schedule on. Two processes that see the same one due: the row lock lets one of them fire it.
 */

import { newRowId, type TenantUid, tenantUid } from '../core/ids.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Database, Statement } from '../postgres/database.ts'
import { textArray, timestamp } from '../postgres/parameters.ts'
import { nextRun } from './jobs.ts'
import type { JobSettings } from './settings.ts'

const DUE: Statement = {
  name: 'schedule_due',
  text: `select tenant_id, name from pw.schedule where next_at <= now() and handler = any($1::text[]) order by next_at limit 200`,
}
const TAKE: Statement = {
  name: 'schedule_take',
  text: `select identity_uid, cron, time_zone, handler, payload from pw.schedule where name = $1 and next_at <= now() for update skip locked`,
}
const ENQUEUE: Statement = {
  name: 'schedule_enqueue',
  text: `insert into pw.job (tenant_id, id, identity_uid, handler, key, payload, state, max_attempts)
    values ($1::uuid, $2::uuid, $3::uuid, $4, $5, $6::json, 'due', $7::int) on conflict do nothing`,
}
const MOVE_ON: Statement = {
  name: 'schedule_move_on',
  text: 'update pw.schedule set next_at = $2::timestamptz where name = $1',
}

export interface ScheduleFirer {
  /** Fires what is due now; returns how many jobs it enqueued. One schedule's trouble stops no other. */
  fire(): Promise<number>
}

export function createScheduleFirer(deps: {
  readonly database: Database
  readonly clock: Clock
  readonly logger: Logger
  readonly handlerNames: () => readonly string[]
  readonly settings: JobSettings
}): ScheduleFirer {
  const { database, clock, logger, settings } = deps
  return {
    async fire() {
      const due = await database.jobs.query(DUE, [textArray(deps.handlerNames())])
      let fired = 0
      for (const [tenant, name] of due) {
        try {
          if (await fireOne(tenantUid(tenant ?? ''), name ?? '')) fired += 1
        } catch (error) {
          logger.warn('schedule-failed', { tenant: tenant ?? '', name, error })
        }
      }
      return fired
    },
  }

  function fireOne(tenant: TenantUid, name: string): Promise<boolean> {
    return database.app.transaction(tenant, async transaction => {
      const [row] = await transaction.query(TAKE, [name])
      if (row === undefined) return false
      const [identity = '', cron, timeZone, handler = '', payload = 'null'] = row
      // A tick whose earlier job has not ended is left out, not piled up.
      await transaction.query(ENQUEUE, [
        tenant,
        newRowId(),
        identity,
        handler,
        `schedule:${name}`,
        payload,
        String(settings.maxAttempts),
      ])
      await transaction.query(MOVE_ON, [name, timestamp(nextRun(cron ?? '', timeZone ?? 'UTC', clock.now()))])
      return true
    })
  }
}
