/** The registry's SQL. Every text is constant; what varies is a parameter. */

import type { Statement } from './database.ts'
import { FAREWELL_HOLD } from './farewells.ts'
import { IDENTITY_COLUMNS } from './registry-records.ts'

const FROM = `join pw.tenant t on t.tenant_id = i.tenant_id left join pw.data_key d on d.tenant_id = i.tenant_id`

const KEYS = 'unnest($1::text[], $2::text[], $3::text[], $4::text[])'
const MATCHES =
  'i.app = w.app and i.environment = w.environment and i.dialect = w.dialect and i.external_id = w.external_id'

/** $1-$4 arrays of app, environment, dialect, external id. First column: position of the key, from 1. */
export const FIND_BY_KEY: Statement = {
  name: 'pw_registry_by_key',
  text: `select w.position, ${IDENTITY_COLUMNS}
    from ${KEYS} with ordinality w(app, environment, dialect, external_id, position) join pw.identity i on ${MATCHES} ${FROM}`,
}

/** $1 tenants, $2 identities. First column: position. */
export const FIND_BY_UID: Statement = {
  name: 'pw_registry_by_uid',
  text: `select w.position, ${IDENTITY_COLUMNS}
    from unnest($1::uuid[], $2::uuid[]) with ordinality w(tenant_id, uid, position)
    join pw.identity i on i.tenant_id = w.tenant_id and i.uid = w.uid ${FROM}`,
}

/** $4 after this external id, $5 rows at most. A range of the one unique key that is not led by the tenant. */
export const LIST: Statement = {
  name: 'pw_registry_list',
  text: `select external_id from pw.identity where app = $1 and environment = $2 and dialect = $3 and external_id > $4
    and state not in ('uninstalled', 'retired') order by external_id limit $5::int`,
}

/** $1 tenants, $2 identities: version, secret version, state and hold, for checking what is in memory. */
export const VERSIONS: Statement = {
  name: 'pw_registry_versions',
  text: `select i.uid, i.version, i.secret_version, i.state, t.hold from unnest($1::uuid[], $2::uuid[]) w(tenant_id, uid)
    join pw.identity i on i.tenant_id = w.tenant_id and i.uid = w.uid join pw.tenant t on t.tenant_id = i.tenant_id`,
}

/** $1 encoded keys. Changes of one key come one after the other, also while there is no row to lock. */
export const LOCK_KEYS: Statement = {
  name: 'pw_registry_lock_keys',
  text: `select pg_advisory_xact_lock(lock) from
    (select distinct hashtextextended(key, 7) as lock from unnest($1::text[]) key order by lock) ordered`,
}
/** The tenants before their identities, as erasure does; several identities of a tenant take turns. */
export const LOCK_TENANTS: Statement = {
  name: 'pw_registry_lock_tenants',
  text: `select t.tenant_id from pw.tenant t where t.tenant_id in
      (select i.tenant_id from ${KEYS} w(app, environment, dialect, external_id) join pw.identity i on ${MATCHES})
    order by t.tenant_id for update of t`,
}
/**
 * $5 hashes of the changes' tokens. First three columns: position of the key, body hash the token was used with, and the
 * newest epoch.
 */
export const READ_LOCKED: Statement = {
  name: 'pw_registry_read_locked',
  text: `select w.position, (select u.body_hash from pw.used_token u
      where u.tenant_id = i.tenant_id and u.identity_uid = i.uid and u.token_hash = w.token_hash),
    (select n from pw.epoch), ${IDENTITY_COLUMNS}
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[])
      with ordinality w(app, environment, dialect, external_id, token_hash, position)
    join pw.identity i on ${MATCHES} ${FROM} for update of i`,
}

export const INSERT_TENANT: Statement = {
  name: 'pw_registry_insert_tenant',
  text: `with tenant as (insert into pw.tenant (tenant_id) values ($1))
    insert into pw.data_key (tenant_id, kek_id, wrapped) values ($1, $2, $3)`,
}
export const INSERT_IDENTITY: Statement = {
  name: 'pw_registry_insert_identity',
  text: `insert into pw.identity (tenant_id, uid, app, environment, dialect, external_id, host, state, reason, ordered_at, attributes)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, to_timestamp($10::float8 / 1000), $11)`,
}
/** $9 null leaves the attributes. */
export const UPDATE_IDENTITY: Statement = {
  name: 'pw_registry_update_identity',
  text: `update pw.identity set state = $3, reason = $4, version = version + 1, secret_version = secret_version + $5::int,
      ordered_at = greatest(ordered_at, to_timestamp($6::float8 / 1000)), changed_at = now(),
      refused_at = case when $7::boolean then null else refused_at end,
      uninstalled_at = case when $3 = 'uninstalled' then now() when $8::boolean then null else uninstalled_at end,
      attributes = coalesce($9::json, attributes)
    where tenant_id = $1 and uid = $2`,
}
export const ADVANCE_ORDER: Statement = {
  name: 'pw_registry_advance_order',
  text: `update pw.identity set ordered_at = greatest(ordered_at, to_timestamp($3::float8 / 1000)) where tenant_id = $1 and uid = $2`,
}
/** An ended identity gives its name to a new one; its tenant's data stays until retention is over. */
export const SET_ASIDE: Statement = {
  name: 'pw_registry_set_aside',
  text: `update pw.identity set state = 'retired', reason = 'replaced', version = version + 1, changed_at = now(),
    external_id = 'replaced:' || uid where tenant_id = $1 and uid = $2`,
}
/** What was used with the old identity stays used: $1, $2 old, $3, $4 new. */
export const COPY_USED_TOKENS: Statement = {
  name: 'pw_registry_copy_used_tokens',
  text: `insert into pw.used_token (tenant_id, identity_uid, token_hash, body_hash, expires_at)
    select $3, $4, token_hash, body_hash, expires_at from pw.used_token
    where tenant_id = $1 and identity_uid = $2 and expires_at > now()`,
}

/** $3 names, $4 version, $5 boxes. */
export const INSERT_SECRETS: Statement = {
  name: 'pw_registry_insert_secrets',
  text: `insert into pw.secret (tenant_id, identity_uid, name, version, box)
    select $1, $2, n, $4, b from unnest($3::text[], $5::bytea[]) w(n, b)`,
}
/** $3 names, $4 version: older ones are gone with the change. */
export const DELETE_OLDER_SECRETS: Statement = {
  name: 'pw_registry_delete_older_secrets',
  text: 'delete from pw.secret where tenant_id = $1 and identity_uid = $2 and name = any($3::text[]) and version < $4',
}
export const DELETE_TOKENS: Statement = {
  name: 'pw_registry_delete_tokens',
  text: 'delete from pw.token where tenant_id = $1 and identity_uid = $2',
}
export const INSERT_USED_TOKEN: Statement = {
  name: 'pw_registry_insert_used_token',
  text: `insert into pw.used_token (tenant_id, identity_uid, token_hash, body_hash, expires_at)
    values ($1, $2, $3, $4, to_timestamp($5::float8 / 1000))`,
}
export const REWRAP_DATA_KEY: Statement = {
  name: 'pw_registry_rewrap',
  text: 'update pw.data_key set kek_id = $2, wrapped = $3 where tenant_id = $1 and kek_id = $4 and wrapped = $5',
}

/** Retention begins when the last identity that is not retired has ended. $2 days. */
export const BEGIN_RETENTION: Statement = {
  name: 'pw_registry_begin_retention',
  text: `update pw.tenant set purge_after = now() + $2::float8 * interval '1 day' where tenant_id = $1
    and not exists (select from pw.identity where tenant_id = $1 and state not in ('uninstalled', 'retired'))`,
}
export const END_RETENTION: Statement = {
  name: 'pw_registry_end_retention',
  text: 'update pw.tenant set purge_after = null where tenant_id = $1',
}

/** $3 handler. */
export const OWE_FAREWELL: Statement = {
  name: 'pw_registry_owe_farewell',
  text: `insert into pw.farewell (tenant_id, identity_uid, handler, held_until) values ($1, $2, $3, clock_timestamp() + ${FAREWELL_HOLD})
    on conflict (tenant_id, identity_uid) do nothing`,
}
/** Who is back before its farewell is told nothing of having been away. */
export const DROP_FAREWELL: Statement = {
  name: 'pw_registry_drop_farewell',
  text: 'delete from pw.farewell where tenant_id = $1 and identity_uid = $2',
}

/** Last in its transaction: the row lock, held until the commit, makes the number the commit order. */
export const RAISE_EPOCH: Statement = {
  name: 'pw_registry_raise_epoch',
  text: `with raised as (update pw.epoch set n = n + 1 returning n)
    select n, pg_notify('pw_change', json_build_array(n, $1::text, $2::text, $3::bigint, $4::text, $5::boolean)::text) from raised`,
}

export const NOTE_REFUSAL: Statement = {
  name: 'pw_registry_note_refusal',
  text: `update pw.identity set refused_at = coalesce(refused_at, now())
    where tenant_id = $1 and uid = $2 and secret_version = $3 and state not in ('uninstalled', 'retired')
    returning refused_at <= now() - interval '60 seconds'`,
}
export const CLEAR_REFUSAL: Statement = {
  name: 'pw_registry_clear_refusal',
  text: 'update pw.identity set refused_at = null where tenant_id = $1 and uid = $2 and refused_at is not null',
}
