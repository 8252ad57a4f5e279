/**
 * Who may show a tenant's pages in a frame: the host of that tenant and nobody else, so that no other site can put them under its
 * own buttons. An author's own policy stays.
 */

import { headerOf } from '../../core/header-list.ts'
import type { Answer } from '../../http/view.ts'
import type { HipchatTenant } from './tenant.ts'

const POLICY = 'content-security-policy'
const headersOfTenant = new WeakMap<HipchatTenant, readonly string[]>()

/** Made once per tenant. */
export function framingHeaders(tenant: HipchatTenant): readonly string[] {
  const known = headersOfTenant.get(tenant)
  if (known !== undefined) return known
  const headers = Object.freeze([POLICY, `frame-ancestors ${new URL(tenant.links.base).origin}`])
  headersOfTenant.set(tenant, headers)
  return headers
}

/** Adds them to an HTML answer that has no policy. */
export function withFraming(answer: Answer, framing: readonly string[]): Answer {
  const isHtml = headerOf(answer.headers, 'content-type')?.trimStart().toLowerCase().startsWith('text/html') === true
  if (!isHtml || headerOf(answer.headers, POLICY) !== undefined) return answer
  return { ...answer, headers: [...answer.headers, ...framing] }
}
