-- The key-value rows behind tenantStore and its sister spaces.

-- A domain and not a check of the table, which every statement would read anew from the catalog, also one that keeps the key.
create domain pw.kv_key as text collate "C" check (octet_length(value) between 1 and 1024);

create table pw.kv (
  tenant_id  uuid not null,
  space      text collate "C" not null,
  scope      text collate "C" not null,
  key        pw.kv_key not null,
  -- json, not jsonb: the text exactly as JSON.stringify made it.
  value      json not null,
  version    bigint not null default 1,
  expires_at timestamptz,
  updated_at timestamptz not null default now(),
  primary key (tenant_id, space, scope, key)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
create index kv_expiry on pw.kv (expires_at) where expires_at is not null;

select pw.protect('pw.kv');

-- The sweep of expired and erased rows: sees when, never what.
create policy pw_jobs_sweep on pw.kv as permissive for all to pw_jobs using (true);
grant select (tenant_id, space, scope, key, expires_at), delete on pw.kv to pw_jobs;
