-- What is still to be run for identities that have ended. A row is written by the very change, so no crash loses it; the process
-- that runs it holds the row, and a row that nobody holds any more is run by whoever finds it.

create table pw.farewell (
  tenant_id    uuid not null,
  identity_uid uuid not null,
  handler      text collate "C" not null,
  owed_since   timestamptz not null default now(),
  held_until   timestamptz not null,
  attempts     int not null default 1,
  primary key (tenant_id, identity_uid),
  foreign key (tenant_id, identity_uid) references pw.identity
);

select pw.reserve('pw.farewell', 'pw_system');
