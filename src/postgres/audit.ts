/** The audit trail: what was done to a tenant and when, never what its data was. Rows are only ever added. */

import { newRowId, type TenantUid } from '../core/ids.ts'
import type { JsonObject } from '../core/tenant.ts'
import type { Parameter, Statement } from './database.ts'

const INSERT: Statement = {
  name: 'pw_audit_insert',
  text: 'insert into pw.audit (tenant_id, id, action, detail) values ($1, $2, $3, $4)',
}

/** A statement with its parameters, to be run in the transaction of what it records. */
export type Call = readonly [Statement, readonly Parameter[]]

/**
 * @param action `tenant.created`, `identity.changed` ...
 * @param detail names, numbers and states; never a secret, a token or data of the tenant
 */
export const auditLine = (tenant: TenantUid, action: string, detail: JsonObject): Call => [
  INSERT,
  [tenant, newRowId(), action, JSON.stringify(detail)],
]
