/**
 * Errors of guarded requests that no error handler of the app took. Outside production Express answers them with their stack; what
 * it writes is replaced here. Its log is left alone.
 */

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { isPartywallError } from '../core/errors.ts'
import { errorAnswer } from '../http/answers.ts'
import { writeAnswer } from '../http/write-answer.ts'

/** What we use of Express's application; a mounted one knows its parent. */
export interface ExpressApplication {
  /** What its requests are made from. */
  readonly request?: object
  readonly parent?: ExpressApplication | undefined
  use(handler: ExpressErrorHandler): unknown
}
type ExpressErrorHandler = (
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

const guardedRequests = new WeakSet<IncomingMessage>()
const prepared = new WeakSet<ExpressApplication>()

/** Puts the handler behind every other one of the outermost app, when its first guarded request comes: all of them are there by then. */
export function hideErrorsOf(request: IncomingMessage & { readonly app?: ExpressApplication }): void {
  guardedRequests.add(request)
  if (request.app !== undefined) prepare(request.app)
}

function prepare(app: ExpressApplication): void {
  if (prepared.has(app)) return
  prepared.add(app)
  if (app.parent === undefined) app.use(hideError)
  else prepare(app.parent)
}

// Express tells error handlers by their four parameters.
function hideError(
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) {
  if (!guardedRequests.has(request) || response.headersSent) return next(error)
  if (isPartywallError(error) && error.status < 500) return writeAnswer(request, response, errorAnswer(error))
  const end = response.end.bind(response)
  response.end = () => {
    const text = STATUS_CODES[response.statusCode] ?? 'Error'
    response.setHeader('content-type', 'text/plain; charset=utf-8')
    response.setHeader('content-length', Buffer.byteLength(text))
    return end(text)
  }
  next(error)
}
