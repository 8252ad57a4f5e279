/**
 * The host's capabilities document: from which hosts it is taken, how it is fetched, what it must say about itself
 * (protocol A3). Addresses in it count only on the origin it came from.
 */

import * as z from 'zod'
import type { DialectDeps } from '../../core/dialect.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import { checkWebUrl, matchesHost } from '../../core/url.ts'
import type { AddonSettings } from './options.ts'
import type { TenantLinks } from './tenant.ts'

const TIMEOUT_MS = 4_000
const MAX_BYTES = 262_144

const documentShape = z.object({
  links: z.object({ self: z.string(), api: z.string().optional(), homepage: z.string() }),
  capabilities: z.object({
    oauth2Provider: z.object({ tokenUrl: z.string() }),
    hipchatApiProvider: z.object({ url: z.string() }).optional(),
  }),
})

/**
 * Parses the address of a document and checks its host, before anything is fetched.
 * @throws PartywallError ERR_INSTALL_INVALID not an address · ERR_INSTALL_HOST_REFUSED host or scheme not allowed
 */
export function checkCapabilitiesUrl(text: string, settings: AddonSettings): URL {
  const url = parse(text, 'ERR_INSTALL_INVALID', 'capabilitiesUrl')
  const isAllowed =
    url.protocol === 'https:'
      ? settings.hosts.some(host => matchesHost(host, url.host))
      : settings.insecureHosts.includes(url.host)
  if (!isAllowed) throw new PartywallError('ERR_INSTALL_HOST_REFUSED', { details: { host: url.host } })
  return url
}

/**
 * Fetches and checks the document.
 * @throws PartywallError ERR_INSTALL_DOCUMENT_INVALID (400), ERR_INSTALL_HOST_REFUSED (403), ERR_OUTBOUND_* and ERR_HOST_RESPONSE (503)
 */
export async function fetchCapabilities(
  url: URL,
  text: string,
  deps: Pick<DialectDeps, 'outbound'>,
): Promise<TenantLinks> {
  const body = await fetchDocument(url, deps)
  const read = documentShape.safeParse(parseJson(body))
  if (!read.success) throw invalid(read.error.issues[0]?.path.join('.') ?? 'document')
  const { links, capabilities } = read.data
  if (links.self !== text) throw invalid('links.self')
  const provider = capabilities.hipchatApiProvider?.url
  const api = sameOrigin(links.api ?? provider, url, 'links.api')
  if (provider !== undefined) sameOrigin(provider, url, 'hipchatApiProvider.url')
  if (api.search !== '' || api.hash !== '') throw invalid('links.api')
  return {
    capabilities: text,
    base: withoutSlash(sameOrigin(links.homepage, url, 'links.homepage').href),
    api: withoutSlash(api.href),
    token: sameOrigin(capabilities.oauth2Provider.tokenUrl, url, 'oauth2Provider.tokenUrl').href,
  }
}

async function fetchDocument(url: URL, { outbound }: Pick<DialectDeps, 'outbound'>): Promise<Buffer> {
  try {
    const { status, body } = await outbound.request({
      url: url.href,
      method: 'GET',
      headers: { accept: 'application/json' },
      allowedOrigins: [url.origin],
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
    })
    if (status === 200) return body
    if (status === 429 || status >= 500) throw new PartywallError('ERR_HOST_RESPONSE', { details: { status } })
    throw invalid('status', { status })
  } catch (error) {
    if (isPartywallError(error, 'ERR_OUTBOUND_REFUSED'))
      throw new PartywallError('ERR_INSTALL_HOST_REFUSED', { cause: error })
    if (isPartywallError(error, 'ERR_OUTBOUND_TOO_LARGE')) throw invalid('size')
    throw error
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    // What the parser says would quote the document to whoever reads the log; that it is none is all we need.
    throw invalid('not JSON')
  }
}

function sameOrigin(text: string | undefined, base: URL, field: string): URL {
  const url = parse(text, 'ERR_INSTALL_DOCUMENT_INVALID', field)
  if (url.origin !== base.origin) throw invalid(field)
  return url
}

function parse(text: unknown, code: 'ERR_INSTALL_INVALID' | 'ERR_INSTALL_DOCUMENT_INVALID', field: string): URL {
  try {
    return checkWebUrl(text)
  } catch (cause) {
    throw new PartywallError(code, { cause, details: { field } })
  }
}

const withoutSlash = (text: string): string => (text.endsWith('/') ? text.slice(0, -1) : text)
const invalid = (field: string, details: Record<string, number> = {}) =>
  new PartywallError('ERR_INSTALL_DOCUMENT_INVALID', { details: { field, ...details } })
