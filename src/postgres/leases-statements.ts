/** The SQL of leases. All times are the database's; nothing compares them with a process's clock. */

import type { Statement } from './database.ts'

/** A row whose owner has not been heard of for so long is dead whatever a clock says. */
const DEAD_AFTER = "interval '10 seconds'"

export const READ_EPOCH: Statement = { name: 'pw_lease_epoch', text: 'select n from pw.epoch' }

/** $1 process, $2 acknowledged, $3 lease in seconds. */
export const ACQUIRE: Statement = {
  name: 'pw_lease_acquire',
  text: `with dead as (delete from pw.lease where expires_at < clock_timestamp() - ${DEAD_AFTER} and process_id <> $1)
    insert into pw.lease (process_id, expires_at, acknowledged) values ($1, clock_timestamp() + $3::float8 * interval '1 second', $2)
    on conflict (process_id) do update set expires_at = excluded.expires_at, acknowledged = excluded.acknowledged
    returning (select n from pw.epoch)`,
}

/**
 * Acknowledges, and renews only if nothing newer is there: a process that has not handled a change cannot live past the
 * lease it had when the change was made. No row: somebody has stopped waiting for this process.
 */
export const RENEW: Statement = {
  name: 'pw_lease_renew',
  text: `update pw.lease set acknowledged = $2,
      expires_at = case when n <= $2 then clock_timestamp() + $3::float8 * interval '1 second' else expires_at end
    from pw.epoch where process_id = $1 returning n`,
}

export const RELEASE: Statement = { name: 'pw_lease_release', text: 'delete from pw.lease where process_id = $1' }

/** The least that any lease has acknowledged, and whether rows of the dead are among those. NULL: no lease. */
export const LEAST_ACKNOWLEDGED: Statement = {
  name: 'pw_lease_least',
  text: `select min(acknowledged), coalesce(bool_or(expires_at < clock_timestamp() - ${DEAD_AFTER}), false) from pw.lease`,
}

/**
 * Ends leases below $1. The row lock makes it exclusive with a renewal under way: either that one fails, or the row is
 * found renewed (and is not below any more).
 */
export const END_BELOW: Statement = {
  name: 'pw_lease_end_below',
  text: 'delete from pw.lease where acknowledged < $1',
}
export const END_DEAD: Statement = {
  name: 'pw_lease_end_dead',
  text: `delete from pw.lease where expires_at < clock_timestamp() - ${DEAD_AFTER}`,
}
