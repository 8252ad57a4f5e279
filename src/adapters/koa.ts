/**
 * Koa: builds the view from Koa's request, attaches the tenant to `ctx`, writes the answer. No Koa at run time; its context is
 * described by what is used here.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { isPartywallError, PartywallError } from '../core/errors.ts'
import { errorAnswer, isPrivateCache, PRIVATE_HEADERS } from '../http/answers.ts'
import type { AnswerListener } from '../http/node-handler.ts'
import { createNodeView } from '../http/node-view.ts'
import type { ErrorListener } from '../http/router.ts'
import { warnOnWiderLimits } from '../http/server.ts'
import { isOriginForm } from '../http/target.ts'
import type { Answer, Guard, Guarded, Mountable, RequestView } from '../http/view.ts'
import { hasLargeUnreadBody, writeAnswer } from '../http/write-answer.ts'

/** What we use of Koa's context. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly request: object
  readonly originalUrl: string
  readonly app?: { readonly context: object }
  status: number
  body: unknown
  respond?: boolean | undefined
}
export type KoaMiddleware = (context: KoaContext, next: () => Promise<unknown>) => Promise<unknown>

export interface KoaOptions {
  /** Hears of errors that became a 5xx before the app's own code ran. */
  readonly onError?: ErrorListener
  /** Hears of every request answered here or let through the guard. */
  readonly onAnswer?: AnswerListener
}

/**
 * Middleware that answers the app's own routes and leaves every other request to the next one.
 * Mount it before body parsers: what they have read cannot be verified (ERR_BODY_CONSUMED) unless they kept `rawBody`.
 *
 * @example koa.use(mount(app))
 */
export function mount(app: Mountable, options: KoaOptions = {}): KoaMiddleware {
  const checkServer = createServerCheck()
  return (context, next) => {
    checkServer(context)
    const startedAt = performance.now()
    const view = viewOf(context)
    const finish = (answer: Answer) => {
      writeToKoa(context, answer)
      options.onAnswer?.({ view, status: answer.status, tenant: answer.tenant, startedAt })
    }
    try {
      const answer = app.handle(view)
      if (answer === undefined) return next()
      return Promise.resolve(answer).then(finish)
    } catch (error) {
      // The app may refuse as a whole: it is closing.
      if (!isPartywallError(error)) throw carryHeaders(error, PRIVATE_HEADERS)
      return Promise.resolve(finish(errorAnswer(error)))
    }
  }
}

/**
 * Middleware that lets only requests with a proved tenant pass, and runs everything behind it inside that tenant's context.
 * The tenant's properties stand on `ctx` as read-only, non-enumerable getters. Refusals are answered here; errors of the app's own
 * code go on to Koa, with the headers of an authenticated answer.
 */
export function createKoaGuard(guard: Guard, options: KoaOptions = {}): KoaMiddleware {
  const checkServer = createServerCheck()
  return async (context, next) => {
    checkServer(context)
    const startedAt = performance.now()
    const view = viewOf(context)
    let guarded: Guarded
    try {
      if (!isOriginForm(view.target)) throw new PartywallError('ERR_REQUEST_TARGET')
      const admitted = guard(view)
      guarded = admitted instanceof Promise ? await admitted : admitted
    } catch (error) {
      refuse(context, view, startedAt, error, options)
      return
    }
    if (!releaseWithResponse(context, view, guarded, startedAt, options.onAnswer)) return
    attach(context, guarded.properties)
    setHeaders(context.res, PRIVATE_HEADERS)
    setMissing(context.res, guarded.pageHeaders ?? [])
    try {
      await guarded.run(next)
    } catch (error) {
      throw carryHeaders(error, [...PRIVATE_HEADERS, ...guarded.headers()])
    }
    if (context.res.headersSent) return
    try {
      const check = guarded.ensureLive()
      if (check !== undefined) await check
    } catch (error) {
      // The installation ended while the handlers ran: what they answered is replaced by the refusal.
      writeToKoa(context, errorAnswer(error))
      return
    }
    setHeaders(context.res, guarded.headers())
    keepPrivate(context.res)
  }
}

/** The target as it arrived: routers and `koa-mount` rewrite `ctx.url`, and what was signed is the original. */
const viewOf = (context: KoaContext): RequestView =>
  createNodeView(context.req, {
    target: context.originalUrl,
    rawBody: (context.req as { rawBody?: unknown }).rawBody ?? (context.request as { rawBody?: unknown }).rawBody,
  })

/** Answers a refusal. @throws what is no refusal of ours */
function refuse(context: KoaContext, view: RequestView, startedAt: number, error: unknown, options: KoaOptions): void {
  if (!isPartywallError(error)) throw carryHeaders(error, PRIVATE_HEADERS)
  if (error.status >= 500) options.onError?.(error, view)
  const answer = errorAnswer(error)
  writeToKoa(context, answer)
  options.onAnswer?.({ view, status: answer.status, tenant: undefined, startedAt })
}

/** False when the client has gone already: nobody is left to work for, and no event would release the context. */
function releaseWithResponse(
  { res }: KoaContext,
  view: RequestView,
  guarded: Guarded,
  startedAt: number,
  onAnswer: AnswerListener | undefined,
): boolean {
  if (res.destroyed || res.closed) {
    guarded.release()
    return false
  }
  const { tenant } = guarded.properties as { readonly tenant?: { readonly id?: unknown } }
  const id = typeof tenant?.id === 'string' ? tenant.id : undefined
  // Emitted once. One listener for both: each costs every request.
  res.on('close', () => {
    guarded.release()
    onAnswer?.({ view, status: res.statusCode, tenant: id, startedAt })
  })
  return true
}

const PROPERTIES = Symbol('partywall.properties')
type Holder = KoaContext & { [PROPERTIES]?: Guarded['properties'] }

/** Names that stand on a prototype already. */
const namesOn = new WeakMap<object, Set<string>>()

/**
 * The getters stand on `app.context`, from which Koa makes the context of each request: properties defined in each request would
 * cost it a tenth of its time.
 */
function attach(context: KoaContext, properties: Guarded['properties']): void {
  Object.defineProperty(context, PROPERTIES, { value: properties, enumerable: false, configurable: true })
  const owner = context.app?.context ?? context
  const known = namesOn.get(owner) ?? new Set<string>()
  namesOn.set(owner, known)
  for (const name of Object.keys(properties)) {
    if (known.has(name)) continue
    known.add(name)
    Object.defineProperty(owner, name, accessorOf(name))
  }
}

/** Read-only where a tenant is proved; on the app's other routes a name like any other. */
const accessorOf = (name: string): PropertyDescriptor => ({
  get(this: Holder) {
    return this[PROPERTIES]?.[name]
  },
  set(this: Holder, value: unknown) {
    if (this[PROPERTIES] !== undefined) throw new TypeError(`${name} is the tenant's and cannot be replaced`)
    Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true })
  },
  enumerable: false,
  configurable: true,
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

/** The app may choose how long its own user's browser keeps an answer, never that a shared cache does. */
function keepPrivate(response: ServerResponse): void {
  const cacheControl = response.getHeader('cache-control')
  if (cacheControl === 'no-store') return
  if (typeof cacheControl !== 'string' || !isPrivateCache(cacheControl)) response.setHeader('cache-control', 'no-store')
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
  setHeaders(context.res, answer.headers)
}

/** Replaces what was there under a name; a name that is repeated in the list is sent repeatedly. */
function setHeaders(response: ServerResponse, headers: readonly string[]): void {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    const value = headers[index + 1] ?? ''
    if (isRepeated(headers, index)) response.appendHeader(name, value)
    else response.setHeader(name, value)
  }
}

/** Leaves what the app or a middleware before us has said. */
function setMissing(response: ServerResponse, headers: readonly string[]): void {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? ''
    if (!response.hasHeader(name)) response.setHeader(name, headers[index + 1] ?? '')
  }
}

/** Whether the name at `index` stands earlier in the list. Lists are short. */
function isRepeated(headers: readonly string[], index: number): boolean {
  const name = headers[index]?.toLowerCase()
  for (let earlier = 0; earlier < index; earlier += 2) if (headers[earlier]?.toLowerCase() === name) return true
  return false
}

function createServerCheck(): (context: KoaContext) => void {
  let isChecked = false
  return context => {
    if (isChecked) return
    isChecked = true
    const { server } = context.req.socket as { server?: Server }
    if (server !== undefined) warnOnWiderLimits(server)
  }
}
