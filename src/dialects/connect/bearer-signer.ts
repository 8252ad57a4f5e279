/** Speaks to a product with a bearer token that is exchanged for something signed, kept while it holds, and fetched anew once refused. */

import type { StoredToken } from '../../core/ports.ts'
import type { IdentityRecord } from '../../core/tenant.ts'
import type { ClientDeps, Signer } from './host-api.ts'

/**
 * @param wanted  what tells this token from others of the tenant
 * @param exchange  runs for every caller that waits for this token, so it belongs to no context
 */
export const createBearerSigner = (
  identity: IdentityRecord,
  wanted: { readonly subject: string; readonly scopes: readonly string[] },
  exchange: () => Promise<StoredToken>,
  { tokens }: ClientDeps,
): Signer => ({
  async authorize() {
    const { accessToken } = await tokens.get(identity, wanted, exchange)
    return `Bearer ${accessToken}`
  },
  async refused(authorization) {
    await tokens.refuse(identity, wanted, authorization.slice('Bearer '.length))
    return true
  },
})
