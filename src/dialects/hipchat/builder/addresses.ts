/**
 * Addresses in a descriptor: relative ones are joined to the add-on's base URL, absolute ones checked. Nothing is fetched.
 *
 * Where the host sends the tenant's token or an installation along, the address must be on the add-on's own origin: the token
 * is bound to no address, so whoever receives it can act as the tenant everywhere.
 */

import { PartywallError } from '../../../core/errors.ts'
import { checkWebUrl } from '../../../core/url.ts'

export interface Addresses {
  /** Any web address, such as an icon's. @throws PartywallError ERR_OUTBOUND_URL */
  anywhere(text: string): string
  /** On the add-on's own origin. @throws PartywallError ERR_OUTBOUND_URL */
  own(text: string): string
}

/** @param baseUrl  absolute, the add-on's prefix included, without trailing slash */
export function createAddresses(baseUrl: string): Addresses {
  const { origin } = new URL(baseUrl)
  const anywhere = (text: string): string => {
    const url = isAbsolute(text) ? text : join(baseUrl, text)
    checkWebUrl(url)
    return url
  }
  return {
    anywhere,
    own(text) {
      const url = anywhere(text)
      if (new URL(url).origin !== origin) throw refused(`must be on ${origin}, since the tenant's token is sent there`)
      return url
    },
  }
}

const isAbsolute = (text: string): boolean => /^[a-z][a-z0-9+.-]*:/i.test(text)

/** Dot segments would leave the add-on's prefix, and two slashes name another host to some readers. */
function join(baseUrl: string, text: string): string {
  const path = text.startsWith('/') ? text : `/${text}`
  const [segments = ''] = /^[^?#]*/.exec(path) ?? []
  if (segments.startsWith('//') || segments.split('/').some(isDotSegment)) {
    throw refused('a path below the base URL has neither dot segments nor two slashes at its start')
  }
  return baseUrl + path
}

const isDotSegment = (segment: string): boolean => /^(?:\.|%2e){1,2}$/i.test(segment)

const refused = (reason: string) => new PartywallError('ERR_OUTBOUND_URL', { details: { reason } })
