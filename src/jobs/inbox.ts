/**
 * The durable inbox: a delivery is accepted once its row is committed; the work follows from memory at once, or from the
 * database when this tenant has enough waiting. The same delivery is accepted once, by its retry key and its token.
 */

import { hash } from 'node:crypto'
import type { TenantContext } from '../core/context.ts'
import { PartywallError } from '../core/errors.ts'
import { type IdentityUid, newRowId } from '../core/ids.ts'
import type { Clock, Delivery, Inbox } from '../core/ports.ts'
import type { Database, Row, Statement } from '../postgres/database.ts'
import { bytea, timestamp } from '../postgres/parameters.ts'
import type { Dispatcher } from './dispatcher.ts'
import { describeError } from './outcomes.ts'
import type { JobSettings } from './settings.ts'
import { createSharedCommit } from './shared-commit.ts'

const INSERT: Statement = {
  name: 'inbox_insert',
  text: `insert into pw.inbox (tenant_id, id, identity_uid, handler, replay_key, payload, state, lease_owner, lease_until, keep_until)
    values ($1::uuid, $2::uuid, $3::uuid, $4, $5::bytea, $6::json, case when $7::uuid is null then 'due' else 'running' end,
      $7::uuid, case when $7::uuid is not null then now() + make_interval(secs => $8::float8) end, greatest($9::timestamptz, now() + make_interval(secs => $10::float8)))
    on conflict do nothing returning id`,
}
const EARLIER: Statement = {
  name: 'inbox_earlier',
  text: `select id, lease_owner from pw.inbox where id = $1::uuid
    union all select id, lease_owner from pw.inbox where identity_uid = $2::uuid and replay_key = $3::bytea limit 1`,
}
const UNFINISHED: Statement = {
  name: 'inbox_unfinished',
  text: `select 1 from pw.inbox where state in ('due', 'running') limit 1`,
}
const BURY: Statement = {
  name: 'inbox_bury',
  text: `insert into pw.inbox (tenant_id, id, identity_uid, handler, payload, state, attempts, last_error, finished_at, keep_until)
    values ($1::uuid, $2::uuid, $3::uuid, $4, $5::json, 'dead', 1, $6, now(), now() + interval '90 days')`,
}

export function createInbox(deps: {
  readonly database: Database
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly settings: JobSettings
}): Inbox {
  const { database, dispatcher, settings } = deps
  const commits = createSharedCommit(database.app, { lanes: 3, maxMembers: 64, eagerMembers: 16, maxWaiting: 4096 })

  return {
    async accept(context, delivery) {
      const checked = live(context)
      if (checked !== undefined) await checked
      const id = deliveryId(context.identity.uid, delivery.retryKey)
      const place = dispatcher.reserve(context.tenantUid)
      try {
        const inserted = await insert(context, delivery, id, place !== undefined)
        const earlier = inserted.length > 0 ? undefined : await findEarlier(context, delivery, id)
        // Held by this process and not in its memory: this very delivery, whose commit went through unseen.
        if (earlier !== undefined && (earlier.owner !== dispatcher.processId || dispatcher.isHeld(earlier.id))) {
          place?.cancel()
          return { outcome: 'duplicate', id: earlier.id }
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
          value: delivery.value,
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

  /** A row when the delivery is new. */
  function insert(context: TenantContext, delivery: Delivery, id: string, held: boolean): Promise<readonly Row[]> {
    const values = [
      context.tenantUid,
      id,
      context.identity.uid,
      delivery.handler,
      bytea(delivery.replayKey),
      delivery.payload,
      held ? dispatcher.processId : null,
      String(settings.leaseSeconds),
      timestamp(delivery.replayUntil),
      String(settings.keepSeconds),
    ]
    return commits.run(context.tenantUid, [[INSERT, values]])
  }

  /** What is in the way of a delivery, and the process that holds it. */
  async function findEarlier(context: TenantContext, delivery: Delivery, id: string) {
    const values = [id, context.identity.uid, bytea(delivery.replayKey)]
    const [row] = await database.app.query(context.tenantUid, EARLIER, values)
    if (row?.[0] == null) {
      throw new PartywallError('ERR_STORE_UNAVAILABLE', {
        message: 'the earlier delivery has just gone',
        retryAfterSeconds: 1,
      })
    }
    return { id: row[0], owner: row[1] }
  }
}

/** A UUID (version 8) that is the same for the same delivery of an identity, whichever process meets it. */
function deliveryId(identity: IdentityUid, retryKey: Buffer): string {
  const hex = hash('sha256', `${identity} ${retryKey.toString('hex')}`)
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Before an effect: the context may have been revoked since the token was checked. */
function live(context: TenantContext): void | Promise<void> {
  if (context.mode === 'read-only') throw new PartywallError('ERR_TENANT_READ_ONLY')
  return context.ensureLive()
}
