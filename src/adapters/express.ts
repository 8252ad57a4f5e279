/**
 * Express: builds the view from Express's request, attaches the tenant to `req`, leaves the answer to Express. No Express at run
 * time; its request and application are described by what is used here.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerOwn, attach } from '../http/admission.ts'
import { checkServer, guardExchange } from '../http/node-guard.ts'
import { createNodeView } from '../http/node-view.ts'
import type { Answer, Guarding, GuardOptions, Mountable, RequestView } from '../http/view.ts'
import { writeAnswer } from '../http/write-answer.ts'
import { type ExpressApplication, hideErrorsOf } from './express-errors.ts'

/** What we use of Express's request. */
export interface ExpressRequest extends IncomingMessage {
  readonly originalUrl: string
  /** Left out where a router stands alone. */
  readonly app?: ExpressApplication
}
export type ExpressMiddleware = (
  request: ExpressRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void | Promise<void>

/**
 * Middleware that answers the app's own routes and leaves every other request to the next one.
 * Use it before body parsers: what they have read cannot be verified (ERR_BODY_CONSUMED) unless they kept `rawBody`.
 *
 * @example server.use(mount(app))
 */
export function mount(app: Mountable): ExpressMiddleware {
  return (request, response, next) => {
    checkServer(request)
    const write = (answer: Answer) => {
      hideBanner(response)
      writeAnswer(request, response, answer)
    }
    const answer = answerOwn(app, viewOf(request))
    if (answer === undefined) return next()
    return answer instanceof Promise ? answer.then(write) : write(answer)
  }
}

/**
 * Middleware that lets only requests with a proved tenant pass, and runs everything behind it inside that tenant's context.
 * The tenant's properties stand on `req` as read-only, non-enumerable getters. Refusals are answered here; errors go to the app's own
 * error handlers, and those that nobody handles are answered without their stack, also in development.
 *
 * @example server.use(authenticate(addon)); server.get('/me', (req, res) => res.json({ tenant: req.tenant.id }))
 */
export function authenticate(addon: Guarding<object>, options?: GuardOptions): ExpressMiddleware {
  const guard = addon.guard(options)
  return (request, response, next) => {
    hideBanner(response)
    return guardExchange(
      guard,
      { request, response, view: viewOf(request) },
      answer => writeAnswer(request, response, answer),
      guarded => {
        attach(request, guarded.properties, prototypeOf(request.app) ?? request)
        hideErrorsOf(request)
        guarded.run(next)
      },
    )
  }
}

/** What the outermost app makes every request from; those that are mounted in it inherit from it. */
function prototypeOf(app: ExpressApplication | undefined): object | undefined {
  return app?.parent === undefined ? app?.request : prototypeOf(app.parent)
}

/** The target as it arrived: routers rewrite `req.url`, and what was signed is the original. */
const viewOf = (request: ExpressRequest): RequestView => createNodeView(request, { target: request.originalUrl })

const hideBanner = (response: ServerResponse): void => response.removeHeader('x-powered-by')
