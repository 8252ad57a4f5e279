/**
 * Koa: builds the view from Koa's request, attaches the tenant to `ctx`, writes the answer. No Koa at run time; its context is
 * described by what is used here.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { PartywallError } from '../core/errors.ts'
import { admit, answerOwn, attach } from '../http/admission.ts'
import { errorAnswer, PRIVATE_HEADERS } from '../http/answers.ts'
import { bindEvents, bindStream, checkServer, releaseWithResponse } from '../http/node-guard.ts'
import { createNodeView } from '../http/node-view.ts'
import { type HeaderTarget, headersOfNode, keepPrivate, setHeaders, setMissing } from '../http/response-headers.ts'
import type { Answer, Guarded, Guarding, GuardOptions, Mountable, RequestView } from '../http/view.ts'
import { hasLargeUnreadBody, writeAnswer } from '../http/write-answer.ts'

/** What we use of Koa's context. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly request: object
  readonly originalUrl: string
  /** `app.context` is what Koa makes every context from. */
  readonly app?: { readonly context: object }
  status: number
  body: unknown
  respond?: boolean | undefined
}
export type KoaMiddleware = (context: KoaContext, next: () => Promise<unknown>) => Promise<unknown>

/**
 * Middleware that answers the app's own routes and leaves every other request to the next one.
 * Mount it before body parsers: what they have read cannot be verified (ERR_BODY_CONSUMED) unless they kept `rawBody`.
 *
 * @example koa.use(mount(app))
 */
export function mount(app: Mountable): KoaMiddleware {
  return (context, next) => {
    checkServer(context.req)
    const answer = answerOwn(app, viewOf(context))
    if (answer === undefined) return next()
    return Promise.resolve(answer).then(made => writeToKoa(context, made))
  }
}

/**
 * Middleware that lets only requests with a proved tenant pass, and runs everything behind it inside that tenant's context.
 * The tenant's properties stand on `ctx` as read-only, non-enumerable getters. Refusals are answered here; errors of the app's own
 * code go on to Koa, with the headers of an authenticated answer.
 *
 * @example koa.use(authenticate(addon))
 */
export function authenticate(addon: Guarding<object>, options?: GuardOptions): KoaMiddleware {
  const guard = addon.guard(options)
  return (context, next) => {
    checkServer(context.req)
    const refuse = (answer: Answer) => writeToKoa(context, answer)
    const run = (guarded: Guarded<object>) => runGuarded(guarded, context, next)
    return Promise.resolve(admit<object, void | Promise<void>>(guard, viewOf(context), run, refuse))
  }
}

// No `async`: each promise of a request costs as much as a check of its token.
function runGuarded(guarded: Guarded<object>, context: KoaContext, next: () => Promise<unknown>): void | Promise<void> {
  if (!releaseWithResponse(context.res, guarded)) return undefined
  bindEvents(context.req, guarded)
  bindEvents(context.res, guarded)
  attach(context, guarded.properties, context.app?.context)
  const headers = headersOfNode(context.res)
  setHeaders(headers, PRIVATE_HEADERS)
  setMissing(headers, guarded.pageHeaders ?? [])
  return guarded.run(next).then(
    () => finishGuarded(guarded, context, headers),
    error => {
      throw carryHeaders(error, [...PRIVATE_HEADERS, ...guarded.headers()])
    },
  )
}

function finishGuarded(guarded: Guarded<object>, context: KoaContext, headers: HeaderTarget): void | Promise<void> {
  if (context.res.headersSent) return undefined
  const complete = () => {
    setHeaders(headers, guarded.headers())
    keepPrivate(headers)
    if (context.body instanceof Readable) bindStream(context.body, guarded)
  }
  // The installation ended while the handlers ran: what they answered is replaced by the refusal.
  const refuse = (error: unknown) => writeToKoa(context, errorAnswer(error))
  try {
    const check = guarded.ensureLive()
    return check === undefined ? complete() : check.then(complete, refuse)
  } catch (error) {
    return refuse(error)
  }
}

/** The target as it arrived: routers and `koa-mount` rewrite `ctx.url`, and what was signed is the original. */
const viewOf = (context: KoaContext): RequestView =>
  createNodeView(context.req, {
    target: context.originalUrl,
    rawBody: (context.req as { rawBody?: unknown }).rawBody ?? (context.request as { rawBody?: unknown }).rawBody,
  })

/**
 * Koa takes every header off before it answers an error; those in `error.headers` it sets again. What cannot take properties gets
 * a shell that can: Koa leaves a thrown `undefined` unanswered, and fails on a frozen error with an unhandled rejection.
 */
function carryHeaders(error: unknown, headers: readonly string[]): unknown {
  if (typeof error !== 'object' || error === null || !Object.isExtensible(error)) {
    return carryHeaders(new PartywallError('ERR_HANDLER_FAILED', { cause: error }), headers)
  }
  const own = (error as { headers?: unknown }).headers
  const carried: Record<string, unknown> = { ...(typeof own === 'object' ? own : {}) }
  for (let index = 0; index < headers.length; index += 2) carried[headers[index] ?? ''] = headers[index + 1]
  Reflect.defineProperty(error, 'headers', { value: carried, enumerable: false, configurable: true, writable: true })
  return error
}

function writeToKoa(context: KoaContext, answer: Answer): void {
  if (hasLargeUnreadBody(context.req)) {
    context.respond = false
    writeAnswer(context.req, context.res, answer)
    return
  }
  const isEmpty = answer.status === 204 || answer.status === 304
  context.status = answer.status
  context.body = answer.body ?? (isEmpty ? null : '')
  context.res.removeHeader('content-type')
  setHeaders(headersOfNode(context.res), answer.headers)
}
