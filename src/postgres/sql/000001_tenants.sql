-- Tenants, identities, secrets, tokens, leases, audit; and pw.protect(), which builds the wall around a table.
-- Runs as pw_owner. Roles pw_app, pw_system, pw_jobs exist already (see prepare).

revoke all on schema pw from public;
grant usage on schema pw to pw_app, pw_system, pw_jobs;

-- The wall around one table with a tenant_id column. Used here and by app authors for their own tables.
-- Permissive: the row is the bound tenant's. Restrictive: the same, and the binding was made in this very transaction, so a
-- setting left behind on a connection opens nothing, and a second permissive policy added by somebody opens nothing either
-- (restrictive policies are ANDed; the planner drops the repeated condition).
-- The third: a process that was stopped for an hour between its last check and its write leaves nothing behind in a tenant
-- that was erased meanwhile.
create function pw.protect(target regclass) returns void language plpgsql set search_path = pg_catalog as $$
begin
  if not exists (select from pg_attribute where attrelid = target and attname = 'tenant_id' and atttypid = 'uuid'::regtype
                 and attnotnull and not attisdropped) then
    raise exception 'table % needs a column "tenant_id uuid not null" before it can be protected', target;
  end if;
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('drop policy if exists tenant on %s', target);
  execute format('drop policy if exists bound on %s', target);
  execute format('create policy tenant on %s as permissive for all to pw_app
    using (tenant_id = current_setting(''pw.tenant_id'')::uuid) with check (tenant_id = current_setting(''pw.tenant_id'')::uuid)', target);
  execute format('create policy bound on %s as restrictive for all to pw_app
    using (tenant_id = current_setting(''pw.tenant_id'')::uuid
           and current_setting(''pw.bound_at'') = transaction_timestamp()::text)
    with check (tenant_id = current_setting(''pw.tenant_id'')::uuid
           and current_setting(''pw.bound_at'') = transaction_timestamp()::text)', target);
  execute format('drop policy if exists erased on %s', target);
  execute format('create policy erased on %s as restrictive for insert to pw_app
    with check (not exists (select from pw.erased where tenant_id = current_setting(''pw.tenant_id'')::uuid))', target);
  execute format('revoke all on %s from public, pw_app', target);
  execute format('grant select, insert, update, delete on %s to pw_app', target);
end $$;
revoke execute on function pw.protect(regclass) from public;

-- Registry tables are read before a tenant is known, so only pw_system sees them, whole.
create function pw.reserve(target regclass, role regrole) returns void language plpgsql set search_path = pg_catalog as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy %I on %s as permissive for all to %s using (true) with check (true)', role::text || '_all', target, role);
  execute format('revoke all on %s from public', target);
  execute format('grant select, insert, update, delete on %s to %s', target, role);
end $$;
revoke execute on function pw.reserve(regclass, regrole) from public;

create table pw.tenant (
  tenant_id   uuid primary key,
  region      text collate "C" not null default 'global',
  cell        int not null default 0,
  hold        text collate "C" not null default 'none' check (hold in ('none', 'frozen', 'moving', 'erasing')),
  purge_after timestamptz,
  created_at  timestamptz not null default now()
);
create index tenant_purge on pw.tenant (purge_after) where purge_after is not null;

create table pw.identity (
  tenant_id      uuid not null references pw.tenant,
  uid            uuid not null,
  app            text collate "C" not null,
  environment    text collate "C" not null,
  dialect        text collate "C" not null check (dialect in ('hipchat', 'connect', 'forge')),
  external_id    text collate "C" not null check (octet_length(external_id) between 1 and 1024),
  host           text collate "C" not null,
  state          text collate "C" not null check (state in ('installed', 'enabled', 'disabled', 'uninstalled', 'retired')),
  reason         text collate "C" not null,
  version        bigint not null default 1,
  secret_version bigint not null default 1,
  ordered_at     timestamptz not null,
  attributes     json not null,
  refused_at     timestamptz,
  installed_at   timestamptz not null default now(),
  changed_at     timestamptz not null default now(),
  uninstalled_at timestamptz,
  primary key (tenant_id, uid),
  -- Looked up before a tenant is known: the one unique key that is not led by the tenant.
  constraint identity_external unique (app, environment, dialect, external_id)
);

-- The data key of a tenant, wrapped by a key-encryption key that never enters the database. Deleting it shreds.
create table pw.data_key (
  tenant_id  uuid primary key references pw.tenant,
  kek_id     text collate "C" not null,
  wrapped    bytea not null,
  created_at timestamptz not null default now()
);
create index data_key_kek on pw.data_key (kek_id);

create table pw.secret (
  tenant_id    uuid not null,
  identity_uid uuid not null,
  name         text collate "C" not null,
  version      bigint not null,
  box          bytea not null,
  not_after    timestamptz,
  created_at   timestamptz not null default now(),
  primary key (tenant_id, identity_uid, name, version),
  foreign key (tenant_id, identity_uid) references pw.identity
);

create table pw.token (
  tenant_id      uuid not null,
  identity_uid   uuid not null,
  token_key      text collate "C" not null,
  secret_version bigint not null,
  box            bytea not null,
  expires_at     timestamptz not null,
  primary key (tenant_id, identity_uid, token_key),
  foreign key (tenant_id, identity_uid) references pw.identity
);
create index token_expiry on pw.token (expires_at);

create table pw.used_token (
  tenant_id    uuid not null,
  identity_uid uuid not null,
  token_hash   bytea not null,
  body_hash    bytea not null,
  expires_at   timestamptz not null,
  primary key (tenant_id, identity_uid, token_hash),
  foreign key (tenant_id, identity_uid) references pw.identity
);
create index used_token_expiry on pw.used_token (expires_at);

-- One row per process; all times are the database's. A revoking change raises pw.epoch under a row lock, so its number
-- is the commit order, and waits until no live lease has acknowledged less.
create table pw.lease (
  process_id   uuid primary key,
  expires_at   timestamptz not null,
  acknowledged bigint not null,
  started_at   timestamptz not null default now()
);
create table pw.epoch (
  only_row boolean primary key default true check (only_row),
  n        bigint not null
);
insert into pw.epoch (n) values (0);

-- Tenants whose erasure has begun: nothing is ever written for them again (policy `erased`). Identifiers do not come back.
create table pw.erased (
  tenant_id uuid primary key,
  at        timestamptz not null default now()
);

-- Outlives the tenant: what was done and when, never what the data was.
create table pw.audit (
  tenant_id uuid not null,
  at        timestamptz not null default now(),
  id        uuid not null,
  action    text collate "C" not null,
  detail    json not null,
  primary key (tenant_id, at, id)
);

select pw.reserve('pw.tenant', 'pw_system'), pw.reserve('pw.identity', 'pw_system'), pw.reserve('pw.data_key', 'pw_system'),
       pw.reserve('pw.secret', 'pw_system'), pw.reserve('pw.token', 'pw_system'), pw.reserve('pw.used_token', 'pw_system'),
       pw.reserve('pw.lease', 'pw_system'), pw.reserve('pw.epoch', 'pw_system'), pw.reserve('pw.audit', 'pw_system'),
       pw.reserve('pw.erased', 'pw_system');
revoke update, delete on pw.audit, pw.erased from pw_system;
create policy own on pw.erased as permissive for select to pw_app using (tenant_id = current_setting('pw.tenant_id')::uuid);
grant select on pw.erased to pw_app;
