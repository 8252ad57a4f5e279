/**
 * Who may show a tenant's pages in a frame: the host of that tenant and nobody else, so that no other site can put them under its
 * own buttons. An author's own policy stays.
 */

import type { HipchatTenant } from './tenant.ts'

const headersOfTenant = new WeakMap<HipchatTenant, readonly string[]>()

/** Made once per tenant. */
export function framingHeaders(tenant: HipchatTenant): readonly string[] {
  const known = headersOfTenant.get(tenant)
  if (known !== undefined) return known
  const headers = Object.freeze(['content-security-policy', `frame-ancestors ${new URL(tenant.links.base).origin}`])
  headersOfTenant.set(tenant, headers)
  return headers
}
