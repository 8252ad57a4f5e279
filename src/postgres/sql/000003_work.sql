-- Deliveries and jobs: rows under the wall are their own queue. pw_app inserts and finishes them in bound transactions;
-- pw_jobs claims by columns and never sees a payload.

-- A domain for the reason of pw.kv_key; text, since the equality of enums is not leakproof.
create domain pw.work_state as text collate "C" check (value in ('due', 'running', 'done', 'dead'));

-- The id of a delivery is made of its identity and of what names it over the host's retries: the primary key alone keeps
-- it from being accepted twice. `replay_key` does where that name is not the token's own.
create table pw.inbox (
  tenant_id    uuid not null,
  id           uuid not null,
  identity_uid uuid not null,
  handler      text collate "C" not null,
  replay_key   bytea,
  payload      json not null,
  state        pw.work_state not null,
  run_at       timestamptz not null default now(),
  attempts     int not null default 0,
  lease_owner  uuid,
  lease_until  timestamptz,
  last_error   text,
  received_at  timestamptz not null default now(),
  finished_at  timestamptz,
  keep_until   timestamptz not null
);
create unique index inbox_replay on pw.inbox (tenant_id, identity_uid, replay_key) where replay_key is not null;
-- After the others: while the table is empty all indexes cost the planner the same, it takes the newest, and keeps that plan.
alter table pw.inbox add primary key (tenant_id, id);
create index inbox_due on pw.inbox (tenant_id, run_at) where state = 'due';
create index inbox_running on pw.inbox (lease_until) where state = 'running';
create index inbox_finished on pw.inbox (keep_until) where state = 'done';

create table pw.job (
  tenant_id    uuid not null,
  id           uuid not null,
  identity_uid uuid not null,
  handler      text collate "C" not null,
  key          text collate "C",
  payload      json not null,
  state        pw.work_state not null,
  run_at       timestamptz not null default now(),
  attempts     int not null default 0,
  max_attempts int not null default 8,
  lease_owner  uuid,
  lease_until  timestamptz,
  last_error   text,
  created_at   timestamptz not null default now(),
  finished_at  timestamptz,
  keep_until   timestamptz,
  primary key (tenant_id, id)
);
create unique index job_key on pw.job (tenant_id, key) where key is not null and state in ('due', 'running');
create index job_due on pw.job (tenant_id, run_at) where state = 'due';
create index job_running on pw.job (lease_until) where state = 'running';

create table pw.schedule (
  tenant_id    uuid not null,
  name         text collate "C" not null,
  identity_uid uuid not null,
  cron         text not null,
  time_zone    text not null default 'UTC',
  handler      text collate "C" not null,
  payload      json not null,
  next_at      timestamptz not null,
  primary key (tenant_id, name)
);
create index schedule_next on pw.schedule (next_at);

select pw.protect('pw.inbox'), pw.protect('pw.job'), pw.protect('pw.schedule');

create policy pw_jobs_claim on pw.inbox as permissive for all to pw_jobs using (true) with check (true);
create policy pw_jobs_claim on pw.job as permissive for all to pw_jobs using (true) with check (true);
create policy pw_jobs_claim on pw.schedule as permissive for all to pw_jobs using (true) with check (true);
grant select (tenant_id, id, identity_uid, handler, state, run_at, attempts, lease_owner, lease_until, finished_at, keep_until),
      update (state, run_at, attempts, lease_owner, lease_until), delete on pw.inbox to pw_jobs;
grant select (tenant_id, id, identity_uid, handler, state, run_at, attempts, max_attempts, lease_owner, lease_until, finished_at, keep_until),
      update (state, run_at, attempts, lease_owner, lease_until), delete on pw.job to pw_jobs;
grant select (tenant_id, name, identity_uid, handler, cron, time_zone, next_at), update (next_at), delete on pw.schedule to pw_jobs;
grant usage on schema pw to pw_jobs;
