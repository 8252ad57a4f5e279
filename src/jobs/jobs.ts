/** Jobs that an app enqueues for a tenant: the same table shape, leases and retries as deliveries; and schedules that enqueue them. */

import { Cron } from 'croner'
import type { TenantContext } from '../core/context.ts'
import { PartywallError } from '../core/errors.ts'
import { newRowId } from '../core/ids.ts'
import type { Clock, Jobs } from '../core/ports.ts'
import type { JsonValue } from '../core/tenant.ts'
import type { Database, Statement } from '../postgres/database.ts'
import { timestamp } from '../postgres/parameters.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { JobSettings } from './settings.ts'

const MAX_PAYLOAD_BYTES = 256 * 1024

const INSERT: Statement = {
  name: 'job_insert',
  text: `insert into pw.job (tenant_id, id, identity_uid, handler, key, payload, state, run_at, max_attempts)
    values ($1::uuid, $2::uuid, $3::uuid, $4, $5, $6::json, 'due', coalesce($7::timestamptz, now()), $8::int)
    on conflict do nothing returning id`,
}
const BY_KEY: Statement = {
  name: 'job_by_key',
  text: `select id from pw.job where key = $1 and state in ('due', 'running') limit 1`,
}
const SCHEDULE: Statement = {
  name: 'schedule_set',
  text: `insert into pw.schedule (tenant_id, name, identity_uid, cron, time_zone, handler, payload, next_at)
    values ($1::uuid, $2, $3::uuid, $4, $5, $6, $7::json, $8::timestamptz)
    on conflict (tenant_id, name) do update set identity_uid = excluded.identity_uid, cron = excluded.cron,
      time_zone = excluded.time_zone, handler = excluded.handler, payload = excluded.payload, next_at = excluded.next_at`,
}
const UNSCHEDULE: Statement = {
  name: 'schedule_remove',
  text: 'delete from pw.schedule where name = $1 returning name',
}

export function createJobs(deps: {
  readonly database: Database
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly settings: JobSettings
}): Jobs {
  const { database, dispatcher, clock, settings } = deps
  return {
    async enqueue(context, job) {
      await writable(context)
      const id = newRowId()
      const rows = await database.app.query(context.tenantUid, INSERT, [
        context.tenantUid,
        id,
        context.identity.uid,
        job.handler,
        job.key ?? null,
        jsonOf(job.payload),
        timestamp(job.runAt),
        String(job.maxAttempts ?? settings.maxAttempts),
      ])
      dispatcher.lookSoon(job.runAt === undefined ? 0 : Math.min(Math.max(0, job.runAt - clock.now()), 2 ** 31 - 1))
      if (rows.length > 0) return { id }
      const [earlier] = await database.app.query(context.tenantUid, BY_KEY, [job.key ?? null])
      // The one with this key has ended in between: the caller's wish is done or can be made again.
      if (earlier?.[0] == null)
        throw new PartywallError('ERR_VERSION_CONFLICT', { message: 'the job with this key has just ended' })
      return { id: earlier[0] }
    },

    async schedule(context, schedule) {
      await writable(context)
      const next = nextRun(schedule.cron, schedule.timeZone ?? 'UTC', clock.now())
      await database.app.query(context.tenantUid, SCHEDULE, [
        context.tenantUid,
        schedule.name,
        context.identity.uid,
        schedule.cron,
        schedule.timeZone ?? 'UTC',
        schedule.handler,
        jsonOf(schedule.payload),
        timestamp(next),
      ])
    },

    async unschedule(context, name) {
      await writable(context)
      return (await database.app.query(context.tenantUid, UNSCHEDULE, [name])).length > 0
    },
  }
}

/**
 * The next time a cron expression fires after `after` (epoch milliseconds).
 * @throws ERR_JOB_INVALID for an expression or time zone that croner refuses, or one that never fires again
 */
export function nextRun(cron: string, timeZone: string, after: number): number {
  try {
    const next = new Cron(cron, { timezone: timeZone, paused: true }).nextRun(new Date(after))
    if (next !== null) return next.getTime()
  } catch (cause) {
    throw new PartywallError('ERR_JOB_INVALID', {
      message: `not a cron expression or time zone: ${cron} ${timeZone}`,
      cause,
    })
  }
  throw new PartywallError('ERR_JOB_INVALID', { message: `this cron expression never fires: ${cron}` })
}

function jsonOf(payload: JsonValue): string {
  const text = JSON.stringify(payload)
  if (text === undefined) throw new PartywallError('ERR_JOB_INVALID', { message: 'the payload is not JSON' })
  if (Buffer.byteLength(text) > MAX_PAYLOAD_BYTES) throw new PartywallError('ERR_VALUE_TOO_LARGE')
  return text
}

async function writable(context: TenantContext): Promise<void> {
  const checked = context.ensureLive()
  if (checked !== undefined) await checked
  if (context.mode === 'read-only') throw new PartywallError('ERR_TENANT_READ_ONLY')
}
