/**
 * The host's capabilities document and what it must say about itself (protocol A3). Addresses in it count only on the origin
 * it came from.
 */

import * as z from 'zod'
import type { DialectDeps } from '../../core/dialect.ts'
import { PartywallError } from '../../core/errors.ts'
import { parseAddress } from './host-address.ts'
import { fetchHostDocument } from './host-document.ts'
import type { TenantLinks } from './tenant.ts'

const documentShape = z.object({
  links: z.object({ self: z.string(), api: z.string().optional(), homepage: z.string() }),
  capabilities: z.object({
    oauth2Provider: z.object({ tokenUrl: z.string() }),
    hipchatApiProvider: z.object({ url: z.string() }).optional(),
  }),
})

/**
 * Fetches and checks the document.
 * @throws PartywallError ERR_INSTALL_DOCUMENT_INVALID (400), ERR_INSTALL_HOST_REFUSED (403), ERR_OUTBOUND_* and ERR_HOST_RESPONSE (503)
 */
export async function fetchCapabilities(
  url: URL,
  text: string,
  deps: Pick<DialectDeps, 'outbound'>,
): Promise<TenantLinks> {
  const document = await fetchHostDocument(url, deps, ({ kind, ...details }) => invalid(kind, details))
  const read = documentShape.safeParse(document)
  if (!read.success) throw invalid(read.error.issues[0]?.path.join('.') ?? 'document')
  const { links, capabilities } = read.data
  if (links.self !== text) throw invalid('links.self')
  const provider = capabilities.hipchatApiProvider?.url
  if (provider !== undefined) sameOrigin(provider, url, 'hipchatApiProvider.url')
  const { tokenUrl } = capabilities.oauth2Provider
  return checkLinks({ api: links.api ?? provider, base: links.homepage, token: tokenUrl }, url, text)
}

/**
 * The addresses of a document, if all of them lie on the origin it came from.
 * @throws PartywallError ERR_INSTALL_DOCUMENT_INVALID
 */
export function checkLinks(
  links: { readonly api: string | undefined; readonly base: string; readonly token: string },
  url: URL,
  text: string,
): TenantLinks {
  const api = sameOrigin(links.api, url, 'links.api')
  if (api.search !== '' || api.hash !== '') throw invalid('links.api')
  return {
    capabilities: text,
    base: withoutSlash(sameOrigin(links.base, url, 'links.homepage').href),
    api: withoutSlash(api.href),
    token: sameOrigin(links.token, url, 'oauth2Provider.tokenUrl').href,
  }
}

function sameOrigin(text: string | undefined, base: URL, field: string): URL {
  const url = parseAddress(text, field, 'ERR_INSTALL_DOCUMENT_INVALID')
  if (url.origin !== base.origin) throw invalid(field)
  return url
}

const withoutSlash = (text: string): string => (text.endsWith('/') ? text.slice(0, -1) : text)
const invalid = (field: string, details: Record<string, number> = {}) =>
  new PartywallError('ERR_INSTALL_DOCUMENT_INVALID', { details: { field, ...details } })
