/** Secrets of apps at rest: sealed with the data key of the tenant, bound to their key. The database sees a text that says nothing. */

import { PartywallError } from '../../core/errors.ts'
import type { TenantUid } from '../../core/ids.ts'
import type { PlainPool, Statement } from '../../postgres/database.ts'
import { fromBytea } from '../../postgres/parameters.ts'
import { type BoxPlace, type DataKeys, openBox, sealBox } from '../../postgres/secrets.ts'

export interface Seal {
  /** @returns JSON text of a sealed value */
  seal(tenant: TenantUid, key: string, text: string): Promise<string>
  /** @throws ERR_SEAL_BROKEN */
  open(tenant: TenantUid, key: string, sealed: string): Promise<string>
}

const DATA_KEY: Statement = {
  name: 'forge_data_key',
  text: 'select kek_id, wrapped from pw.data_key where tenant_id = $1',
}

export function createSeal(deps: { readonly system: PlainPool; readonly dataKeys: DataKeys }): Seal {
  const dataKeyOf = async (tenant: TenantUid): Promise<Buffer> => {
    const [row] = await deps.system.query(DATA_KEY, [tenant])
    // Erased meanwhile.
    if (row === undefined) throw new PartywallError('ERR_TENANT_REVOKED')
    return deps.dataKeys.open(tenant, { kekId: row[0] ?? '', wrapped: fromBytea(row[1] ?? '') })
  }
  const placeOf = (tenant: TenantUid, key: string): BoxPlace => ({ kind: 'forge-secret', tenant, key })
  return {
    async seal(tenant, key, text) {
      return JSON.stringify(sealBox(await dataKeyOf(tenant), placeOf(tenant, key), text).toString('base64'))
    },
    async open(tenant, key, sealed) {
      const box = Buffer.from(String(JSON.parse(sealed)), 'base64')
      return openBox(await dataKeyOf(tenant), placeOf(tenant, key), box)
    },
  }
}
