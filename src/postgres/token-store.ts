/**
 * OAuth tokens of all dialects as sealed rows, shared by the processes, and a lock per token so that only one of them asks
 * the host. A row counts only while its identity is live and has the secret under which the token was obtained.
 */

import { randomUUID } from 'node:crypto'
import { PartywallError } from '../core/errors.ts'
import type { StoredToken, TokenStore } from '../core/ports.ts'
import type { IdentityRecord } from '../core/tenant.ts'
import type { Database, PlainPool, Statement } from './database.ts'
import { bytea, fromBytea } from './parameters.ts'
import { createTurns } from './registry-turns.ts'
import { type BoxPlace, type DataKeys, openBox, sealBox } from './secrets.ts'

/** A lock lives as long as its holder renews it: a holder that is killed blocks others for this long at most. */
const LOCK_SECONDS = 4
const LOCK_RENEW_MS = 1_000
const POLL_FIRST_MS = 10
const POLL_MAX_MS = 200

const LOAD: Statement = {
  name: 'pw_token_load',
  text: `select k.box, d.kek_id, d.wrapped from pw.token k join pw.data_key d on d.tenant_id = k.tenant_id
    where k.tenant_id = $1 and k.identity_uid = $2 and k.token_key = $3 and k.secret_version = $4 and k.expires_at > now()`,
}
const DATA_KEY: Statement = {
  name: 'pw_token_data_key',
  text: 'select kek_id, wrapped from pw.data_key where tenant_id = $1',
}
/** The row lock on the identity makes it exclusive with a change that takes rights away: after that one, nothing is kept. */
const LIVE_IDENTITY = `(select from pw.identity where tenant_id = $1 and uid = $2 and secret_version = $4
  and state in ('installed', 'enabled') for key share)`
const SAVE: Statement = {
  name: 'pw_token_save',
  text: `insert into pw.token (tenant_id, identity_uid, token_key, secret_version, box, expires_at)
    select $1, $2, $3, $4, $5::bytea, to_timestamp($6::float8 / 1000) from ${LIVE_IDENTITY} live
    on conflict (tenant_id, identity_uid, token_key) do update
      set secret_version = excluded.secret_version, box = excluded.box, expires_at = excluded.expires_at`,
}
/** $3 null: all tokens; locks of those that are asking stay. */
const DROP: Statement = {
  name: 'pw_token_drop',
  text: `delete from pw.token where tenant_id = $1 and identity_uid = $2
    and (token_key = $3 or ($3::text is null and not starts_with(token_key, 'lock:')))`,
}
/** $5 owner. A lock whose time is over may be taken over. */
const LOCK: Statement = {
  name: 'pw_token_lock',
  text: `insert into pw.token as held (tenant_id, identity_uid, token_key, secret_version, box, expires_at)
    select $1, $2, $3, $4, $5::bytea, clock_timestamp() + interval '${LOCK_SECONDS} seconds' from ${LIVE_IDENTITY} live
    on conflict (tenant_id, identity_uid, token_key) do update
      set box = excluded.box, secret_version = excluded.secret_version, expires_at = excluded.expires_at
      where held.expires_at <= clock_timestamp()
    returning true`,
}
const LOCK_RENEW: Statement = {
  name: 'pw_token_lock_renew',
  text: `update pw.token set expires_at = clock_timestamp() + interval '${LOCK_SECONDS} seconds'
    where tenant_id = $1 and identity_uid = $2 and token_key = $3 and box = $4`,
}
const UNLOCK: Statement = {
  name: 'pw_token_unlock',
  text: 'delete from pw.token where tenant_id = $1 and identity_uid = $2 and token_key = $3 and box = $4',
}
const IS_LIVE: Statement = {
  name: 'pw_token_is_live',
  text: `select true from pw.identity where tenant_id = $1 and uid = $2 and secret_version = $3
    and state in ('installed', 'enabled')`,
}

/** @example createTokens({ store: createTokenStore({ database, dataKeys }), ... }) */
export function createTokenStore(deps: {
  readonly database: Pick<Database, 'system'>
  readonly dataKeys: DataKeys
}): TokenStore {
  const { dataKeys } = deps
  const { system } = deps.database
  const turns = createTurns()

  return {
    async load(identity, tokenKey) {
      const [row] = await system.query(LOAD, [...idsOf(identity), tokenKey, String(identity.secretVersion)])
      if (row === undefined) return undefined
      const key = dataKeys.open(identity.tenantUid, { kekId: row[1] ?? '', wrapped: fromBytea(row[2] ?? '') })
      // Sealed by `save`, so it has the shape that went in.
      return JSON.parse(openBox(key, placeOf(identity, tokenKey), fromBytea(row[0] ?? ''))) as StoredToken
    },

    async save(identity, tokenKey, token) {
      const [row] = await system.query(DATA_KEY, [identity.tenantUid])
      // Erased meanwhile: there is nothing to keep it under, nor for whom.
      if (row === undefined) return
      const key = dataKeys.open(identity.tenantUid, { kekId: row[0] ?? '', wrapped: fromBytea(row[1] ?? '') })
      const box = sealBox(key, placeOf(identity, tokenKey), JSON.stringify(token))
      const values = [...idsOf(identity), tokenKey, String(identity.secretVersion), bytea(box), String(token.expiresAt)]
      await system.query(SAVE, values)
    },

    async drop(identity, tokenKey) {
      await system.query(DROP, [...idsOf(identity), tokenKey ?? null])
    },

    exclusively: (identity, tokenKey, waitMs, work) =>
      // Those who wait in this process take turns, so one of them at a time asks the database.
      turns.run(`${identity.uid} ${tokenKey}`, async () => {
        const lock = await takeLock(system, identity, tokenKey, waitMs)
        try {
          return await work()
        } finally {
          await lock.release()
        }
      }),
  }
}

const idsOf = (identity: IdentityRecord): readonly [string, string] => [identity.tenantUid, identity.uid]

const placeOf = (identity: IdentityRecord, tokenKey: string): BoxPlace => ({
  kind: 'token',
  tenant: identity.tenantUid,
  identity: identity.uid,
  tokenKey,
  secretVersion: identity.secretVersion,
})

/**
 * A row, not a lock of the session or transaction: asking a host takes seconds, and holds no connection meanwhile; and it
 * works through poolers.
 * @throws ERR_STORE_TIMEOUT when another holds it for longer than `waitMs`, ERR_TENANT_REVOKED when the identity has ended
 */
async function takeLock(
  system: PlainPool,
  identity: IdentityRecord,
  tokenKey: string,
  waitMs: number,
): Promise<{ release(): Promise<void> }> {
  const ids = [...idsOf(identity), `lock:${tokenKey}`] as const
  const owner = bytea(Buffer.from(randomUUID()))
  const deadline = performance.now() + waitMs
  for (let delayMs = POLL_FIRST_MS; ; delayMs = Math.min(POLL_MAX_MS, delayMs * 2)) {
    const [taken] = await system.query(LOCK, [...ids, String(identity.secretVersion), owner])
    if (taken !== undefined) break
    await requireLive(system, identity)
    if (performance.now() >= deadline) {
      throw new PartywallError('ERR_STORE_TIMEOUT', {
        message: `another process has been asking for the same token for ${waitMs} ms`,
        details: { waitMs },
        retryAfterSeconds: 1,
      })
    }
    await new Promise(resolve => setTimeout(resolve, delayMs * (0.5 + Math.random() / 2)))
  }
  // A renewal that fails is made up for by the next, or by nobody: then the lock goes to another, which asks once more.
  const renewal = setInterval(() => {
    system.query(LOCK_RENEW, [...ids, owner]).catch(() => undefined)
  }, LOCK_RENEW_MS).unref()
  return {
    async release() {
      clearInterval(renewal)
      // What was done stays done: a lock that cannot be given back ends by itself.
      await system.query(UNLOCK, [...ids, owner]).catch(() => undefined)
    },
  }
}

async function requireLive(system: PlainPool, identity: IdentityRecord): Promise<void> {
  const rows = await system.query(IS_LIVE, [...idsOf(identity), String(identity.secretVersion)])
  if (rows.length === 0) throw new PartywallError('ERR_TENANT_REVOKED')
}
