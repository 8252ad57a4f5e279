/**
 * The durable inbox: a delivery is accepted once its row is committed; the work follows from memory at once, or from the
 * database when this tenant has enough waiting. The same delivery is accepted once, by its retry key and its token.
 */

import type { TenantContext } from '../core/context.ts'
import { PartywallError } from '../core/errors.ts'
import { newRowId } from '../core/ids.ts'
import type { Clock, Delivery, Inbox } from '../core/ports.ts'
import type { Database, Statement } from '../postgres/database.ts'
import { bytea, timestamp } from '../postgres/parameters.ts'
import type { Dispatcher } from './dispatcher.ts'
import { describeError } from './outcomes.ts'
import type { JobSettings } from './settings.ts'
import { createSharedCommit } from './shared-commit.ts'

const INSERT: Statement = {
  name: 'inbox_insert',
  text: `insert into pw.inbox (tenant_id, id, identity_uid, handler, retry_key, replay_key, payload, state, lease_owner, lease_until, keep_until)
    values ($1::uuid, $2::uuid, $3::uuid, $4, $5::bytea, $6::bytea, $7::json, case when $8::uuid is null then 'due' else 'running' end,
      $8::uuid, case when $8::uuid is not null then now() + make_interval(secs => $9::float8) end, greatest($10::timestamptz, now() + make_interval(secs => $11::float8)))
    on conflict do nothing returning id`,
}
const EARLIER: Statement = {
  name: 'inbox_earlier',
  text: `select id from pw.inbox where identity_uid = $1::uuid and (retry_key = $2::bytea or replay_key = $3::bytea) limit 1`,
}
const UNFINISHED: Statement = {
  name: 'inbox_unfinished',
  text: `select 1 from pw.inbox where state in ('due', 'running') limit 1`,
}
const BURY: Statement = {
  name: 'inbox_bury',
  text: `insert into pw.inbox (tenant_id, id, identity_uid, handler, retry_key, payload, state, attempts, last_error, finished_at, keep_until)
    values ($1::uuid, $2::uuid, $3::uuid, $4, $5::bytea, $6::json, 'dead', 1, $7, now(), now() + interval '90 days')`,
}

export function createInbox(deps: {
  readonly database: Database
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly settings: JobSettings
}): Inbox {
  const { database, dispatcher, settings } = deps
  const commits = createSharedCommit(database.app, { lanes: 2, maxMembers: 64, maxWaiting: 4096 })

  return {
    async accept(context, delivery) {
      await live(context)
      const id = newRowId()
      const place = dispatcher.reserve(context.tenantUid)
      try {
        const kept = await insert(context, delivery, id, place !== undefined)
        if (kept !== id) {
          place?.cancel()
          return { outcome: 'duplicate', id: kept }
        }
      } catch (error) {
        place?.cancel()
        throw error
      }
      if (place === undefined) dispatcher.lookSoon()
      else {
        place.fill({
          table: 'inbox',
          tenant: context.tenantUid,
          id,
          identity: context.identity.uid,
          handler: delivery.handler,
          attempts: 0,
          maxAttempts: settings.maxAttempts,
          payload: delivery.payload,
        })
      }
      return { outcome: 'accepted', id }
    },

    async bury(context, work) {
      const id = newRowId()
      await database.app.query(context.tenantUid, BURY, [
        context.tenantUid,
        id,
        context.identity.uid,
        work.handler,
        bytea(Buffer.from(id)),
        work.payload,
        describeError(work.error),
      ])
    },

    async idle(tenant, waitMs) {
      const deadline = deps.clock.monotonic() + waitMs
      while ((await database.app.query(tenant, UNFINISHED, [])).length > 0) {
        if (deps.clock.monotonic() >= deadline) return
        await new Promise(resolve => setTimeout(resolve, 10))
      }
    },
  }

  /** The id under which the delivery is kept: `id`, or that of an earlier one with the same keys. */
  async function insert(context: TenantContext, delivery: Delivery, id: string, held: boolean): Promise<string> {
    const inserted = await commits.run(context.tenantUid, [
      [
        INSERT,
        [
          context.tenantUid,
          id,
          context.identity.uid,
          delivery.handler,
          bytea(delivery.retryKey),
          bytea(delivery.replayKey),
          delivery.payload,
          held ? dispatcher.processId : null,
          String(settings.leaseSeconds),
          timestamp(delivery.replayUntil),
          String(settings.keepSeconds),
        ],
      ],
    ])
    // No row: an earlier delivery has the same keys, or this very one, when its commit went through unseen.
    return inserted.length > 0 ? id : await earlier(context, delivery)
  }

  async function earlier(context: TenantContext, delivery: Delivery): Promise<string> {
    const values = [context.identity.uid, bytea(delivery.retryKey), bytea(delivery.replayKey)]
    const [row] = await database.app.query(context.tenantUid, EARLIER, values)
    if (row?.[0] == null)
      throw new PartywallError('ERR_STORE_UNAVAILABLE', {
        message: 'the earlier delivery has just gone',
        retryAfterSeconds: 1,
      })
    return row[0]
  }
}

/** Before an effect: the context may have been revoked since the token was checked. */
async function live(context: TenantContext): Promise<void> {
  const checked = context.ensureLive()
  if (checked !== undefined) await checked
  if (context.mode === 'read-only') throw new PartywallError('ERR_TENANT_READ_ONLY')
}
