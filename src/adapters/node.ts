/** Plain `node:http`: a request listener that answers the app's own routes, and one that lets only proved tenants pass. */

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { isPartywallError, PartywallError } from '../core/errors.ts'
import { errorAnswer } from '../http/answers.ts'
import { checkServer, guardExchange } from '../http/node-guard.ts'
import { createNodeHandler, type NodeHandlerOptions } from '../http/node-handler.ts'
import { createNodeView } from '../http/node-view.ts'
import type { Guarded, Guarding, GuardOptions, Mountable } from '../http/view.ts'
import { writeAnswer } from '../http/write-answer.ts'

export interface RequestListenerOptions extends NodeHandlerOptions {
  /** Gets every request that is not for a route of the app's own; left out: 404. */
  readonly next?: RequestListener
}
export type TenantListener<Properties extends object> = (
  request: IncomingMessage,
  response: ServerResponse,
  services: Properties,
) => unknown

/**
 * Answers the app's own routes and leaves every other request to `next`.
 *
 * @example http.createServer(serverOptions(), createRequestListener(app, { next: authenticate(addon, handler) })).listen(8080)
 */
export function createRequestListener(app: Mountable, options: RequestListenerOptions = {}): RequestListener {
  const listener = createNodeHandler(app, options, options.next)
  return (request, response) => {
    checkServer(request)
    listener(request, response)
  }
}

/**
 * A listener that calls `handler` only with a proved tenant, inside that tenant's context. Refusals are answered here; what the
 * handler throws is reported to the app's log and answered without details.
 */
export function authenticate<Properties extends object>(
  addon: Guarding<Properties>,
  handler: TenantListener<Properties>,
  options?: GuardOptions,
): RequestListener {
  const guard = addon.guard(options)
  return (request, response) => {
    const fail = (guarded: Guarded<Properties>, error: unknown) => {
      guarded.report?.(error)
      if (response.writableEnded) return
      const known = isPartywallError(error) ? error : new PartywallError('ERR_HANDLER_FAILED', { cause: error })
      if (response.headersSent) response.destroy()
      else writeAnswer(request, response, errorAnswer(known))
    }
    const admitted = guardExchange(
      guard,
      { request, response, view: createNodeView(request) },
      answer => writeAnswer(request, response, answer),
      guarded => {
        try {
          const result = guarded.run(() => handler(request, response, guarded.properties))
          if (result instanceof Promise) result.catch(error => fail(guarded, error))
        } catch (error) {
          fail(guarded, error)
        }
      },
    )
    // Refusing cannot fail but by a broken connection.
    admitted?.catch(error => response.destroy(error))
  }
}
