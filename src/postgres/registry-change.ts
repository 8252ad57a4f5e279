/** What one process tells the others about a change of an identity: the message that travels with the commit. */

import { type IdentityUid, identityUid, type TenantUid, tenantUid } from '../core/ids.ts'

export const CHANGE_CHANNEL = 'pw_change'

export interface ChangeMessage {
  /** Commit order: one more than the change before. */
  readonly n: number
  readonly tenant: TenantUid
  readonly identity: IdentityUid
  readonly version: number
  /** Of the encoded identity key. */
  readonly keyDigest: string
  readonly takesRights: boolean
}

/** `undefined` for a text that is none: then nothing is known of what changed. */
export function parseChange(payload: string): ChangeMessage | undefined {
  const [n, tenant, identity, version, keyDigest, takesRights] = parseList(payload)
  const isChange =
    typeof n === 'number' &&
    typeof tenant === 'string' &&
    typeof identity === 'string' &&
    typeof version === 'number' &&
    typeof keyDigest === 'string' &&
    typeof takesRights === 'boolean'
  if (!isChange) return undefined
  return { n, tenant: tenantUid(tenant), identity: identityUid(identity), version, keyDigest, takesRights }
}

function parseList(payload: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(payload)
    return Array.isArray(value) ? value : []
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
}
