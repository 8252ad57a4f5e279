/**
 * Web addresses that come from outside: the one check before anybody looks at host or path, and comparisons of origins
 * and hosts. Pure; nothing here resolves a name or opens a connection.
 */

import { PartywallError } from './errors.ts'

const MAX_LENGTH = 4096
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

/**
 * Parses an address once, by the WHATWG parser, after refusing what parsers read differently: user info (also empty),
 * back slashes, blanks, control characters, missing slashes, other schemes than http and https.
 *
 * @param text  the address as it was received, at most 4,096 characters
 * @returns the parsed address; compare its `origin`, `host` and `hostname`, never parts of `text`
 * @throws ERR_OUTBOUND_URL
 * @example checkWebUrl('https://api.hipchat.com/v2/capabilities').host // 'api.hipchat.com'
 */
export function checkWebUrl(text: unknown): URL {
  if (typeof text !== 'string' || text.length > MAX_LENGTH) throw refused('not a text of at most 4,096 characters')
  if (hasUnsafeCharacter(text)) throw refused('blank, control character or back slash')
  const start = /^https?:\/\/(?!\/)/i.exec(text)
  if (start === null) throw refused('scheme is not http or https')
  const authority = /^[^/?#]*/.exec(text.slice(start[0].length))?.[0] ?? ''
  if (authority.includes('@')) throw refused('user info')
  if (!URL.canParse(text)) throw refused('not a URL')
  return new URL(text)
}

/** `scheme://host[:port]` of an address, default port left out. @throws ERR_OUTBOUND_URL */
export const originOf = (url: string | URL): string => (typeof url === 'string' ? checkWebUrl(url) : url).origin

/** `host:port` with the port always written, IPv6 in brackets. */
export const hostPortOf = (url: URL): string => `${url.hostname}:${url.port || (DEFAULT_PORTS[url.protocol] ?? '')}`

/**
 * Whether `host` is meant by `pattern`: the same `host[:port]`, or `*.` in front for exactly one more label.
 *
 * @param pattern  `api.hipchat.com`, `localhost:8080`, `*.hipchat.com`; lower-case
 * @param host     `host` of a parsed URL: lower-case, default port left out
 */
export function matchesHost(pattern: string, host: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === host
  const suffix = pattern.slice(1)
  const label = host.slice(0, -suffix.length)
  return host.endsWith(suffix) && label !== '' && !label.includes('.')
}

function hasUnsafeCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code <= 0x20 || code === 0x5c || (code >= 0x7f && code <= 0xa0)) return true
  }
  return /[\s\u200b-\u200f\u2028-\u202f\u2060\ufeff]/.test(text)
}

const refused = (reason: string) => new PartywallError('ERR_OUTBOUND_URL', { details: { reason } })
