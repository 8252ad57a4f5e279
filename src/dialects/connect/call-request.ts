/**
 * One call as an author words it, and the request it becomes: address below the product's base URL, query, headers, body.
 * What a call must not say is refused here, before anything is signed. Nothing here sends.
 */

import { PartywallError } from '../../core/errors.ts'
import type { Random } from '../../core/ports.ts'
import { confinedUrl } from '../common/address.ts'
import { invalidField } from '../common/check.ts'
import { checkMediaType, fileNameParameter, multipart } from '../common/multipart.ts'
import type { ConnectScope } from './options.ts'

type Value = string | number | boolean
/** A list becomes a parameter given several times; `undefined` is left out. */
export type ProductQuery = Readonly<Record<string, Value | readonly Value[] | undefined>>

export interface ProductFile {
  /** 1 to 255 characters, no path. */
  readonly name: string
  readonly content: Uint8Array | string
  /** Default `application/octet-stream`. */
  readonly contentType?: string
}

/** At most one of `body`, `form`, `multipart`; none with GET and HEAD. */
export interface ProductRequest {
  readonly query?: ProductQuery | undefined
  /** Sent as JSON. */
  readonly body?: unknown
  /** Sent as `application/x-www-form-urlencoded`. */
  readonly form?: ProductQuery
  /** Sent as `multipart/form-data`. */
  readonly multipart?: Readonly<Record<string, string | ProductFile>>
  /** Further headers; credentials and what the client sets itself are refused. */
  readonly headers?: Readonly<Record<string, string>>
  /** Statuses that are success; default 200, 201, 202, 204. */
  readonly expect?: readonly number[]
  /** `app` (default) or `anonymous`, which sends no token. */
  readonly as?: 'app' | 'anonymous'
  /** Scope this call needs where it is not the one its method stands for; `NONE`: none. */
  readonly scope?: ConnectScope
  /** Per try; default 10,000. */
  readonly timeoutMs?: number
  /** Tries in all while the product is busy, 1 to 4; default 4. */
  readonly tries?: number
}

export interface Content {
  readonly type: string
  readonly bytes: Buffer
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'] as const
export type ProductMethod = (typeof METHODS)[number]

/** Credentials are the client's matter; so is what describes body, connection and sender. */
const OWN_HEADERS =
  /^(?:authorization|proxy-.*|cookie|host|content-type|content-length|transfer-encoding|connection|user-agent|te|trailer|upgrade|expect|keep-alive|accept-encoding)$/i
const SUBJECT = 'the call'

/** @throws PartywallError ERR_CALL_INVALID */
export function methodOf(method: string): ProductMethod {
  const known = METHODS.find(one => one === String(method).toUpperCase())
  if (known !== undefined) return known
  throw invalidField('method', `one of ${METHODS.join(', ')}`, SUBJECT)
}

/**
 * @param baseUrl  of the product, without trailing slash
 * @throws PartywallError ERR_OUTBOUND_URL, ERR_OUTBOUND_REFUSED, ERR_CALL_INVALID
 */
export function productUrl(baseUrl: string, path: string, query: ProductQuery = {}): URL {
  if (typeof path !== 'string') throw invalidField('path', 'a text', SUBJECT)
  const url = confinedUrl(baseUrl, path)
  refuseHiddenDots(url.pathname)
  for (const [name, value] of pairsOf(query)) url.searchParams.append(name, value)
  // A product takes a token from the query as well, and of two it may take the other one.
  if (url.searchParams.has('jwt')) throw invalidField('query.jwt', 'a token is not a parameter', SUBJECT)
  return url
}

/** A product that decodes before it routes would leave its base path by these. */
function refuseHiddenDots(pathname: string): void {
  let path = pathname
  for (let round = 0; round < 3; round += 1) {
    path = path.replace(/%([0-7][0-9A-Fa-f])/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    if (/(?:^|[/\\])\.{1,2}(?:[/\\;]|$)/.test(path)) throw new PartywallError('ERR_OUTBOUND_REFUSED')
  }
}

/** @throws PartywallError ERR_CALL_INVALID */
export function headersOf(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  const lower = Object.entries(headers).map(([name, value]): [string, string] => {
    if (!/^[A-Za-z][A-Za-z0-9-]{0,99}$/.test(name) || OWN_HEADERS.test(name)) {
      throw invalidField('headers', 'a name that a caller may set', SUBJECT)
    }
    const isPlain = typeof value === 'string' && value.length <= 8_192 && /^[\t\x20-\x7e]*$/.test(value)
    if (!isPlain) throw invalidField(`headers.${name}`, 'visible ASCII', SUBJECT)
    return [name.toLowerCase(), value]
  })
  return Object.fromEntries(lower)
}

/** @throws PartywallError ERR_CALL_INVALID more than one body, a body where there is none */
export function contentOf(method: ProductMethod, request: ProductRequest, random: Random): Content | undefined {
  const { body, form, multipart: parts } = request
  const given = [body, form, parts].filter(value => value !== undefined)
  if (given.length > 1) throw invalidField('body', 'one of body, form and multipart', SUBJECT)
  if (given.length === 0) return undefined
  // The products answer 403 to it.
  if (method === 'GET' || method === 'HEAD') throw invalidField('body', `${method} sends none`, SUBJECT)
  if (form !== undefined) {
    return {
      type: 'application/x-www-form-urlencoded',
      bytes: Buffer.from(new URLSearchParams(pairsOf(form)).toString()),
    }
  }
  return parts === undefined ? jsonContent(body) : formData(parts, random)
}

function jsonContent(body: unknown): Content {
  const text = JSON.stringify(body)
  if (text === undefined) throw invalidField('body', 'a JSON value', SUBJECT)
  return { type: 'application/json', bytes: Buffer.from(text) }
}

function formData(parts: Readonly<Record<string, string | ProductFile>>, random: Random): Content {
  const list = Object.entries(parts).map(([name, part]) => {
    if (!/^[\w.-]{1,100}$/.test(name)) throw invalidField('multipart', 'names of letters, digits and ._-', SUBJECT)
    const disposition = `Content-Disposition: form-data; name="${name}"`
    if (typeof part === 'string') return { headers: [disposition], bytes: Buffer.from(part) }
    const type = checkMediaType(part.contentType ?? 'application/octet-stream', SUBJECT)
    const { content } = part
    if (typeof content !== 'string' && !(content instanceof Uint8Array)) {
      throw invalidField('content', 'bytes or a text', SUBJECT)
    }
    return {
      headers: [`${disposition}; ${fileNameParameter(part.name, SUBJECT)}`, `Content-Type: ${type}`],
      bytes: typeof content === 'string' ? Buffer.from(content) : Buffer.from(content),
    }
  })
  return multipart('form-data', list, random)
}

function pairsOf(query: ProductQuery): [string, string][] {
  return Object.entries(query).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => {
      const isValue = typeof one === 'string' || typeof one === 'boolean' || Number.isFinite(one)
      if (!isValue || /\p{Surrogate}/u.test(`${name}${one}`))
        throw invalidField(`query.${name}`, 'a text, number or boolean', SUBJECT)
      return [name, String(one)]
    }),
  )
}
