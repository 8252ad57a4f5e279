/**
 * A product over HTTP: a real site, or the simulated host. The credentials are a function of the host process; they go into one header
 * of the request and never near a guest.
 */

import { isPartywallError } from '../../core/errors.ts'
import type { Outbound } from '../../core/ports.ts'
import { platformRefusal } from '../answers.ts'
import { toWire } from '../guest/wire-body.ts'
import type { Principal, ProductBackend, ProductRequest } from './backend.ts'

/** @returns value of the `authorization` header; `undefined` where this person has given none */
export type SiteCredentials = (
  request: Pick<ProductRequest, 'site' | 'product' | 'appId' | 'scopes'> & { readonly as: Principal },
) => string | undefined | Promise<string | undefined>

/** The platform's own word, and what would make a guest a browser. */
const NOT_PASSED = /^(?:forge-proxy-error|set-cookie)$/
const MAX_BYTES = 20 * 1024 * 1024
const TIMEOUT_MS = 60_000
const NONE = ''

export function createSiteBackend(outbound: Outbound, credentials: SiteCredentials): ProductBackend {
  return {
    async request(request) {
      const { as } = request
      const authorization = as.kind === 'nobody' ? NONE : await credentials({ ...request, as })
      if (authorization === undefined) return 'needs-authentication'
      const { site, path, method, headers, body, signal } = request
      try {
        const answer = await outbound.request({
          url: `${site.url}${path}`,
          method,
          headers: { ...Object.fromEntries(headers), ...(authorization === NONE ? {} : { authorization }) },
          allowedOrigins: [new URL(site.url).origin],
          maxRedirects: 2,
          timeoutMs: TIMEOUT_MS,
          maxBytes: MAX_BYTES,
          signal,
          ...(body === undefined ? {} : { body }),
        })
        return {
          status: answer.status,
          statusText: '',
          headers: Object.entries(answer.headers).filter(([name]) => !NOT_PASSED.test(name)),
          ...(answer.body.length === 0 ? {} : { body: toWire(answer.body) }),
        }
      } catch (error) {
        if (!isPartywallError(error) || !error.code.startsWith('ERR_OUTBOUND_')) throw error
        return platformRefusal(502, 'PRODUCT_UNREACHABLE', `${error.code}: ${new URL(site.url).origin}`)
      }
    },
  }
}
