/** A tenant's dead letters: what ended for good, and putting it back to work. Always bound to one tenant. */

import type { TenantUid } from '../core/ids.ts'
import type { BoundPool, Statement } from '../postgres/database.ts'
import type { WorkTable } from './work-tables.ts'

export interface DeadLetter {
  readonly id: string
  readonly kind: WorkTable
  readonly handler: string
  readonly attempts: number
  /** What went wrong last: code and message, never a body. */
  readonly error: string
  /** Epoch milliseconds. */
  readonly endedAt: number
}

export interface DeadLetters {
  /** Newest first. */
  list(tenant: TenantUid, limit?: number): Promise<readonly DeadLetter[]>
  /** Due again, with all its attempts before it. True when there was one. */
  retry(tenant: TenantUid, id: string): Promise<boolean>
  discard(tenant: TenantUid, id: string): Promise<boolean>
}

const LIST: Statement = {
  name: 'dead_list',
  text: `select id, 'inbox', handler, attempts, last_error, extract(epoch from finished_at) * 1000, finished_at from pw.inbox where state = 'dead'
    union all select id, 'job', handler, attempts, last_error, extract(epoch from finished_at) * 1000, finished_at from pw.job where state = 'dead'
    order by 7 desc limit $1::int`,
}
const statement = (verb: string, table: WorkTable, text: string): Statement => ({ name: `dead_${verb}_${table}`, text })
const TABLES: readonly WorkTable[] = ['inbox', 'job']

export function createDeadLetters(pool: BoundPool, lookSoon: () => void): DeadLetters {
  const onBoth = async (
    tenant: TenantUid,
    verb: string,
    id: string,
    text: (table: string) => string,
  ): Promise<boolean> => {
    const results = await pool.group(
      tenant,
      TABLES.map(table => [statement(verb, table, text(`pw.${table}`)), [id]] as const),
    )
    return results.some(rows => rows.length > 0)
  }
  return {
    async list(tenant, limit = 100) {
      const rows = await pool.query(tenant, LIST, [String(limit)])
      return rows.map(([id, kind, handler, attempts, error, endedAt]) => ({
        id: id ?? '',
        kind: kind === 'job' ? 'job' : 'inbox',
        handler: handler ?? '',
        attempts: Number(attempts),
        error: error ?? '',
        endedAt: Math.round(Number(endedAt)),
      }))
    },
    async retry(tenant, id) {
      const again = await onBoth(
        tenant,
        'retry',
        id,
        table =>
          `update ${table} set state = 'due', run_at = now(), attempts = 0, finished_at = null where id = $1::uuid and state = 'dead' returning id`,
      )
      if (again) lookSoon()
      return again
    },
    discard: (tenant, id) =>
      onBoth(
        tenant,
        'discard',
        id,
        table => `delete from ${table} where id = $1::uuid and state = 'dead' returning id`,
      ),
  }
}
