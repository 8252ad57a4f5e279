/**
 * The statements over the two work tables, `pw.inbox` and `pw.job`: constant texts, one set per table.
 *
 * Who runs which: `insert`, `payloads`, `finish`, `fail` as pw_app bound to the tenant; `claim`, `reclaim`, `beat` as pw_jobs,
 * which never sees a payload. All times are the database's.
 *
 * A row has a `lease_owner` exactly while it is running. What names rows by id asks for that and not for the state: the state
 * would offer the planner the small index of all that runs, which a burst makes long. What touches many rows skips those that
 * another transaction is just ending, so that no two ever wait for each other.
 */

import type { Statement } from '../postgres/database.ts'

export type WorkTable = 'inbox' | 'job'

export interface WorkStatements {
  /** $1 ids: (id, payload) of rows this process holds. */
  readonly payloads: Statement
  /** $1 id, $2 owner: done; the payload goes, the keys stay until `keep_until`. */
  readonly finish: Statement
  /** $1 id, $2 owner, $3 seconds until the next attempt or null for dead, $4 error text, $5 attempts to count. */
  readonly fail: Statement
  /** $1 tenant to start after, $2 how many at most: tenants with rows that may be run now, in order. */
  readonly waiting: Statement
  /**
   * $1 tenants, $2 rows of each at most, $3 handlers, $4 owner, $5 lease seconds:
   * (tenant_id, id, identity_uid, handler, attempts, attempts allowed or null) of what this process holds now.
   */
  readonly claim: Statement
  /** $1 owners that are gone: their rows, and those whose lease has ended, are due again. */
  readonly reclaim: Statement
  /** Distinct owners of running rows. */
  readonly owners: Statement
  /** $1 tenants, $2 ids, $3 owner, $4 lease seconds: keeps these rows. */
  readonly beat: Statement
  /** Removes finished rows whose keys need not be kept, 1,000 at a time. */
  readonly sweep: Statement
}

function statementsFor(name: WorkTable): WorkStatements {
  const table = `pw.${name}`
  const maxAttempts = name === 'job' ? 'held.max_attempts' : 'null'
  const keep = name === 'job' ? ", keep_until = now() + interval '1 day'" : ''
  return {
    payloads: {
      name: `${name}_payloads`,
      text: `select held.id, held.payload from unnest($1::uuid[]) as wanted (id)
              cross join lateral (select id, payload from ${table} where id = wanted.id and lease_owner is not null limit 1) held`,
    },
    finish: {
      name: `${name}_finish`,
      text: `update ${table} set state = 'done', payload = 'null', finished_at = now(), lease_owner = null, lease_until = null${keep}
              where id = $1::uuid and lease_owner = $2::uuid`,
    },
    fail: {
      name: `${name}_fail`,
      text: `update ${table} set state = case when $3::float8 is null then 'dead' else 'due' end,
                run_at = now() + make_interval(secs => coalesce($3::float8, 0)), attempts = attempts + $5::int, last_error = $4,
                finished_at = case when $3::float8 is null then now() end, lease_owner = null, lease_until = null
              where id = $1::uuid and lease_owner = $2::uuid`,
    },
    // Jumps from one tenant to the next along the index: a backlog of thousands is one step, as is a single row. What is due
    // later is passed over inside the index, without a look at the rows.
    waiting: {
      name: `${name}_waiting`,
      text: `with recursive waiting (tenant_id, position) as (
          (select tenant_id, 1 from ${table} where state = 'due' and run_at <= now() and tenant_id > $1::uuid order by tenant_id limit 1)
          union all
          select (select next.tenant_id from ${table} next
                   where next.state = 'due' and next.run_at <= now() and next.tenant_id > waiting.tenant_id order by next.tenant_id limit 1), position + 1
            from waiting where waiting.tenant_id is not null and position < $2::int
        ) select tenant_id from waiting where tenant_id is not null`,
    },
    claim: {
      name: `${name}_claim`,
      text: `with picked as (
          select due.tenant_id, due.id from unnest($1::uuid[]) as asked (tenant_id) cross join lateral (
            select tenant_id, id from ${table} where tenant_id = asked.tenant_id and state = 'due' and run_at <= now()
               and handler = any($3::text[]) order by run_at limit $2::int for update skip locked) due)
        update ${table} held set state = 'running', lease_owner = $4::uuid, lease_until = now() + make_interval(secs => $5::float8)
          from picked where held.tenant_id = picked.tenant_id and held.id = picked.id
        returning held.tenant_id, held.id, held.identity_uid, held.handler, held.attempts, ${maxAttempts}`,
    },
    reclaim: {
      name: `${name}_reclaim`,
      text: `with lost as (
          select tenant_id, id from ${table}
           where state = 'running' and (lease_until < now() or lease_owner = any($1::uuid[])) for update skip locked)
        update ${table} held set state = 'due', lease_owner = null, lease_until = null, run_at = least(run_at, now())
          from lost where held.tenant_id = lost.tenant_id and held.id = lost.id`,
    },
    owners: { name: `${name}_owners`, text: `select distinct lease_owner from ${table} where state = 'running'` },
    beat: {
      name: `${name}_beat`,
      text: `with own as (
          select kept.tenant_id, kept.id from unnest($1::uuid[], $2::uuid[]) as wanted (tenant_id, id)
            join ${table} kept on kept.tenant_id = wanted.tenant_id and kept.id = wanted.id
           where kept.lease_owner = $3::uuid for update of kept skip locked)
        update ${table} held set lease_until = now() + make_interval(secs => $4::float8)
          from own where held.tenant_id = own.tenant_id and held.id = own.id`,
    },
    sweep: {
      name: `${name}_sweep`,
      text: `delete from ${table} where (tenant_id, id) in (
               select tenant_id, id from ${table} where state = 'done' and keep_until < now() order by keep_until limit 1000
                  for update skip locked)`,
    },
  }
}

export const WORK_STATEMENTS: Readonly<Record<WorkTable, WorkStatements>> = {
  inbox: statementsFor('inbox'),
  job: statementsFor('job'),
}

/** Looks for somebody else's claim of this process id on the session that holds it while the process lives. */
export const HOLD_PROCESS: Statement = {
  name: 'work_hold_process',
  text: 'select pg_advisory_lock_shared(hashtextextended($1, 7))',
}
/** True when no session holds this process id: its process is gone. The lock is let go at the end of the statement. */
export const IS_PROCESS_GONE: Statement = {
  name: 'work_process_gone',
  text: 'select pg_try_advisory_xact_lock(hashtextextended($1, 7))',
}
