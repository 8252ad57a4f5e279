/** A fetch handler, `Request -> Response`: for Node behind an adapter, and for other platforms that speak it. */

import { PartywallError } from '../core/errors.ts'
import { answerOwn } from '../http/admission.ts'
import { errorAnswer } from '../http/answers.ts'
import { respond } from '../http/fetch-answer.ts'
import { guardFetch } from '../http/fetch-guard.ts'
import { createFetchView, nodePartsOf } from '../http/fetch-view.ts'
import { checkServer } from '../http/node-guard.ts'
import { isOriginForm } from '../http/target.ts'
import type { Guarding, GuardOptions, Mountable } from '../http/view.ts'

export type { FetchEnvironment } from '../http/fetch-view.ts'

/** `environment` is what the server hands over beside the request: see `FetchEnvironment`. */
export type FetchHandler = (request: Request, environment?: unknown) => Response | Promise<Response>
export type TenantFetchHandler<Properties extends object> = (
  request: Request,
  services: Properties,
  environment: unknown,
) => Response | Promise<Response>

/**
 * Answers the app's own routes and leaves every other request to `next`; left out: 404.
 * What has read the request's body before cannot be verified (ERR_BODY_CONSUMED).
 *
 * @example export default { fetch: mount(app, authenticate(addon, (request, { tenant }) => Response.json(tenant.id))) }
 */
export function mount(app: Mountable, next: FetchHandler = answerNotFound): FetchHandler {
  return (request, environment) => {
    const node = nodePartsOf(environment)
    if (node !== undefined) checkServer(node.incoming)
    const answer = answerOwn(app, createFetchView(request, environment))
    if (answer === undefined) return next(request, environment)
    if (answer instanceof Promise) return answer.then(made => respond(made, request, environment))
    return respond(answer, request, environment)
  }
}

/**
 * A handler that is called only with a proved tenant, inside that tenant's context, which holds until the body of the answer has been
 * read. Refusals are answered here; what the handler throws is reported to the app's log and answered without details.
 */
export function authenticate<Properties extends object>(
  addon: Guarding<Properties>,
  handler: TenantFetchHandler<Properties>,
  options?: GuardOptions,
): FetchHandler {
  const guard = addon.guard(options)
  return (request, environment) =>
    guardFetch(guard, { request, environment }, ({ properties }) => handler(request, properties, environment))
}

function answerNotFound(request: Request, environment: unknown): Response {
  const { target } = createFetchView(request, environment)
  const code = isOriginForm(target) ? 'ERR_NOT_FOUND' : 'ERR_REQUEST_TARGET'
  return respond(errorAnswer(new PartywallError(code)), request, environment)
}
