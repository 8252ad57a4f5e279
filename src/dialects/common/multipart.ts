/** Parts of multipart bodies (RFC 2046): borders that occur in no part, file names that cannot leave their quotes. */

import type { Random } from '../../core/ports.ts'
import { invalidField } from './check.ts'

const MEDIA_TYPE = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?:; ?[\w-]{1,40}=[\w.:+-]{1,80})?$/

export interface Part {
  readonly headers: readonly string[]
  readonly bytes: Buffer
}

/** @param subtype  `related`, `form-data` */
export function multipart(
  subtype: string,
  parts: readonly Part[],
  random: Random,
): { readonly type: string; readonly bytes: Buffer } {
  const boundary = boundaryFor(parts, random)
  const pieces = parts.flatMap(({ headers, bytes }) => [
    Buffer.from(`--${boundary}\r\n${headers.join('\r\n')}\r\n\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ])
  return {
    type: `multipart/${subtype}; boundary=${boundary}`,
    bytes: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]),
  }
}

/** @throws PartywallError ERR_CALL_INVALID */
export function checkMediaType(type: string, subject: string): string {
  if (MEDIA_TYPE.test(type)) return type
  throw invalidField('contentType', 'not a media type', subject)
}

/** Plain names as they are; others as RFC 6266 has it, with a plain stand-in for hosts that know no better. @throws PartywallError ERR_CALL_INVALID */
export function fileNameParameter(name: string, subject: string): string {
  const isSendable =
    typeof name === 'string' && name !== '' && name.length <= 255 && !/[\p{Cc}\p{Surrogate}/\\]/u.test(name)
  if (!isSendable) throw invalidField('name', '1 to 255 characters without slashes and control characters', subject)
  const plain = name.replace(/[^\x20-\x7e]|["%]/gu, '_')
  if (plain === name) return `filename="${name}"`
  const encoded = encodeURIComponent(name).replace(/['()*]/g, character => `%${character.charCodeAt(0).toString(16)}`)
  return `filename="${plain}"; filename*=UTF-8''${encoded}`
}

function boundaryFor(parts: readonly Part[], random: Random): string {
  for (;;) {
    const boundary = `partywall-${random.bytes(16).toString('hex')}`
    if (!parts.some(({ bytes }) => bytes.includes(boundary))) return boundary
  }
}
