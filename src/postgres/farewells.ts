/**
 * The rows of `pw.farewell`: who is owed one, and who holds it. Written by the change itself (`registry-writes`); here they are
 * claimed, kept and ended. Runs no handler.
 */

import { type IdentityUid, identityUid, type TenantUid, tenantUid } from '../core/ids.ts'
import type { IdentityRecord } from '../core/tenant.ts'
import type { PlainPool, Statement } from './database.ts'
import { textArray } from './parameters.ts'

/** A process that is killed lets go after so long. */
export const FAREWELL_HOLD = "interval '3 seconds'"
/**
 * Holds back the erasure of tenant `t`: no data goes before the farewell that may read it. But not for ever, in case the add-on
 * that owes it is gone.
 */
export const NO_FAREWELL_OWED = `not exists (select from pw.farewell f where f.tenant_id = t.tenant_id
    and f.owed_since > now() - interval '1 day')`

const CLAIM: Statement = {
  name: 'pw_farewell_claim',
  text: `update pw.farewell set held_until = clock_timestamp() + ${FAREWELL_HOLD}, attempts = attempts + 1
    where tenant_id = $1 and identity_uid = $2 and held_until < clock_timestamp() returning handler, attempts`,
}
const READ: Statement = {
  name: 'pw_farewell_read',
  text: 'select handler, attempts from pw.farewell where tenant_id = $1 and identity_uid = $2',
}
const KEEP: Statement = {
  name: 'pw_farewell_keep',
  text: `update pw.farewell set held_until = clock_timestamp() + ${FAREWELL_HOLD} where tenant_id = $1 and identity_uid = $2`,
}
const END: Statement = {
  name: 'pw_farewell_end',
  text: 'delete from pw.farewell where tenant_id = $1 and identity_uid = $2',
}
/** $1 handlers this process knows. */
const LEFT: Statement = {
  name: 'pw_farewell_left',
  text: `select tenant_id, identity_uid from pw.farewell where held_until < clock_timestamp() and handler = any($1::text[])
    order by owed_since limit 16`,
}

type Named = Pick<IdentityRecord, 'tenantUid' | 'uid'>

export interface Farewell {
  readonly handler: string
  /** This one included. */
  readonly attempts: number
}

export interface FarewellTable {
  /** Takes what nobody holds; `held` by somebody; `none` is owed. */
  claim(identity: Named): Promise<Farewell | 'held' | 'none'>
  /** Holds it for another while. */
  keep(identity: Named): Promise<void>
  end(identity: Named): Promise<void>
  /** Owed, held by nobody, and of these handlers; a few at a time. */
  left(handlers: readonly string[]): Promise<readonly { readonly tenant: TenantUid; readonly identity: IdentityUid }[]>
}

export function createFarewellTable(system: PlainPool): FarewellTable {
  const run = async (statement: Statement, { tenantUid: tenant, uid }: Named): Promise<Farewell | undefined> => {
    const [row] = await system.query(statement, [tenant, uid])
    return row && { handler: row[0] ?? '', attempts: Number(row[1]) }
  }
  return {
    claim: async identity =>
      (await run(CLAIM, identity)) ?? ((await run(READ, identity)) === undefined ? 'none' : 'held'),
    keep: async identity => void (await run(KEEP, identity)),
    end: async identity => void (await run(END, identity)),
    async left(handlers) {
      const rows = await system.query(LEFT, [textArray(handlers)])
      return rows.map(([tenant, identity]) => ({
        tenant: tenantUid(tenant ?? ''),
        identity: identityUid(identity ?? ''),
      }))
    },
  }
}
