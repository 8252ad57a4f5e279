/**
 * Who may show a tenant's pages in a frame: the host of that tenant and nobody else, so that no other site can put them under its
 * own buttons. An author's own policy stays.
 */

import { perRecord } from '../common/per-record.ts'
import type { HipchatTenant } from './tenant.ts'

/** Made once per tenant. */
export const framingHeaders = perRecord(({ links }: HipchatTenant): readonly string[] =>
  Object.freeze(['content-security-policy', `frame-ancestors ${new URL(links.base).origin}`]),
)
