/**
 * The one client for all calls that leave the process. It goes only where the caller's list of origins allows, to the
 * address that was checked, without following redirects elsewhere, bounded in time and size.
 */

import { promises as dns } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { Agent, buildConnector, type Dispatcher, Pool } from 'undici'
import { isPartywallError, PartywallError } from '../core/errors.ts'
import type { Outbound, OutboundRequest, OutboundResponse } from '../core/ports.ts'
import { checkWebUrl, hostPortOf } from '../core/url.ts'
import { literalAddress, type ResolveHost, refusePrivate } from './address.ts'
import { readResponse } from './outbound-body.ts'

export interface OutboundOptions {
  /** `host:port` that may have a private or loopback address; the port is always written. */
  readonly allowPrivate?: readonly string[]
  /** `host:port` that may have an address of a private network, but not a loopback, link-local or metadata address. */
  readonly allowPrivateNetwork?: readonly string[]
  /** `host:port` that may be reached by plain http; development only. */
  readonly allowHttp?: readonly string[]
  /** Milliseconds for a whole call, redirects included; default 10,000. */
  readonly timeoutMs?: number
  /** Bytes of a response body, also after decompression; default 1 MiB. */
  readonly maxBytes?: number
  /** Connections per origin; default 64. */
  readonly connections?: number
  /** Certificate authorities in PEM instead of Node's; for a development host. */
  readonly ca?: string | readonly string[]
  /** Resolves a name; default the system's resolver. */
  readonly resolve?: ResolveHost
}

export interface OutboundClient extends Outbound {
  /** Ends idle connections and refuses new calls; running ones end at their limits. Safe to call twice. */
  close(): Promise<void>
}

const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_MAX_BYTES = 1024 * 1024
const CONNECT_TIMEOUT_MS = 5_000
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** Whoever sets these could send a request that another server reads differently. */
const OWN_HEADERS =
  /^(?:host|connection|content-length|transfer-encoding|upgrade|te|trailer|expect|keep-alive|proxy-.*)$/i
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

interface Settings {
  readonly allowPrivate: ReadonlySet<string>
  readonly allowPrivateNetwork: ReadonlySet<string>
  readonly allowHttp: ReadonlySet<string>
  readonly timeoutMs: number
  readonly maxBytes: number
}

/**
 * @throws TypeError for an entry of `allowPrivate`, `allowPrivateNetwork` or `allowHttp` that is not `host:port`
 */
export function createOutbound(options: OutboundOptions = {}): OutboundClient {
  const settings: Settings = {
    allowPrivate: hostPorts(options.allowPrivate),
    allowPrivateNetwork: hostPorts(options.allowPrivateNetwork),
    allowHttp: hostPorts(options.allowHttp),
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxBytes: options.maxBytes ?? DEFAULT_MAX_BYTES,
  }
  const agent = createAgent(options, settings)
  let closing: Promise<void> | undefined
  return {
    async request(request) {
      if (closing !== undefined) throw new PartywallError('ERR_SHUTTING_DOWN')
      const url = permit(request.url, request.allowedOrigins, settings)
      const headers = checkHeaders(request.headers ?? {})
      return withDeadline(request, settings.timeoutMs, signal => follow(agent, settings, request, url, headers, signal))
    },
    close() {
      closing ??= agent.close()
      return closing
    },
  }
}

/**
 * Connections are pinned: the resolver is asked once, inside the connect, and the socket goes to what was checked there. A pool
 * per origin keeps that true for connections that are used again.
 */
function createAgent(options: OutboundOptions, settings: Settings): Agent {
  const resolve = options.resolve ?? (hostname => dns.lookup(hostname, { all: true }))
  return new Agent({
    factory(origin, poolOptions) {
      const connect = buildConnector({
        lookup: checkedLookup(hostPortOf(new URL(origin)), resolve, settings),
        timeout: CONNECT_TIMEOUT_MS,
        // Spelled out, so that no environment variable turns it off.
        rejectUnauthorized: true,
        ...(options.ca === undefined ? {} : { ca: [...[options.ca].flat()] }),
      })
      return new Pool(origin, { ...(poolOptions as Pool.Options), connect, connections: options.connections ?? 64 })
    },
  })
}

function checkedLookup(hostPort: string, resolve: ResolveHost, settings: Settings): LookupFunction {
  return (hostname, lookupOptions, callback) => {
    const answer = async () => {
      const found = await resolve(hostname)
      refusePrivate(
        found.map(entry => entry.address),
        hostPort,
        settings.allowPrivate,
        settings.allowPrivateNetwork,
      )
      return found
    }
    answer().then(
      found => {
        if (lookupOptions.all === true) callback(null, [...found])
        else callback(null, found[0]?.address ?? '', found[0]?.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    )
  }
}

/** All that can be said before a connection: spelling, origin, scheme, and the address where it is written out. */
function permit(text: string, allowedOrigins: readonly string[], settings: Settings): URL {
  const url = checkWebUrl(text)
  const hostPort = hostPortOf(url)
  if (!allowedOrigins.includes(url.origin)) throw refused(hostPort, 'origin is not on the list of this call')
  if (url.protocol !== 'https:' && !settings.allowHttp.has(hostPort)) throw refused(hostPort, 'https is required')
  const address = literalAddress(url.hostname)
  if (address !== undefined) refusePrivate([address], hostPort, settings.allowPrivate, settings.allowPrivateNetwork)
  return url
}

async function follow(
  agent: Agent,
  settings: Settings,
  request: OutboundRequest,
  start: URL,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<OutboundResponse> {
  let url = start
  let { method, body } = request
  let sentHeaders = headers
  for (let redirects = 0; ; redirects++) {
    const response = await send(agent, url, method, body, sentHeaders, signal, request.maxBytes ?? settings.maxBytes)
    const { location } = response.headers
    const maxRedirects = request.maxRedirects ?? 0
    if (maxRedirects === 0 || location === undefined || !REDIRECTS.has(response.status)) return response
    if (redirects >= maxRedirects) throw new PartywallError('ERR_HOST_RESPONSE', { message: 'Too many redirects.' })
    url = permitRedirect(location, url, request.allowedOrigins, settings)
    if (response.status === 303 || (response.status < 303 && method !== 'GET' && method !== 'HEAD')) {
      method = method === 'HEAD' ? 'HEAD' : 'GET'
      body = undefined
      sentHeaders = withoutContentHeaders(headers)
    }
  }
}

function permitRedirect(location: string, from: URL, allowedOrigins: readonly string[], settings: Settings): URL {
  const isRelative = /^\/(?![/\\])/.test(location)
  const url = permit(isRelative ? `${from.origin}${location}` : location, allowedOrigins, settings)
  if (url.origin !== from.origin) throw refused(hostPortOf(url), 'redirect to another origin')
  return url
}

async function send(
  agent: Agent,
  url: URL,
  method: string,
  body: string | Buffer | undefined,
  headers: Record<string, string>,
  signal: AbortSignal,
  maxBytes: number,
): Promise<OutboundResponse> {
  const response = await agent.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: method as Dispatcher.HttpMethod,
    headers: { 'accept-encoding': 'identity', ...headers },
    body: body ?? null,
    signal,
    // One limit counts, the caller's; the signal ends every phase.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  return readResponse(response, maxBytes)
}

/** Runs `work` with a signal that ends at the time limit or with the caller's signal, and gives its failure a code. */
async function withDeadline(
  request: OutboundRequest,
  defaultTimeoutMs: number,
  work: (signal: AbortSignal) => Promise<OutboundResponse>,
): Promise<OutboundResponse> {
  const controller = new AbortController()
  const timeoutMs = request.timeoutMs ?? defaultTimeoutMs
  const timer = setTimeout(() => controller.abort(new PartywallError('ERR_OUTBOUND_TIMEOUT')), timeoutMs)
  const onAbort = () => controller.abort(request.signal?.reason)
  request.signal?.addEventListener('abort', onAbort)
  if (request.signal?.aborted === true) onAbort()
  try {
    return await work(controller.signal)
  } catch (error) {
    throw coded(controller.signal.aborted ? controller.signal.reason : error, request)
  } finally {
    clearTimeout(timer)
    request.signal?.removeEventListener('abort', onAbort)
  }
}

function coded(error: unknown, request: OutboundRequest): PartywallError {
  if (isPartywallError(error)) return error
  const code = (error as { code?: unknown } | undefined)?.code
  return new PartywallError('ERR_OUTBOUND_UNREACHABLE', {
    cause: error,
    details: { host: new URL(request.url).host, reason: typeof code === 'string' ? code : undefined },
  })
}

/** @throws TypeError for a header the client itself must set, or one that could break out of its line */
function checkHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || OWN_HEADERS.test(name)) {
      throw new TypeError(`header ${JSON.stringify(name)}: not a name a caller may set`)
    }
    if (typeof value !== 'string' || !HEADER_VALUE.test(value))
      throw new TypeError(`header ${name}: not a header value`)
  }
  return { ...headers }
}

const withoutContentHeaders = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !/^content-/i.test(name)))

function hostPorts(entries: readonly string[] = []): ReadonlySet<string> {
  for (const entry of entries) {
    if (!/^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]):\d{1,5}$/.test(entry)) throw new TypeError(`${entry}: host:port expected`)
  }
  return new Set(entries)
}

const refused = (hostPort: string, reason: string) =>
  new PartywallError('ERR_OUTBOUND_REFUSED', { details: { host: hostPort, reason } })
