/**
 * Finds the one token of a request. Every place where a token may stand counts, also those the route does not read: two
 * tokens, even equal ones, are refused, so that no two readers of one request can see different tenants.
 *
 * Reads a raw query and header values; knows no framework and looks into no token.
 */

import { PartywallError } from '../core/errors.ts'
import { MAX_TOKEN_LENGTH } from './jws.ts'
import { percentDecode } from './percent.ts'

/**
 * `authorization` is the scheme `JWT` in these letters, as Connect has it; `authorization:any` also in others, and with `token=` before the
 * token, as hosts of HipChat send it. `bearer` is the scheme `Bearer` of the same header.
 */
export type TokenCarrier =
  | 'query:signed_request'
  | 'query:jwt'
  | 'form:jwt'
  | 'authorization'
  | 'authorization:any'
  | 'bearer'
  | 'x-acpt'

export interface TokenSource {
  /** Raw query as received, without `?`. */
  readonly query: string
  /** The body of a form, where the request has one and the dialect documents a token in it. */
  readonly form?: string | undefined
  /** Every value of a header by lower-case name, in the order of arrival. */
  headerValues(name: string): readonly string[]
}

export interface CarriedToken {
  readonly token: string
  readonly carrier: TokenCarrier
}

/** Token characters; whatever else stands there is no compact JWS. */
const TOKEN = /^[\w.-]+$/

/**
 * @param accepted carriers the route reads, as its dialect documents them
 * @throws ERR_TOKEN_MISSING no token anywhere, or only where this route does not look · ERR_TOKEN_AMBIGUOUS more than
 *   one · ERR_TOKEN_MALFORMED an empty or impossible one
 * @example findToken({ query: 'signed_request=a.b.c', headerValues }, ['query:signed_request', 'authorization'])
 */
export function findToken(source: TokenSource, accepted: readonly TokenCarrier[]): CarriedToken {
  const found: Candidate[] = []
  collectFromPairs(source.query, QUERY_CARRIERS, found)
  if (source.form !== undefined) collectFromPairs(source.form, FORM_CARRIERS, found)
  collectFromAuthorization(source.headerValues('authorization'), found)
  for (const value of source.headerValues('x-acpt')) found.push({ carrier: 'x-acpt', text: value.trim() })
  const [first, second] = found
  if (second !== undefined) throw new PartywallError('ERR_TOKEN_AMBIGUOUS')
  if (first === undefined || !isAccepted(first.carrier, accepted)) throw new PartywallError('ERR_TOKEN_MISSING')
  return { carrier: first.carrier, token: checkToken(first.text) }
}

/** Who takes any spelling takes the exact one too. */
const isAccepted = (carrier: TokenCarrier, accepted: readonly TokenCarrier[]): boolean =>
  accepted.includes(carrier) || (carrier === 'authorization' && accepted.includes('authorization:any'))

interface Candidate {
  readonly carrier: TokenCarrier
  /** `undefined` where its spelling cannot be decoded. */
  readonly text: string | undefined
}

function checkToken(text: string | undefined): string {
  if (text === undefined || text.length > MAX_TOKEN_LENGTH || !TOKEN.test(text))
    throw new PartywallError('ERR_TOKEN_MALFORMED', { message: 'The token has no possible spelling.' })
  return text
}

type NamedCarriers = Readonly<Record<string, TokenCarrier>>
const QUERY_CARRIERS: NamedCarriers = { jwt: 'query:jwt', signed_request: 'query:signed_request' }
const FORM_CARRIERS: NamedCarriers = { jwt: 'form:jwt' }

/** Of a query or form, without taking the rest of it apart. */
function collectFromPairs(text: string, carriers: NamedCarriers, found: Candidate[]): void {
  for (let start = 0; start < text.length; ) {
    const next = text.indexOf('&', start)
    const end = next < 0 ? text.length : next
    const equals = text.indexOf('=', start)
    const nameEnd = equals < 0 || equals > end ? end : equals
    const carrier = carrierOf(text.slice(start, nameEnd), carriers)
    if (carrier !== undefined) found.push({ carrier, text: percentDecode(text.slice(nameEnd + 1, end)) })
    start = end + 1
  }
}

// Names may be percent-encoded too. One that cannot be decoded strictly keeps a `%` in every lenient reading, so nobody
// takes it for one of ours.
function carrierOf(rawName: string, carriers: NamedCarriers): TokenCarrier | undefined {
  const name = rawName.includes('%') || rawName.includes('+') ? percentDecode(rawName) : rawName
  return name !== undefined && Object.hasOwn(carriers, name) ? carriers[name] : undefined
}

function collectFromAuthorization(values: readonly string[], found: Candidate[]): void {
  // Two such headers are never right, whatever their schemes: readers differ in which one they take.
  if (values.length > 1) throw new PartywallError('ERR_TOKEN_AMBIGUOUS')
  const value = values[0]?.trim() ?? ''
  const blank = value.search(/[ \t]/)
  const scheme = blank < 0 ? value : value.slice(0, blank)
  const text = blank < 0 ? '' : value.slice(blank).trim()
  if (scheme.toLowerCase() === 'bearer') found.push({ carrier: 'bearer', text })
  if (scheme.toLowerCase() !== 'jwt') return
  const isNamed = text.startsWith('token=')
  const carrier = scheme === 'JWT' && !isNamed ? 'authorization' : 'authorization:any'
  found.push({ carrier, text: isNamed ? text.slice(6) : text })
}
