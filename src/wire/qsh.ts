/**
 * The query-string hash of Atlassian Connect: one canonical text of method, path and query, and its SHA-256.
 *
 * Pure functions over the request target as it was received: nothing here parses a URL, normalises a path or knows a
 * framework's idea of a query. Comparing the hash with a token's claim, and who may do without, is the dialect's matter.
 */

import { hash } from 'node:crypto'
import { percentDecode } from './percent.ts'

/** What a hash covers. */
export interface HashedRequest {
  /** Any letter case. */
  readonly method: string
  /** Path and query as received, still percent-encoded: `/app/panel?x=1`. */
  readonly target: string
  /** Path of the base URL, removed once and as whole segments: empty or `/app`. */
  readonly basePath: string
}

/** The parameter that carries the token, which cannot cover itself. */
const TOKEN_PARAMETER = 'jwt'
/** Needs neither decoding nor encoding: RFC 3986 unreserved characters alone. */
const CANONICAL = /^[A-Za-z0-9\-._~]*$/

/**
 * The hash that a token of this request must carry: 64 lower-case hexadecimal digits.
 *
 * @returns `undefined` when the query cannot be decoded as UTF-8: no signed claim fits such a request
 * @see developer.atlassian.com/cloud/bitbucket/query-string-hash, read 2026-11-22
 * @example queryStringHash({ method: 'GET', target: '/app/panel?b=1&a=2', basePath: '/app' })
 */
export function queryStringHash(request: HashedRequest): string | undefined {
  return hashOf(canonicalRequest(request))
}

/**
 * The hash over a form body in place of the query: the second try for POST and PUT without a query.
 * @param form the raw body of `application/x-www-form-urlencoded`
 * @returns `undefined` where the request has no such second try, or the form cannot be decoded
 */
export function formBodyHash(request: HashedRequest, form: string): string | undefined {
  return hashOf(canonicalFormRequest(request, form))
}

/** What `queryStringHash` hashes: `METHOD&path&query`. */
export function canonicalRequest({ method, target, basePath }: HashedRequest): string | undefined {
  const start = target.indexOf('?')
  const query = start < 0 ? '' : canonicalQuery(target.slice(start + 1))
  if (query === undefined) return undefined
  return `${method.toUpperCase()}&${canonicalPath(start < 0 ? target : target.slice(0, start), basePath)}&${query}`
}

/** What `formBodyHash` hashes. */
export function canonicalFormRequest({ method, target, basePath }: HashedRequest, form: string): string | undefined {
  const verb = method.toUpperCase()
  const start = target.indexOf('?')
  const hasQuery = start >= 0 && start < target.length - 1
  if (hasQuery || (verb !== 'POST' && verb !== 'PUT')) return undefined
  const parameters = canonicalQuery(form)
  if (parameters === undefined) return undefined
  return `${verb}&${canonicalPath(start < 0 ? target : target.slice(0, start), basePath)}&${parameters}`
}

const hashOf = (canonical: string | undefined): string | undefined =>
  canonical === undefined ? undefined : hash('sha256', canonical)

/** Neither decoded nor normalised: dot segments, double slashes and the case of escapes are part of what was signed. */
function canonicalPath(path: string, basePath: string): string {
  const base = basePath.endsWith('/') ? basePath.slice(0, -1) : basePath
  const isBelow = base !== '' && path.startsWith(base) && (path.length === base.length || path[base.length] === '/')
  let rest = isBelow ? path.slice(base.length) : path
  if (!rest.startsWith('/')) rest = `/${rest}`
  if (rest.includes('&')) rest = rest.replaceAll('&', '%26')
  return rest.length > 1 && rest.endsWith('/') ? rest.slice(0, -1) : rest
}

interface Parameter {
  /** Canonical spelling, by which parameters are ordered. */
  readonly name: string
  /** Decoded, by which the values of one name are ordered. */
  readonly value: string
  readonly encoded: string
}

function canonicalQuery(query: string): string | undefined {
  const parameters: Parameter[] = []
  for (const piece of query.split('&')) {
    if (piece === '') continue
    const equals = piece.indexOf('=')
    const name = readText(equals < 0 ? piece : piece.slice(0, equals))
    const value = readText(equals < 0 ? '' : piece.slice(equals + 1))
    if (name === undefined || value === undefined) return undefined
    if (name.text !== TOKEN_PARAMETER)
      parameters.push({ name: name.encoded, value: value.text, encoded: value.encoded })
  }
  parameters.sort((one, other) => compare(one.name, other.name) || compare(one.value, other.value))
  let text = ''
  let last: string | undefined
  for (const { name, encoded } of parameters) {
    text += name === last ? `,${encoded}` : `${text === '' ? '' : '&'}${name}=${encoded}`
    last = name
  }
  return text
}

/** A name or value, decoded and in its one canonical spelling. */
function readText(raw: string): { readonly text: string; readonly encoded: string } | undefined {
  if (CANONICAL.test(raw)) return { text: raw, encoded: raw }
  const text = percentDecode(raw)
  // Characters that stand there unescaped may be halves of a surrogate pair, which no UTF-8 has.
  if (text === undefined || /\p{Surrogate}/u.test(text)) return undefined
  return { text, encoded: encode(text) }
}

/** RFC 3986: what `encodeURIComponent` leaves alone for old browsers' sake is escaped too. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** By UTF-16 code units; canonical names are ASCII, where that is the order of bytes. */
const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)
