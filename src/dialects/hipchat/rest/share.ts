/**
 * Links and files shared with a room or a person. A file travels as multipart/related (RFC 2387): a JSON part with the message
 * and the file itself. The parts' borders are random and occur in neither; the file's name cannot leave its quotes.
 */

import type { Random } from '../../../core/ports.ts'
import type { HostContent } from '../host-api.ts'
import { invalidField } from './check.ts'
import type { Operations } from './operations.ts'

export interface SharedFile {
  /** 1 to 255 characters, no path. */
  readonly name: string
  /** At most 20 MiB; text is sent as UTF-8. */
  readonly content: Uint8Array | string
  /** Media type; default `application/octet-stream`. */
  readonly contentType?: string
}

export type FileShare = (path: string, file: SharedFile, message?: string) => Promise<null>

const SUBJECT = 'the shared file'
const MAX_BYTES = 20 * 1024 * 1024
const TIMEOUT_MS = 60_000
const MEDIA_TYPE = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?:; ?[\w-]{1,40}=[\w.:+-]{1,80})?$/

export const linkBody = (link: string, message: string | undefined): object => {
  if (typeof link !== 'string' || link === '') throw invalidField('link', 'a text that is not empty', 'the shared link')
  return { link, message }
}

export const createFileShare =
  ({ change }: Pick<Operations, 'change'>, random: Random): FileShare =>
  async (path, file, message) =>
    change('POST', 'send_message', path, { content: multipartRelated(file, message, random), timeoutMs: TIMEOUT_MS })

/** @throws PartywallError ERR_CALL_INVALID for a name, a media type or a size that cannot be sent */
export function multipartRelated(file: SharedFile, message: string | undefined, random: Random): HostContent {
  const { name, content, contentType = 'application/octet-stream' } = file
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  if (!(bytes instanceof Uint8Array)) throw invalidField('content', 'bytes or a text', SUBJECT)
  if (bytes.length > MAX_BYTES) throw invalidField('content', `more than ${MAX_BYTES} bytes`, SUBJECT)
  if (!MEDIA_TYPE.test(contentType)) throw invalidField('contentType', 'not a media type', SUBJECT)
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const metadata = Buffer.from(JSON.stringify({ message }))
  const boundary = boundaryFor([metadata, data], random)
  const part = (headers: readonly string[]) => Buffer.from(`--${boundary}\r\n${headers.join('\r\n')}\r\n\r\n`)
  return {
    type: `multipart/related; boundary=${boundary}`,
    bytes: Buffer.concat([
      part(['Content-Type: application/json; charset=UTF-8', 'Content-Disposition: attachment; name="metadata"']),
      metadata,
      Buffer.from('\r\n'),
      part([`Content-Type: ${contentType}`, `Content-Disposition: attachment; name="file"; ${fileName(name)}`]),
      data,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  }
}

function boundaryFor(parts: readonly Buffer[], random: Random): string {
  for (;;) {
    const boundary = `partywall-${random.bytes(16).toString('hex')}`
    if (!parts.some(part => part.includes(boundary))) return boundary
  }
}

/** Plain names as they are; others as RFC 6266 has it, with a plain stand-in for hosts that know no better. */
function fileName(name: string): string {
  const isSendable =
    typeof name === 'string' && name !== '' && name.length <= 255 && !/[\p{Cc}\p{Surrogate}/\\]/u.test(name)
  if (!isSendable) throw invalidField('name', '1 to 255 characters without slashes and control characters', SUBJECT)
  const plain = name.replace(/[^\x20-\x7e]|["%]/gu, '_')
  if (plain === name) return `filename="${name}"`
  const encoded = encodeURIComponent(name).replace(/['()*]/g, character => `%${character.charCodeAt(0).toString(16)}`)
  return `filename="${plain}"; filename*=UTF-8''${encoded}`
}
