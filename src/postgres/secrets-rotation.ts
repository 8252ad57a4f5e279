/**
 * Moves data keys from older key-encryption keys to the current one, in batches, while everything runs: a data key itself
 * does not change, so nothing that it seals has to be touched.
 */

import { isPartywallError, PartywallError } from '../core/errors.ts'
import { tenantUid } from '../core/ids.ts'
import type { KeyProvider } from '../core/ports.ts'
import type { PlainPool, Row, Statement } from './database.ts'
import { bytea, fromBytea, textArray } from './parameters.ts'
import type { DataKeys, WrappedKey } from './secrets.ts'

const BATCH = 500
const FIRST = '00000000-0000-0000-0000-000000000000'

const OLDER: Statement = {
  name: 'pw_rotation_older',
  text: `select tenant_id, kek_id, wrapped from pw.data_key where kek_id <> $1 and tenant_id > $2
    order by tenant_id limit ${BATCH}`,
}
/** $1 tenants, $2 key ids, $3 new, $4 old: only what is still as it was read. */
const REWRAP: Statement = {
  name: 'pw_rotation_rewrap',
  text: `with done as (update pw.data_key d set kek_id = w.kek_id, wrapped = w.new
      from unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[]) w(tenant_id, kek_id, new, old)
      where d.tenant_id = w.tenant_id and d.wrapped = w.old returning 1)
    select count(*) from done`,
}

export interface Rotation {
  /** Data keys that the current key wraps now and did not before. */
  readonly rewrapped: number
}

/**
 * Safe to run again, and by several processes at once. When it returns, no data key needs an older key any more, and the
 * older keys may be taken out of `PARTYWALL_KEYS`.
 *
 * @throws ERR_KEY_UNKNOWN, after all others are done, when data keys are left whose key is not configured
 */
export async function rotateKeys(deps: {
  readonly system: PlainPool
  readonly dataKeys: DataKeys
  readonly keys: KeyProvider
}): Promise<Rotation> {
  const { system, dataKeys, keys } = deps
  const unknown = new Set<string>()
  let rewrapped = 0
  for (let after = FIRST; ; ) {
    const rows = await system.query(OLDER, [keys.current.id, after])
    const moves = rows.flatMap(row => rewrap(row, dataKeys, unknown))
    if (moves.length > 0) {
      const [done] = await system.query(REWRAP, [
        textArray(moves.map(move => move.tenant)),
        textArray(moves.map(move => move.now.kekId)),
        textArray(moves.map(move => bytea(move.now.wrapped))),
        textArray(moves.map(move => bytea(move.old))),
      ])
      rewrapped += Number(done?.[0])
    }
    after = rows.at(-1)?.[0] ?? after
    if (rows.length < BATCH) break
  }
  if (unknown.size > 0) {
    throw new PartywallError('ERR_KEY_UNKNOWN', {
      message: `data keys are left that these keys wrap, which are not configured: ${[...unknown].join(', ')}`,
      details: { rewrapped },
    })
  }
  return { rewrapped }
}

interface Move {
  readonly tenant: string
  readonly now: WrappedKey
  readonly old: Buffer
}

function rewrap(row: Row, dataKeys: DataKeys, unknown: Set<string>): readonly Move[] {
  const tenant = tenantUid(row[0] ?? '')
  const old = { kekId: row[1] ?? '', wrapped: fromBytea(row[2] ?? '') }
  try {
    const now = dataKeys.rewrap(tenant, old)
    return now === undefined ? [] : [{ tenant, now, old: old.wrapped }]
  } catch (error) {
    if (!isPartywallError(error, 'ERR_KEY_UNKNOWN')) throw error
    unknown.add(old.kekId)
    return []
  }
}
