/**
 * Hono: builds the view from Hono's context, sets the tenant's properties as variables (`c.get('tenant')`, `c.var.tenant`), and
 * finishes the response. No Hono at run time; its context is described by what is used here.
 */

import { isPartywallError } from '../core/errors.ts'
import { answerOwn, propertyNames } from '../http/admission.ts'
import { errorAnswer } from '../http/answers.ts'
import { respond } from '../http/fetch-answer.ts'
import { guardFetch } from '../http/fetch-guard.ts'
import { createFetchView, nodePartsOf } from '../http/fetch-view.ts'
import { checkServer } from '../http/node-guard.ts'
import type { Guarding, GuardOptions, Mountable } from '../http/view.ts'

/** What we use of Hono's context. */
export interface HonoContext {
  readonly req: { readonly raw: Request }
  /** On Node: `incoming` and `outgoing`, the request and response of Node itself. */
  readonly env: unknown
  /** What the handlers threw, when Hono's error handler has made a response of it. */
  readonly error: Error | undefined
  get(name: string): unknown
  set(name: string, value: unknown): void
  get res(): Response
  set res(response: Response | undefined)
}
export type HonoMiddleware = (context: HonoContext, next: () => Promise<void>) => Promise<Response | undefined>

/**
 * Middleware that answers the app's own routes and leaves every other request to the next one.
 * What has read the request's body before cannot be verified (ERR_BODY_CONSUMED) unless it kept the variable `rawBody`.
 *
 * @example server.use(mount(app))
 */
export function mount(app: Mountable): HonoMiddleware {
  return async (context, next) => {
    const { env, req } = context
    const node = nodePartsOf(env)
    if (node !== undefined) checkServer(node.incoming)
    const answer = answerOwn(app, createFetchView(req.raw, env, context.get('rawBody')))
    if (answer !== undefined) return respond(await answer, req.raw, env)
    await next()
    return undefined
  }
}

/**
 * Middleware that lets only requests with a proved tenant pass, and runs everything behind it inside that tenant's context, which holds
 * until the body of the answer has been read. Refusals are answered here; errors go to Hono's error handler.
 *
 * @example
 * const server = new Hono<{ Variables: HipchatRequestServices }>()
 * server.use('/me', authenticate(addon)).get('/me', c => c.json({ tenant: c.get('tenant').id }))
 */
export function authenticate(addon: Guarding<object>, options?: GuardOptions): HonoMiddleware {
  const guard = addon.guard(options)
  return async (context, next) => {
    const { env: environment, req } = context
    const exchange = { request: req.raw, environment, rawBody: context.get('rawBody') }
    const response = await guardFetch(guard, exchange, async ({ properties }) => {
      provide(context, properties)
      await next()
      return codedResponse(context) ?? context.res
    })
    // Hono puts the headers of the response before over those of the one that replaces it.
    context.res = undefined
    context.res = response
    return undefined
  }
}

/** Variables that are made when somebody reads them: most handlers want two or three of a dozen. They cannot be replaced. */
function provide(context: HonoContext, properties: object): void {
  const names = propertyNames(properties)
  const read = (name: string): unknown => Reflect.get(properties, name)
  const get = context.get
  const variables = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(context), 'var')
  Object.defineProperties(context, {
    get: { value: (name: string) => (names.includes(name) ? read(name) : get(name)), configurable: true },
    var: {
      get: () =>
        Object.defineProperties(
          { ...variables?.get?.call(context) },
          Object.fromEntries(names.map(name => [name, { get: () => read(name), enumerable: true }])),
        ),
      configurable: true,
    },
  })
}

/** Hono knows no errors but its own: one of ours that it has answered with 500 gets the answer of its code. */
function codedResponse({ error, env, req, res }: HonoContext): Response | undefined {
  if (!isPartywallError(error) || error.status >= 500 || res.status !== 500) return undefined
  return respond(errorAnswer(error), req.raw, env)
}
