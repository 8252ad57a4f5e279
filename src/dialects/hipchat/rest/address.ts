/**
 * Addresses below the API of one tenant's host: how references become path segments, what may be called, and how a path is
 * told in errors. Nothing here sends.
 */

import { PartywallError } from '../../../core/errors.ts'
import { checkWebUrl } from '../../../core/url.ts'
import { hostSpelling } from './spelling.ts'

/** Id or name of a room. */
export type RoomRef = number | string
/** Id, e-mail address or `@mention` of a user. */
export type UserRef = number | string

export type QueryValue = string | number | boolean | readonly string[] | undefined
/** Parameters of a call; camelCase names become kebab-case, lists are joined by commas, `undefined` is left out. */
export type Query = Readonly<Record<string, QueryValue>>

export const roomPath = (room: RoomRef, rest = ''): string => `/room/${segment(room)}${rest}`
export const userPath = (user: UserRef, rest = ''): string => `/user/${segment(user)}${rest}`

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
 * The address of a call.
 * @param api  base of the tenant's API, without trailing slash
 * @param path  starts with `/` and is appended to the base, or is an absolute address below it, as the host's own links are
 * @throws PartywallError ERR_OUTBOUND_URL, ERR_OUTBOUND_REFUSED
 */
export function addressOf(api: string, path: string, query: Query): URL {
  const base = new URL(api)
  const url = checkWebUrl(path.startsWith('/') ? api + path : path)
  // After parsing, so that dot segments and other spellings have been resolved.
  const isInside =
    url.origin === base.origin &&
    `${url.pathname}/`.startsWith(base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`)
  if (!isInside) {
    throw new PartywallError('ERR_OUTBOUND_REFUSED', {
      message: "the address is not below the API of this tenant's host",
    })
  }
  url.hash = ''
  for (const [name, value] of Object.entries(hostSpelling(query, '-'))) {
    if (value !== undefined) url.searchParams.append(name, Array.isArray(value) ? value.join(',') : String(value))
  }
  return url
}

/** A path for errors and logs: words of the API and numbers as they are; names, addresses of people and tokens as `...`. */
export const describePath = ({ pathname }: URL): string =>
  pathname
    .split('/')
    .map(part => (/^(?:[a-z]{0,12}|v?\d{1,15})$/.test(part) ? part : '...'))
    .join('/')
