/** An answer as a WHATWG `Response`. */

import { nodePartsOf } from './fetch-view.ts'
import type { Answer } from './view.ts'
import { hasLargeUnreadBody, writeAnswer } from './write-answer.ts'

/** How `@hono/node-server` is told that nothing is left to write. */
const ALREADY_SENT = { 'x-hono-already-sent': 'true' }

/**
 * @param environment  what the server handed over beside the request: where the client of a Node server still sends a large
 *   body, the answer is written at once and the connection ended in order
 */
export function respond(answer: Answer, request: Request, environment: unknown): Response {
  const node = nodePartsOf(environment)
  if (node !== undefined && hasLargeUnreadBody(node.incoming)) {
    writeAnswer(node.incoming, node.outgoing, answer)
    // A copy, since the server of `@hono/node-server` looks for the mark in a real `Response` only, not in its light one.
    return new Response(null, { headers: ALREADY_SENT }).clone()
  }
  const headers = new Headers()
  for (let index = 0; index < answer.headers.length; index += 2) {
    headers.append(answer.headers[index] ?? '', answer.headers[index + 1] ?? '')
  }
  const isEmpty = request.method === 'HEAD' || answer.status === 204 || answer.status === 304
  return new Response(isEmpty ? null : (answer.body ?? null), { status: answer.status, headers })
}
