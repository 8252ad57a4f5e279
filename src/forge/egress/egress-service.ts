/**
 * Requests of functions into the world: each address, also that of every redirect, must be among those of the manifest, and what it
 * resolves to must be a public one. The guest has no network of its own; this is its only way out.
 */

import { isPartywallError } from '../../core/errors.ts'
import type { Outbound, OutboundResponse } from '../../core/ports.ts'
import { bytesOf, platformRefusal } from '../answers.ts'
import { toWire } from '../guest/wire-body.ts'
import type { Caller, GuestRequest, GuestResponse, GuestService } from '../services.ts'
import { isAllowedAddress, isOpenPort } from './allowlist.ts'

const MAX_REDIRECTS = 20
const TIMEOUT_MS = 180_000
const MAX_BYTES = 20 * 1024 * 1024
const REFUSED = 'REQUEST_EGRESS_ALLOWLIST_ERR'
/** The client's own, or about the connection; and the guest asks for no compression, since nothing would undo it. */
const NOT_SENT =
  /^(?:host|connection|keep-alive|content-length|transfer-encoding|accept-encoding|te|trailer|upgrade|expect|proxy-.*)$/i
/** Not told to another origin. */
const SECRET = /^(?:authorization|cookie)$/i

export interface EgressOptions {
  /** Exact `host:port` that may have any port: an operator's development hosts. */
  readonly developmentHosts: readonly string[]
}

export function createEgressService(outbound: Outbound, { developmentHosts }: EgressOptions): GuestService {
  const refusalOf = (address: string, { manifest }: Caller): GuestResponse | undefined => {
    if (!isAllowedAddress(address, manifest.permissions.egress)) return notAllowed(address)
    const url = new URL(address)
    if (!isOpenPort(url.port) && !developmentHosts.includes(url.host)) return notAllowed(address)
    return undefined
  }

  return {
    async handle(caller, request) {
      let target = request.path
      let { method } = request
      let body = bytesOf(request)
      let headers = headersOf(request)
      for (let hops = 0; ; hops += 1) {
        const refusal = refusalOf(target, caller)
        if (refusal !== undefined) return refusal
        const answer = await send(outbound, caller, { target, method, headers, body })
        if ('refusal' in answer) return answer.refusal
        const next = nextOf(target, answer)
        if (next === undefined || request.redirect === 'manual') return described(answer, target, hops > 0)
        if (request.redirect === 'error' || hops === MAX_REDIRECTS)
          return platformRefusal(502, 'FUNCTION_FETCH_ERR', `unexpected redirect of ${new URL(target).origin}`)
        // As `fetch` does.
        if (answer.status === 303 || (answer.status < 303 && method === 'POST')) {
          if (method !== 'HEAD') method = 'GET'
          body = undefined
          headers = without(headers, /^content-/i)
        }
        if (new URL(next).origin !== new URL(target).origin) headers = without(headers, SECRET)
        target = next
      }
    },
  }
}

interface Sent {
  readonly target: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
}

async function send(
  outbound: Outbound,
  { signal }: Caller,
  { target, method, headers, body }: Sent,
): Promise<OutboundResponse | { readonly refusal: GuestResponse }> {
  try {
    return await outbound.request({
      url: target,
      method,
      headers,
      allowedOrigins: [new URL(target).origin],
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
      signal,
      ...(body === undefined ? {} : { body }),
    })
  } catch (error) {
    if (!isPartywallError(error)) throw error
    // A private address, or another protocol: for an app that is an address it may not reach.
    if (error.code === 'ERR_OUTBOUND_REFUSED' || error.code === 'ERR_OUTBOUND_URL')
      return { refusal: notAllowed(target) }
    if (!error.code.startsWith('ERR_OUTBOUND_')) throw error
    return { refusal: platformRefusal(502, 'FUNCTION_FETCH_ERR', `${error.code}: ${new URL(target).origin}`) }
  }
}

function nextOf(target: string, { status, headers }: OutboundResponse): string | undefined {
  const { location } = headers
  if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return undefined
  return URL.canParse(location, target) ? new URL(location, target).href : undefined
}

const described = ({ status, headers, body }: OutboundResponse, url: string, redirected: boolean): GuestResponse => ({
  status,
  statusText: '',
  // The word of the platform is the platform's.
  headers: Object.entries(headers).filter(([name]) => name !== 'forge-proxy-error'),
  ...(body.length === 0 ? {} : { body: toWire(body) }),
  url,
  redirected,
})

function headersOf({ headers }: GuestRequest): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    if (!NOT_SENT.test(key)) found[key] = found[key] === undefined ? value : `${found[key]}, ${value}`
  }
  return found
}

const without = (headers: Readonly<Record<string, string>>, pattern: RegExp): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !pattern.test(name)))

const notAllowed = (url: string): GuestResponse =>
  platformRefusal(403, REFUSED, `URL not included in the external fetch backend permissions: ${url}`)
