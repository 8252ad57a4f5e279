/**
 * Addresses of calls to a tenant's host: how ids and names become segments of a path, that a call stays below the host's base,
 * and how a path is told in errors. Nothing here sends.
 */

import { PartywallError } from '../../core/errors.ts'
import { checkWebUrl } from '../../core/url.ts'

/** A segment of a path: an id, a name, an e-mail address. @throws PartywallError ERR_OUTBOUND_URL for what no segment can hold */
export function segment(value: string | number): string {
  const isText = typeof value === 'string' && !/^\.{0,2}$/.test(value) && !/\p{Surrogate}|\p{Cc}/u.test(value)
  if (isText || Number.isSafeInteger(value)) return encodeURIComponent(value)
  throw new PartywallError('ERR_OUTBOUND_URL', {
    message:
      'an id or name in a path must be a whole number or a text, not empty, no dots alone, no control characters',
  })
}

/**
 * The address of a call, confined to the origin and path of its base.
 * @param base  without trailing slash
 * @param path  starts with `/` and is appended to the base, or is an absolute address below it, as a host's own links are
 * @throws PartywallError ERR_OUTBOUND_URL, ERR_OUTBOUND_REFUSED
 */
export function confinedUrl(base: string, path: string): URL {
  const { origin, pathname } = new URL(base)
  const url = checkWebUrl(path.startsWith('/') ? base + path : path)
  // After parsing, so that dot segments and other spellings have been resolved.
  const isInside =
    url.origin === origin && `${url.pathname}/`.startsWith(pathname.endsWith('/') ? pathname : `${pathname}/`)
  if (!isInside) {
    throw new PartywallError('ERR_OUTBOUND_REFUSED', {
      message: "the address is not below the API of this tenant's host",
    })
  }
  url.hash = ''
  return url
}

/** A path for errors and logs: words of the API and numbers as they are; names, addresses of people and tokens as `...`. */
export const describePath = ({ pathname }: URL): string =>
  pathname
    .split('/')
    .map(part => (/^(?:[a-z]{0,12}|v?\d{1,15})$/.test(part) ? part : '...'))
    .join('/')
