/** A mountable app as a plain `node:http` request listener: builds the view, writes the answer, 404 for what nobody answers. */

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { isPartywallError, PartywallError } from '../core/errors.ts'
import { errorAnswer } from './answers.ts'
import { createNodeView, type NodeViewOptions } from './node-view.ts'
import type { ErrorListener } from './router.ts'
import { isOriginForm } from './target.ts'
import type { Answer, Mountable, RequestView } from './view.ts'
import { writeAnswer } from './write-answer.ts'

/** Hears of every finished request. Called after the answer was handed to the socket; must not throw. */
export type AnswerListener = (request: {
  readonly view: RequestView
  readonly status: number
  readonly tenant: string | undefined
  readonly startedAt: number
}) => void

export interface NodeHandlerOptions extends Pick<NodeViewOptions, 'bodyTimeoutMs'> {
  /** Hears of errors that reach this far: an app that throws instead of answering. */
  readonly onError?: ErrorListener
  readonly onAnswer?: AnswerListener
}

const NOT_FOUND = errorAnswer(new PartywallError('ERR_NOT_FOUND'))
const BAD_TARGET = errorAnswer(new PartywallError('ERR_REQUEST_TARGET'))

/**
 * @param app   answers its own routes
 * @param next  gets every other request; left out: 404
 * @example http.createServer(serverOptions(), createNodeHandler(app)).listen(8080)
 */
export function createNodeHandler(
  app: Mountable,
  options: NodeHandlerOptions = {},
  next?: RequestListener,
): RequestListener {
  return (request, response) => {
    const startedAt = options.onAnswer === undefined ? 0 : performance.now()
    const view = createNodeView(request, options)
    const finish = (answer: Answer) => {
      writeAnswer(request, response, answer)
      options.onAnswer?.({ view, status: answer.status, tenant: answer.tenant, startedAt })
    }
    const fail = (error: unknown) => {
      if (!isPartywallError(error) || error.status >= 500) options.onError?.(error, view)
      settle(request, response, errorAnswer(error), finish)
    }
    try {
      const answer = app.handle(view)
      if (answer instanceof Promise) answer.then(finish).catch(fail)
      else if (answer === undefined && next !== undefined) next(request, response)
      else finish(answer ?? (isOriginForm(view.target) ? NOT_FOUND : BAD_TARGET))
    } catch (error) {
      fail(error)
    }
  }
}

/** A last resort that cannot throw: when even the error cannot be written, the connection ends. */
function settle(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  finish: (answer: Answer) => void,
): void {
  try {
    finish(answer)
  } catch {
    // The error itself has been reported; what failed here is only telling this client.
    request.socket.destroy()
    response.destroy()
  }
}
