/**
 * Links and files shared with a room or a person. A file travels as multipart/related (RFC 2387): a JSON part with the message
 * and the file itself. The parts' borders are random and occur in neither; the file's name cannot leave its quotes.
 */

import type { Random } from '../../../core/ports.ts'
import { invalidField } from '../../common/check.ts'
import { checkMediaType, fileNameParameter, multipart } from '../../common/multipart.ts'
import type { HostContent } from '../host-api.ts'
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
  const type = checkMediaType(contentType, SUBJECT)
  const disposition = `Content-Disposition: attachment; name="file"; ${fileNameParameter(name, SUBJECT)}`
  return multipart(
    'related',
    [
      {
        headers: ['Content-Type: application/json; charset=UTF-8', 'Content-Disposition: attachment; name="metadata"'],
        bytes: Buffer.from(JSON.stringify({ message })),
      },
      {
        headers: [`Content-Type: ${type}`, disposition],
        bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      },
    ],
    random,
  )
}
