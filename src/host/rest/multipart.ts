/**
 * `multipart/related` (RFC 2387) with one JSON part and one file part, strictly read: exact boundaries, CRLF, no nesting, no
 * transfer encoding, no preamble that says something, bounded headers.
 */

import { ApiError } from '../server/api-error.ts'

export interface RelatedBody {
  /** The JSON part's bytes; empty when there is none. */
  readonly document: Buffer
  readonly file: { readonly name: string; readonly bytes: Buffer }
}
interface Part {
  readonly headers: ReadonlyMap<string, string>
  readonly bytes: Buffer
}

const MAX_PART_HEADERS = 2_048
const CRLF = '\r\n'

/** @throws ApiError 415 for another content type · 400 for anything that is not exactly so */
export function parseRelated(contentType: string | undefined, body: Buffer): RelatedBody {
  const parts = splitParts(body, boundaryOf(contentType ?? '')).map(readPart)
  const documents = parts.filter(part => mediaTypeOf(part) === 'application/json' && nameOf(part) === undefined)
  const files = parts.filter(part => !documents.includes(part))
  const [file] = files
  if (file === undefined || files.length !== 1 || documents.length > 1) {
    throw malformed('it needs one file part and at most one JSON part')
  }
  const name = nameOf(file)
  if (name === undefined) throw malformed('the file part has no filename')
  return { document: documents[0]?.bytes ?? Buffer.alloc(0), file: { name, bytes: file.bytes } }
}

function boundaryOf(contentType: string): string {
  const [type = '', ...parameters] = contentType.split(';').map(one => one.trim())
  if (type.toLowerCase() !== 'multipart/related') throw new ApiError(415, 'The body is not multipart/related.')
  const values = parameters.flatMap(one => /^boundary=(?:"([^"]+)"|([^"\s]+))$/i.exec(one)?.slice(1) ?? [])
  const boundaries = values.filter(one => one !== undefined)
  const [boundary = ''] = boundaries
  // RFC 2046 s. 5.1.1
  if (boundaries.length !== 1 || !/^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/.test(boundary)) {
    throw malformed('it has no boundary')
  }
  return boundary
}

function splitParts(body: Buffer, boundary: string): Buffer[] {
  const delimiter = `${CRLF}--${boundary}`
  // The first delimiter may stand at the very beginning.
  const text = Buffer.concat([Buffer.from(CRLF), body])
  const parts: Buffer[] = []
  let at = text.indexOf(delimiter)
  if (at !== 0) throw malformed('it does not begin with its boundary')
  for (;;) {
    const start = at + delimiter.length
    if (text.subarray(start, start + 2).equals(Buffer.from('--'))) {
      const rest = text.subarray(start + 2).toString('latin1')
      if (rest !== '' && rest !== CRLF) throw malformed('something follows its end')
      return parts
    }
    if (!text.subarray(start, start + 2).equals(Buffer.from(CRLF)))
      throw malformed('a boundary is not alone in its line')
    at = text.indexOf(delimiter, start)
    if (at < 0) throw malformed('it has no end')
    parts.push(text.subarray(start + 2, at))
  }
}

function readPart(part: Buffer): Part {
  const end = part.indexOf(CRLF + CRLF)
  if (end < 0 || end > MAX_PART_HEADERS) throw malformed('a part has no headers, or too long ones')
  const headers = new Map<string, string>()
  for (const line of part.subarray(0, end).toString('utf8').split(CRLF)) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/.exec(line) ?? []
    if (name === undefined || value === undefined || headers.has(name.toLowerCase())) {
      throw malformed('a header of a part is malformed or repeated')
    }
    headers.set(name.toLowerCase(), value.trim())
  }
  const encoding = headers.get('content-transfer-encoding') ?? 'binary'
  if (!/^(?:7bit|8bit|binary)$/i.test(encoding)) throw malformed('a part is encoded')
  return { headers, bytes: part.subarray(end + 4) }
}

const mediaTypeOf = ({ headers }: Part): string =>
  headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? ''

/** The base name only: a path in it is no business of the receiver. */
function nameOf({ headers }: Part): string | undefined {
  const disposition = headers.get('content-disposition') ?? ''
  const [, quoted, bare] =
    /;[ \t]*filename=(?:"([^"\\]{1,255})"|([^";\s]{1,255}))[ \t]*(?:;|$)/i.exec(disposition) ?? []
  const name = (quoted ?? bare)?.split(/[\\/]/).at(-1)
  return name === undefined || name === '' || name === '.' || name === '..' ? undefined : name
}

const malformed = (why: string): ApiError => new ApiError(400, `The multipart body is malformed: ${why}.`)
