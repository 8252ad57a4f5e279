/** Statements on `pw.forge_value` and `pw.forge_index`. No statement names a tenant: the policies do. A row whose time is over is absent. */

import type { Row, Statement } from '../../postgres/database.ts'

const ALIVE = '(expires_at is null or expires_at > now())'
const MS = (column: string): string => `floor(extract(epoch from ${column}) * 1000)::bigint`
const COLUMNS = (prefix = ''): string =>
  `${prefix}key, ${prefix}value, ${MS(`${prefix}created_at`)}, ${MS(`${prefix}updated_at`)}, ${MS(`${prefix}expires_at`)}`

export interface StoredValue {
  readonly key: string
  /** JSON text. */
  readonly text: string
  /** Epoch milliseconds. */
  readonly createdAt: number
  readonly updatedAt: number
  readonly expiresAt: number | undefined
}

export const readRow = (row: Row, offset = 0): StoredValue => ({
  key: row[offset] ?? '',
  text: row[offset + 1] ?? 'null',
  createdAt: Number(row[offset + 2]),
  updatedAt: Number(row[offset + 3]),
  expiresAt: row[offset + 4] == null ? undefined : Number(row[offset + 4]),
})

/** $1 space, $2 key. */
export const GET: Statement = {
  name: 'forge_value_get',
  text: `select ${COLUMNS()} from pw.forge_value where space = $1 and key = $2 and ${ALIVE}`,
}
/** The same, held until the transaction ends. */
export const GET_LOCKED: Statement = { name: 'forge_value_get_locked', text: `${GET.text} for update` }

const upsert = (
  condition: string,
): string => `insert into pw.forge_value as old (tenant_id, space, key, value, expires_at)
  values (current_setting('pw.tenant_id')::uuid, $1, $2, $3::json, now() + interval '1 second' * $4::float8)
  on conflict (tenant_id, space, key) do update set value = excluded.value, updated_at = now(), expires_at = excluded.expires_at,
    created_at = case when old.expires_at <= now() then now() else old.created_at end ${condition}
  returning ${COLUMNS()}`

/** $1 space, $2 key, $3 JSON text, $4 seconds to live or null. */
export const SET: Statement = { name: 'forge_value_set', text: upsert('') }
/** Gives no row where a value is there. */
export const INSERT: Statement = { name: 'forge_value_insert', text: upsert('where old.expires_at <= now()') }
export const DELETE: Statement = {
  name: 'forge_value_delete',
  text: `delete from pw.forge_value where space = $1 and key = $2 returning ${ALIVE}`,
}

/** $2 first key, $3 end or null, $4 after or null, $5 rows. */
export const LIST: Statement = {
  name: 'forge_value_list',
  text: `select ${COLUMNS()} from pw.forge_value where space = $1 and key >= $2 and ($3::text is null or key < $3)
    and ($4::text is null or key > $4) and ${ALIVE} order by key limit $5::int`,
}

/** The same downwards; $4 before. */
export const LIST_DOWN: Statement = {
  name: 'forge_value_list_down',
  text: `select ${COLUMNS()} from pw.forge_value where space = $1 and key >= $2 and ($3::text is null or key < $3)
    and ($4::text is null or key < $4) and ${ALIVE} order by key desc limit $5::int`,
}

export const UNINDEX: Statement = {
  name: 'forge_index_delete',
  text: 'delete from pw.forge_index where space = $1 and key = $2',
}
/** $2 key, $3-$5 arrays of index, partition, range. */
export const INDEX: Statement = {
  name: 'forge_index_insert',
  text: `insert into pw.forge_index (tenant_id, space, name, partition, range, key)
    select current_setting('pw.tenant_id')::uuid, $1, w.name, w.partition, w.range, $2
    from unnest($3::text[], $4::text[], $5::text[]) w(name, partition, range) on conflict do nothing`,
}

const scan = (name: string, direction: 'asc' | 'desc', after: string): Statement => ({
  name,
  text: `select i.range, ${COLUMNS('v.')} from pw.forge_index i
    join pw.forge_value v on v.tenant_id = i.tenant_id and v.space = i.space and v.key = i.key
    where i.space = $1 and i.name = $2 and i.partition = $3 and i.range >= $4 and i.range < $5
      and ($6::text is null or ${after}) and (v.expires_at is null or v.expires_at > now())
    order by i.range ${direction}, i.key ${direction} limit $8::int`,
})
/** $2 index, $3 partition, $4 first range, $5 end, $6 and $7 range and key after which to go on, or null, $8 rows. */
export const SCAN: Statement = scan('forge_index_scan', 'asc', '(i.range, i.key) > ($6, $7)')
export const SCAN_DOWN: Statement = scan('forge_index_scan_down', 'desc', '(i.range, i.key) < ($6, $7)')

/** Ends when the transaction does: changes of one key, also of one that is not there, come one after the other. $1 text. */
export const LOCK: Statement = {
  name: 'forge_value_lock',
  text: `select pg_advisory_xact_lock(hashtextextended(current_setting('pw.tenant_id') || $1, 11))`,
}
