/** Writes an answer to Node's `ServerResponse`, and ends connections cleanly whose request body nobody wants to read. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { headerOf } from '../core/header-list.ts'
import { announcesBody, declaredLength } from './raw-body.ts'
import { rawHeader } from './raw-headers.ts'
import type { Answer } from './view.ts'

/** Up to here an unread body is simply read and dropped by Node, and the connection lives on. */
const CHEAP_BODY_BYTES = 64 * 1024
const LINGER_BYTES = 4 * 1024 * 1024
const LINGER_MS = 2_000

/** Does nothing when headers have left already or the client is gone. */
export function writeAnswer(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.headersSent || response.destroyed) return
  const lingers = hasLargeUnreadBody(request)
  const body = hasBody(request, answer) ? answer.body : undefined
  response.writeHead(answer.status, completeHeaders(answer, lingers) as string[])
  if (lingers) lingerThenEnd(request, response, body)
  else response.end(body)
}

/**
 * True where ending the response now would reset the connection: the client still sends, and unread bytes in our receive
 * buffer turn a close into a reset that can destroy the answer on its way.
 */
export const hasLargeUnreadBody = (request: IncomingMessage): boolean =>
  !request.complete &&
  announcesBody(request) &&
  (rawHeader(request, 'transfer-encoding') !== undefined || declaredLength(request) > CHEAP_BODY_BYTES)

const hasBody = (request: IncomingMessage, answer: Answer): boolean =>
  request.method !== 'HEAD' && answer.status !== 204 && answer.status !== 304

function completeHeaders(answer: Answer, closes: boolean): readonly string[] {
  const needsLength =
    answer.status !== 204 && answer.status !== 304 && headerOf(answer.headers, 'content-length') === undefined
  if (!needsLength && !closes) return answer.headers
  const headers = [...answer.headers]
  if (needsLength) headers.push('content-length', String(Buffer.byteLength(answer.body ?? '')))
  if (closes) headers.push('connection', 'close')
  return headers
}

/** The whole answer goes out at once; the end waits until the client has stopped sending, or has sent too much or too long. */
function lingerThenEnd(request: IncomingMessage, response: ServerResponse, body: string | Buffer | undefined): void {
  if (body === undefined) response.flushHeaders()
  else response.write(body)
  let drained = 0
  const end = () => {
    clearTimeout(timer)
    request.off('data', onData).off('end', end).off('close', end)
    response.end()
  }
  const onData = (chunk: Buffer) => {
    drained += chunk.length
    if (drained > LINGER_BYTES) end()
  }
  const timer = setTimeout(end, LINGER_MS)
  request.on('data', onData).on('end', end).on('close', end).resume()
}
