/** Reads the response of an outbound call within its size limit, before and after decompression. */

import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { PartywallError } from '../core/errors.ts'
import type { OutboundResponse } from '../core/ports.ts'

type Decompress = (input: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>

/** We ask for identity; some hosts compress all the same. */
const DECOMPRESSORS: ReadonlyMap<string, Decompress> = new Map<string, Decompress>([
  ['gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
  ['br', promisify(brotliDecompress)],
])

/** @throws ERR_OUTBOUND_TOO_LARGE, ERR_HOST_RESPONSE for an encoding that cannot be read */
export async function readResponse(response: Dispatcher.ResponseData, maxBytes: number): Promise<OutboundResponse> {
  const headers = flatten(response.headers)
  const bytes = await readBounded(response.body, Number(headers['content-length'] ?? 0), maxBytes)
  return { status: response.statusCode, headers, body: await decompress(bytes, headers['content-encoding'], maxBytes) }
}

async function readBounded(
  body: Dispatcher.ResponseData['body'],
  announced: number,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  // Leaving the loop by a throw destroys the stream, and with it the connection.
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes || announced > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

async function decompress(bytes: Buffer, encoding: string | undefined, maxBytes: number): Promise<Buffer> {
  const name = encoding?.trim().toLowerCase() ?? 'identity'
  if (name === 'identity' || name === '' || bytes.length === 0) return bytes
  const run = DECOMPRESSORS.get(name)
  if (run === undefined) throw unreadable(name)
  try {
    return await run(bytes, { maxOutputLength: maxBytes })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes)
    throw unreadable(name, error)
  }
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = typeof value === 'string' ? value : value.join(', ')
  }
  return flat
}

const tooLarge = (maxBytes: number) => new PartywallError('ERR_OUTBOUND_TOO_LARGE', { details: { maxBytes } })

const unreadable = (encoding: string, cause?: unknown) =>
  new PartywallError('ERR_HOST_RESPONSE', { message: `The body is not readable as ${encoding.slice(0, 40)}.`, cause })
