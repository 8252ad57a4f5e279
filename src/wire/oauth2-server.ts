/**
 * The host's side of a token request: HTTP Basic and the body as form or JSON, strictly read. For simulators and tests of
 * hosts; whether a client may have a token is the host's matter.
 */

import { PartywallError } from '../core/errors.ts'
import { parseForm } from './percent.ts'

export interface BasicCredentials {
  readonly id: string
  readonly secret: string
}

export interface ParsedTokenRequest {
  readonly grantType: string
  /** Sorted, without repeats; `undefined` when the request names none, which asks for all. */
  readonly scopes: readonly string[] | undefined
  /** Every further field, for grants with more of them. */
  readonly fields: ReadonlyMap<string, string>
}

const MAX_BODY_BYTES = 65_536
const MAX_HEADER_LENGTH = 8192

/**
 * @param header value of `Authorization`
 * @throws ERR_TOKEN_MISSING absent or another scheme · ERR_TOKEN_MALFORMED
 */
export function parseBasic(header: string | undefined): BasicCredentials {
  const match = /^basic +([^ ]+)$/i.exec(header === undefined || header.length > MAX_HEADER_LENGTH ? '' : header)
  const encoded = match?.[1]
  if (encoded === undefined) throw new PartywallError('ERR_TOKEN_MISSING')
  const bytes = Buffer.from(encoded, 'base64')
  const text = bytes.toString('utf8')
  const colon = text.indexOf(':')
  const isExact = bytes.toString('base64') === encoded && Buffer.from(text).equals(bytes)
  if (!isExact || colon < 1 || /\p{Cc}/u.test(text)) throw new PartywallError('ERR_TOKEN_MALFORMED')
  return { id: text.slice(0, colon), secret: text.slice(colon + 1) }
}

/**
 * @param contentType value of `Content-Type`: form (documented) or JSON (what the old libraries send)
 * @throws ERR_CONTENT_TYPE · ERR_BODY_TOO_LARGE · ERR_BODY_INVALID not UTF-8, not a flat set of texts, a repeated field,
 *   no `grant_type`
 */
export function parseTokenRequest(contentType: string | undefined, body: Buffer): ParsedTokenRequest {
  if (body.length > MAX_BODY_BYTES) throw new PartywallError('ERR_BODY_TOO_LARGE')
  const pairs = readPairs(mediaTypeOf(contentType), body)
  const fields = new Map<string, string>()
  for (const [name, value] of pairs) {
    if (fields.has(name)) throw invalid('a field is repeated')
    fields.set(name, value)
  }
  const grantType = fields.get('grant_type')
  if (grantType === undefined || grantType === '') throw invalid('grant_type is missing')
  return { grantType, scopes: scopesOf(fields.get('scope')), fields }
}

function readPairs(mediaType: string, body: Buffer): readonly (readonly [string, string])[] {
  if (mediaType === 'application/x-www-form-urlencoded') {
    const pairs = parseForm(textOf(body))
    if (pairs === undefined) throw invalid('the form cannot be decoded')
    return pairs
  }
  if (mediaType === 'application/json') return readJson(textOf(body))
  throw new PartywallError('ERR_CONTENT_TYPE')
}

function readJson(text: string): readonly (readonly [string, string])[] {
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('not a JSON object')
  return Object.entries(value).map(([name, field]): readonly [string, string] => {
    if (typeof field !== 'string') throw invalid('a field is not text')
    return [name, field]
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message would quote the body.
    throw invalid('not JSON')
  }
}

function textOf(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch (cause) {
    throw new PartywallError('ERR_BODY_INVALID', { message: 'The token request is not UTF-8.', cause })
  }
}

function scopesOf(scope: string | undefined): readonly string[] | undefined {
  if (scope === undefined) return undefined
  // RFC 6749 s. 3.3: visible ASCII without quote and back slash.
  const scopes = scope.split(' ').filter(name => name !== '')
  if (scopes.some(name => !/^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/.test(name))) throw invalid('a scope has a wrong name')
  return scopes.length === 0 ? undefined : [...new Set(scopes)].sort()
}

const mediaTypeOf = (contentType: string | undefined): string =>
  (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''

const invalid = (why: string) => new PartywallError('ERR_BODY_INVALID', { message: `The token request: ${why}.` })
