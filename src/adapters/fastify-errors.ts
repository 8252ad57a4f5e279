/**
 * Errors of guarded requests where the app has no error handler of its own: Fastify's default one answers with the error's text,
 * which may name files and hosts. Same shape, same status, same line in the log, without the text.
 */

import { STATUS_CODES } from 'node:http'
import { isPartywallError } from '../core/errors.ts'
import { errorAnswer } from '../http/answers.ts'

interface Reply {
  code(status: number): unknown
  header(name: string, value: string): unknown
  send(payload?: unknown): unknown
}
interface Request {
  readonly log: { error(fields: object, text: string): void }
}
export type FastifyErrorHandler = (error: unknown, request: Request, reply: Reply) => void

/** @throws the error itself where it is the caller's: Fastify's own handler tells what was wrong with the request */
export const hideErrors: FastifyErrorHandler = (error, request, reply) => {
  const { status, statusCode = status } = (error ?? {}) as { readonly status?: unknown; readonly statusCode?: unknown }
  const code = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 600 ? statusCode : 500
  if (code >= 500) request.log.error({ err: error }, 'the handler of a guarded route failed')
  if (isPartywallError(error)) {
    const { headers, body } = errorAnswer(error)
    reply.code(code)
    for (let index = 0; index < headers.length; index += 2) reply.header(headers[index] ?? '', headers[index + 1] ?? '')
    reply.send(body)
    return
  }
  if (code < 500) throw error
  const name = STATUS_CODES[code] ?? 'Error'
  reply.code(code)
  reply.send({ statusCode: code, error: name, message: name })
}
