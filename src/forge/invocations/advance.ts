/**
 * Moves the clock of Forge's timers for tests: what is due is run in its order, one due time after the other, with real rows, real
 * queues and real processes. The database's clock stays what it is; the due times move towards it.
 */

import { setTimeout as delay } from 'node:timers/promises'
import type { TenantUid } from '../../core/ids.ts'
import type { BoundPool, Statement } from '../../postgres/database.ts'
import { textArray } from '../../postgres/parameters.ts'
import type { MovableTime } from './time.ts'

export interface AdvanceDeps {
  readonly pool: BoundPool
  readonly time: MovableTime
  /** Handlers whose work moves: those of one app and environment. */
  readonly handlers: readonly string[]
  /** The dispatcher is to look now. */
  readonly lookSoon: () => void
}

const NEXT: Statement = {
  name: 'forge_next_due',
  text: `select ceil(extract(epoch from min(run_at) - now()) * 1000) from pw.job
    where state = 'due' and handler = any($1::text[])`,
}
const MOVE_WORK: Statement = {
  name: 'forge_move_work',
  text: `update pw.job set run_at = run_at - make_interval(secs => $2::float8 / 1000)
    where state = 'due' and handler = any($1::text[])`,
}
const MOVE_VALUES: Statement = {
  name: 'forge_move_values',
  text: `update pw.forge_value set expires_at = expires_at - make_interval(secs => $1::float8 / 1000)
    where expires_at is not null`,
}
const UNFINISHED: Statement = {
  name: 'forge_unfinished',
  text: `select 1 from pw.job where handler = any($1::text[]) and (state = 'running' or (state = 'due' and run_at <= now())) limit 1`,
}
const LOOK_MS = 5

/** @param tenants  installations whose work moves */
export async function advance(ms: number, tenants: readonly TenantUid[], deps: AdvanceDeps): Promise<void> {
  if (!Number.isSafeInteger(ms) || ms < 0) throw new TypeError('a clock moves forward by whole milliseconds')
  await untilIdle(tenants, deps)
  for (let left = ms; left > 0; ) {
    const next = await nextDue(tenants, deps)
    const step = Math.min(left, Math.max(1, next ?? left))
    await move(step, tenants, deps)
    left -= step
    await untilIdle(tenants, deps)
  }
}

/** Resolves when nothing is due and nothing runs. */
export async function untilIdle(
  tenants: readonly TenantUid[],
  { pool, handlers, lookSoon }: Pick<AdvanceDeps, 'pool' | 'handlers' | 'lookSoon'>,
): Promise<void> {
  const isBusy = async (tenant: TenantUid) => (await pool.query(tenant, UNFINISHED, [textArray(handlers)])).length > 0
  for (const tenant of tenants) {
    while (await isBusy(tenant)) {
      lookSoon()
      await delay(LOOK_MS)
    }
  }
}

async function nextDue(tenants: readonly TenantUid[], { pool, handlers }: AdvanceDeps): Promise<number | undefined> {
  const found = await Promise.all(
    tenants.map(async tenant => (await pool.query(tenant, NEXT, [textArray(handlers)]))[0]?.[0]),
  )
  const times = found.flatMap(text => (text == null ? [] : [Number(text)]))
  return times.length === 0 ? undefined : Math.min(...times)
}

async function move(ms: number, tenants: readonly TenantUid[], { pool, time, handlers }: AdvanceDeps): Promise<void> {
  for (const tenant of tenants) {
    await pool.group(tenant, [
      [MOVE_WORK, [textArray(handlers), String(ms)]],
      [MOVE_VALUES, [String(ms)]],
    ])
  }
  time.move(ms)
}
