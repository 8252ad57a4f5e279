/**
 * The rows behind `tenantStore`: `KvPort` as constant statements on `pw.kv`.
 *
 * No statement names a tenant: the policies do, as equality on the first column of the primary key. Conditions use only
 * operators that PostgreSQL may run before the policies (equality and ranges of `COLLATE "C"` texts), so each one is a
 * range of the primary key. A row whose time is over is absent for every statement here; the sweep deletes it later.
 */

import { PartywallError } from '../core/errors.ts'
import type { TenantUid } from '../core/ids.ts'
import type { KvEntry, KvPort } from '../core/ports.ts'
import { rangeEnd, successor } from '../core/scope-encoding.ts'
import type { BoundPool, Parameter, Row, Statement } from './database.ts'
import { textArray } from './parameters.ts'

/** Rows `clear` deletes in one statement; up to here it is atomic. */
const CLEAR_ROWS = 5_000

const ALIVE = '(expires_at is null or expires_at > now())'

/**
 * Versions are microseconds of the database's clock, and one more than before where that is higher. A counter would start
 * again when a key is deleted and set anew, and a version read before that would fit the new value.
 */
const NEW_VERSION = "(date_part('epoch', clock_timestamp()) * 1000000)::bigint"

const GET: Statement = {
  name: 'pw_kv_get',
  text: `select value, version from pw.kv where space = $1 and scope = $2 and key = $3 and ${ALIVE}`,
}
const GET_MANY: Statement = {
  name: 'pw_kv_get_many',
  text: `select value, version, key from pw.kv where space = $1 and scope = $2 and key = any($3) and ${ALIVE}`,
}

const change = (
  condition: string,
): string => `update pw.kv set value = $4, version = greatest(version + 1, ${NEW_VERSION}),
    expires_at = now() + interval '1 second' * $5, updated_at = now()
  where space = $1 and scope = $2 and key = $3 ${condition} returning version`

const upsert = (
  condition: string,
): string => `insert into pw.kv as old (tenant_id, space, scope, key, value, version, expires_at)
  values (current_setting('pw.tenant_id')::uuid, $1, $2, $3, $4, ${NEW_VERSION}, now() + interval '1 second' * $5)
  on conflict (tenant_id, space, scope, key) do update set value = excluded.value,
    version = greatest(old.version + 1, excluded.version), expires_at = excluded.expires_at, updated_at = now() ${condition}
  returning version`

const CHANGE: Statement = { name: 'pw_kv_change', text: change('') }
const CHANGE_VERSION: Statement = { name: 'pw_kv_change_version', text: change(`and version = $6 and ${ALIVE}`) }
const UPSERT: Statement = { name: 'pw_kv_upsert', text: upsert('') }
const INSERT: Statement = { name: 'pw_kv_insert', text: upsert('where old.expires_at <= now()') }

const DELETE: Statement = {
  name: 'pw_kv_delete',
  text: `delete from pw.kv where space = $1 and scope = $2 and key = $3 returning ${ALIVE}`,
}
const DELETE_VERSION: Statement = {
  name: 'pw_kv_delete_version',
  text: `delete from pw.kv where space = $1 and scope = $2 and key = $3 and version = $4 and ${ALIVE} returning true`,
}

const list = (name: string, condition: string): Statement => ({
  name,
  text: `select value, version, key, scope from pw.kv where space = $1 and ${condition} and ${ALIVE} order by scope, key limit $2`,
})
const LIST = list('pw_kv_list', 'scope = $3 and key >= $4')
const LIST_TO = list('pw_kv_list_to', 'scope = $3 and key >= $4 and key < $5')
// `starts_with` is leakproof, `like` is not.
const LIST_BELOW = list('pw_kv_list_below', '(scope, key) >= ($3, $4) and starts_with(key, $5)')
const LIST_BELOW_TO = list('pw_kv_list_below_to', '(scope, key) >= ($3, $4) and starts_with(key, $5) and scope < $6')

// By place in the heap: a join of the rows with themselves would need statistics to be planned well.
const clear = (name: string, condition: string): Statement => ({
  name,
  text: `with gone as (delete from pw.kv where ctid = any(array(select ctid from pw.kv
    where space = $1 and scope >= $2 ${condition} order by scope, key limit ${CLEAR_ROWS})) returning ${ALIVE} as alive)
    select count(*), count(*) filter (where alive) from gone`,
})
const CLEAR = clear('pw_kv_clear', '')
const CLEAR_TO = clear('pw_kv_clear_to', 'and scope < $3')

/** The key-value rows of all tenants, each call bound to one of them by the database. */
export function createKv(app: BoundPool): KvPort {
  return {
    get: (tenant, space, scope, key) => app.query(tenant, GET, [space, scope, key]).then(firstEntry),

    async getMany(tenant, space, scope, keys) {
      const rows = await app.query(tenant, GET_MANY, [space, scope, textArray(keys)])
      return new Map(rows.map(row => [text(row, 2), toEntry(row)]))
    },

    async set(tenant, space, scope, key, value, { ttlSeconds, ifVersion }) {
      const values = [space, scope, key, value, ttlSeconds === undefined ? null : String(ttlSeconds)]
      const [row] = await (ifVersion === undefined
        ? changeOrInsert(app, tenant, values)
        : app.query(tenant, ...conditionalCall(values, ifVersion)))
      if (row === undefined) throw new PartywallError('ERR_VERSION_CONFLICT')
      return { version: Number(text(row, 0)) }
    },

    async del(tenant, space, scope, key, { ifVersion }) {
      const rows =
        ifVersion === undefined
          ? await app.query(tenant, DELETE, [space, scope, key])
          : await app.query(tenant, DELETE_VERSION, [space, scope, key, String(ifVersion)])
      return rows[0]?.[0] === 't'
    },

    async list(tenant, space, scope, options) {
      const rows = await app.query(tenant, ...listCall(space, scope, options))
      return rows.map(row => ({ ...toEntry(row), key: text(row, 2), scope: text(row, 3) }))
    },

    async clear(tenant, space, scope) {
      const end = rangeEnd(scope)
      let cleared = 0
      for (;;) {
        const [row] =
          end === undefined
            ? await app.query(tenant, CLEAR, [space, scope])
            : await app.query(tenant, CLEAR_TO, [space, scope, end])
        if (row === undefined) throw new TypeError('an aggregate gives one row')
        cleared += Number(text(row, 1))
        if (Number(text(row, 0)) < CLEAR_ROWS) return cleared
      }
    },
  }
}

/**
 * Keys are set more often than made, and an update that finds its row costs the server two thirds of an upsert. One that
 * finds none has done nothing; the upsert after it is right whatever has happened in between.
 */
async function changeOrInsert(
  app: BoundPool,
  tenant: TenantUid,
  values: readonly Parameter[],
): Promise<readonly Row[]> {
  const changed = await app.query(tenant, CHANGE, values)
  return changed.length > 0 ? changed : app.query(tenant, UPSERT, values)
}

function conditionalCall(values: readonly Parameter[], ifVersion: number): [Statement, readonly Parameter[]] {
  return ifVersion === 0 ? [INSERT, values] : [CHANGE_VERSION, [...values, String(ifVersion)]]
}

function listCall(
  space: string,
  scope: string,
  { prefix = '', below, after, limit }: Parameters<KvPort['list']>[3],
): [Statement, readonly Parameter[]] {
  if (below !== true) {
    const start = later(prefix, after === undefined ? '' : successor(after.key))
    const end = rangeEnd(prefix)
    const values = [space, String(limit), scope, start]
    return end === undefined ? [LIST, values] : [LIST_TO, [...values, end]]
  }
  const start = after === undefined ? [scope, ''] : [after.scope, successor(after.key)]
  const end = rangeEnd(scope)
  const values = [space, String(limit), ...start, prefix]
  return end === undefined ? [LIST_BELOW, values] : [LIST_BELOW_TO, [...values, end]]
}

/** The later of two texts in byte order; JavaScript's own comparison sees UTF-16. */
const later = (one: string, other: string): string =>
  Buffer.compare(Buffer.from(one), Buffer.from(other)) < 0 ? other : one

const firstEntry = ([row]: readonly Row[]): KvEntry | undefined => (row === undefined ? undefined : toEntry(row))

const toEntry = (row: Row): KvEntry => ({ value: text(row, 0), version: Number(text(row, 1)) })

function text(row: Row, column: number): string {
  const value = row[column]
  if (value === null || value === undefined) throw new TypeError(`column ${column} of a stored row is missing`)
  return value
}
