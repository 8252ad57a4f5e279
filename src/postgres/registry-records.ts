/** Rows of the registry as records: columns, parsing, opening of secrets. Runs no SQL. */

import { identityUid, tenantUid } from '../core/ids.ts'
import {
  type DialectId,
  type IdentityRecord,
  IdentitySecrets,
  type IdentityState,
  type JsonObject,
  type JsonValue,
  type TenantHold,
} from '../core/tenant.ts'
import type { Row } from './database.ts'
import { fromBytea } from './parameters.ts'
import { type DataKeys, openBox, sessionKeyOf, type WrappedKey } from './secrets.ts'

/** One row: identity `i`, its tenant `t`, the tenant's data key `d`, the identity's sealed secrets as one JSON text. */
export const IDENTITY_COLUMNS = `i.uid, i.tenant_id, i.app, i.environment, i.dialect, i.external_id, i.host, i.state, i.version,
  i.secret_version, round(extract(epoch from i.ordered_at) * 1000)::bigint, i.attributes, t.region, t.hold,
  coalesce(t.purge_after <= now(), false), d.kek_id, d.wrapped,
  (select json_agg(json_build_array(s.name, s.version, encode(s.box, 'hex')) order by s.version) from pw.secret s
    where s.tenant_id = i.tenant_id and s.identity_uid = i.uid and (s.not_after is null or s.not_after > now()))`

/** The row as it is, secrets still sealed. */
export interface StoredIdentity extends Omit<IdentityRecord, 'secrets'> {
  /** Retention is over: the policy says that the data is gone. */
  readonly isDue: boolean
  readonly dataKey: WrappedKey | undefined
  readonly boxes: readonly SealedSecret[]
}
export interface SealedSecret {
  readonly name: string
  readonly version: number
  readonly box: Buffer
}

/** @param offset index of the first of `IDENTITY_COLUMNS` in the row */
export function readIdentity(row: Row, offset = 0): StoredIdentity {
  const text = (column: number): string => row[offset + column] ?? ''
  const kekId = row[offset + 15]
  const wrapped = row[offset + 16]
  return {
    uid: identityUid(text(0)),
    tenantUid: tenantUid(text(1)),
    app: text(2),
    environment: text(3),
    // Written by us and checked by the table.
    dialect: text(4) as DialectId,
    externalId: text(5),
    host: text(6),
    state: text(7) as IdentityState,
    version: Number(text(8)),
    secretVersion: Number(text(9)),
    orderedAt: Number(text(10)),
    attributes: frozen(JSON.parse(text(11))) as JsonObject,
    region: text(12),
    hold: text(13) as TenantHold,
    isDue: text(14) === 't',
    dataKey: kekId == null || wrapped == null ? undefined : { kekId, wrapped: fromBytea(wrapped) },
    boxes: readBoxes(row[offset + 17]),
  }
}

/**
 * Opens the secrets and makes the immutable record. An identity that has ended shows no secrets, so nothing can be
 * verified with them.
 * @throws ERR_KEY_UNKNOWN, ERR_SEAL_BROKEN
 */
export function toRecord(stored: StoredIdentity, dataKeys: DataKeys): IdentityRecord {
  const { isDue, dataKey, boxes, ...fields } = stored
  const hasEnded = stored.state === 'uninstalled' || stored.state === 'retired'
  if (hasEnded || dataKey === undefined) return Object.freeze({ ...fields, secrets: new IdentitySecrets(new Map()) })
  const key = dataKeys.open(stored.tenantUid, dataKey)
  const secrets = new IdentitySecrets(openSecrets(stored, key), sessionKeyOf(key, stored.uid, stored.secretVersion))
  return Object.freeze({ ...fields, secrets })
}

/** Secrets by name, the newest version of each. @throws ERR_SEAL_BROKEN */
export function openSecrets(stored: StoredIdentity, key: Buffer): ReadonlyMap<string, string> {
  const { tenantUid: tenant, uid: identity } = stored
  return new Map(
    stored.boxes.map(({ name, version, box }) => [
      name,
      openBox(key, { kind: 'secret', tenant, identity, name, version }, box),
    ]),
  )
}

function readBoxes(text: string | null | undefined): readonly SealedSecret[] {
  if (text == null) return []
  const list = JSON.parse(text) as readonly (readonly [string, number, string])[]
  return list.map(([name, version, box]) => ({ name, version, box: Buffer.from(box, 'hex') }))
}

/** Records are shared by everything that runs for the tenant. */
function frozen(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  for (const child of Object.values(value)) frozen(child)
  return Object.freeze(value)
}
