/**
 * Reads the raw body of a request once: bounded in size and time, never decompressed, never half of it after somebody
 * else has read the stream.
 */

import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { PartywallError } from '../core/errors.ts'
import { rawHeader, rawHeaderValues } from './raw-headers.ts'

export const DEFAULT_MAX_BODY_BYTES = 1024 * 1024
/** For the whole body. */
export const DEFAULT_BODY_TIMEOUT_MS = 20_000
const EMPTY = Buffer.alloc(0)

export interface RawBodyOptions {
  readonly maxBytes: number
  readonly timeoutMs: number
  /** What a body parser before us kept of the raw body, if it did. */
  readonly rawBody?: unknown
}

/** True when the request announces a body. */
export const announcesBody = (request: IncomingMessage): boolean =>
  rawHeader(request, 'transfer-encoding') !== undefined || declaredLength(request) > 0

/** Content-Length, or 0 where there is none. The server's parser has refused anything but digits. */
export const declaredLength = (request: IncomingMessage): number =>
  Number(rawHeaderValues(request, 'content-length')[0] ?? 0)

/**
 * @throws ERR_BODY_TOO_LARGE before reading where the length is announced, else as soon as the limit is passed;
 *   ERR_BODY_TIMEOUT, ERR_CONTENT_ENCODING, ERR_BODY_CONSUMED, ERR_BODY_INVALID when the connection ends early
 */
export async function readRawBody(request: IncomingMessage, options: RawBodyOptions): Promise<Buffer> {
  refuseEncodings(request)
  if (declaredLength(request) > options.maxBytes) throw tooLarge(options.maxBytes)
  if (!announcesBody(request)) return EMPTY
  const kept = keptBytes(request, options.rawBody)
  if (kept !== undefined) {
    if (kept.length > options.maxBytes) throw tooLarge(options.maxBytes)
    return kept
  }
  if (Readable.isDisturbed(request)) throw new PartywallError('ERR_BODY_CONSUMED')
  return collect(request, options)
}

function refuseEncodings(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding']
  const transfer = request.headers['transfer-encoding']
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new PartywallError('ERR_CONTENT_ENCODING')
  }
  if (transfer !== undefined && transfer.trim().toLowerCase() !== 'chunked') {
    throw new PartywallError('ERR_CONTENT_ENCODING')
  }
}

/** Bytes a parser left. A text counts only when it is provably the same bytes: valid UTF-8 of the announced length. */
function keptBytes(request: IncomingMessage, rawBody: unknown): Buffer | undefined {
  if (Buffer.isBuffer(rawBody)) return rawBody
  if (rawBody instanceof Uint8Array) return Buffer.from(rawBody)
  if (typeof rawBody !== 'string' || rawBody.includes('\ufffd')) return undefined
  const bytes = Buffer.from(rawBody)
  return bytes.length === declaredLength(request) ? bytes : undefined
}

function collect(request: IncomingMessage, options: RawBodyOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const timer = setTimeout(() => fail(new PartywallError('ERR_BODY_TIMEOUT')), options.timeoutMs)
    const stop = () => {
      clearTimeout(timer)
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
    }
    const fail = (error: PartywallError) => {
      stop()
      request.pause()
      reject(error)
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > options.maxBytes) fail(tooLarge(options.maxBytes))
      else chunks.push(chunk)
    }
    const onEnd = () => {
      stop()
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size))
    }
    const onBroken = () =>
      fail(new PartywallError('ERR_BODY_INVALID', { message: 'The connection ended inside the body.' }))
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
    if (request.destroyed) onBroken()
  })
}

const tooLarge = (maxBytes: number) => new PartywallError('ERR_BODY_TOO_LARGE', { details: { maxBytes } })
