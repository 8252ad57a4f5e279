-- What Forge apps store: plain values, sealed secrets and custom entities in one table, and the entities' index rows in another.
-- A table of their own and not pw.kv: they know when they were made and changed, and an entity's name leads its keys.

create table pw.forge_value (
  tenant_id  uuid not null,
  -- `kvs`, `secret`, `entity:<name>`
  space      text collate "C" not null,
  key        pw.kv_key not null,
  value      json not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  expires_at timestamptz,
  primary key (tenant_id, space, key)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
create index forge_value_expiry on pw.forge_value (expires_at) where expires_at is not null;

-- One row an entity and index. `partition` is a hash, since it is only ever compared as a whole; `range` is text whose byte order is
-- the order of the values it was made of.
create table pw.forge_index (
  tenant_id uuid not null,
  space     text collate "C" not null,
  name      text collate "C" not null,
  partition text collate "C" not null,
  range     text collate "C" not null,
  key       pw.kv_key not null,
  primary key (tenant_id, space, name, partition, range, key)
);
create index forge_index_key on pw.forge_index (tenant_id, space, key);

select pw.protect('pw.forge_value'), pw.protect('pw.forge_index');

-- The sweep of expired and erased rows: sees when, never what.
create policy pw_jobs_sweep on pw.forge_value as permissive for all to pw_jobs using (true);
create policy pw_jobs_sweep on pw.forge_index as permissive for all to pw_jobs using (true);
grant select (tenant_id, space, key, expires_at), delete on pw.forge_value to pw_jobs;
grant select (tenant_id, space, name, key), delete on pw.forge_index to pw_jobs;
