/**
 * Requests of people and their browsers: the guard that adapters put before an app's own routes, and pages of the add-on.
 * Both prove the tenant first; a page is open to anybody only where its author says so.
 */

import { runInContext } from '../../core/context.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import type { Answer, Guarded, RequestView, Route, RoutedRequest } from '../../http/view.ts'
import { percentDecode } from '../../wire/percent.ts'
import { htmlAnswer, jsonAnswer, NO_CONTENT } from '../common/answers.ts'
import { Authentication, createAuthentication } from './authentication.ts'
import { framingHeaders, withFraming } from './framing.ts'
import {
  createPageContext,
  createRequestServices,
  createServices,
  type HipchatPageContext,
  type HipchatRequestServices,
} from './handler-context.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { authenticate, type Principal } from './principal.ts'

/** Returns HTML as text, an object to be sent as JSON, or a whole `Answer`; nothing is 204. */
export type PageHandler = (context: HipchatPageContext) => unknown
export type PublicPageHandler = (context: Pick<HipchatPageContext, 'view' | 'query' | 'params'>) => unknown

export interface PageOptions {
  /** Default GET. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Open to anybody, no tenant. Default false. */
  readonly public?: boolean
}

interface Admitted extends Guarded<HipchatRequestServices> {
  readonly pageHeaders: readonly string[]
  readonly signal: () => AbortSignal
}

/** Proves the tenant of a request and binds it; without waiting where the registry's cache may answer. */
export function guardRequest(view: RequestView, deps: LifecycleDeps): Admitted | Promise<Admitted> {
  const principal = authenticate(view, deps)
  return principal instanceof Promise ? principal.then(known => admit(known, deps)) : admit(principal, deps)
}

export function pageRoute(
  path: string,
  handler: PageHandler | PublicPageHandler,
  { method = 'GET', public: isOpen = false }: PageOptions,
  deps: LifecycleDeps,
): Route {
  const handle = (request: RoutedRequest) =>
    isOpen ? servePublicPage(request, handler as PublicPageHandler, deps) : servePage(request, handler, deps)
  return { method, path, handle }
}

/** A page, with the headers pages have: a session token where the handler asked for one, and who may show it in a frame. */
const servePage = (request: RoutedRequest, handler: PageHandler, deps: LifecycleDeps): Promise<Answer> =>
  serveTenant(request, handler, deps, (answer, admitted) => {
    const framed = withFraming(answer, admitted.pageHeaders)
    return { ...framed, headers: [...framed.headers, ...admitted.headers()] }
  })

/**
 * Proves the tenant of a request, runs the handler as that tenant, and answers what it returned.
 * @param complete  adds to the answer of a handler that came to its end
 */
export async function serveTenant(
  request: RoutedRequest,
  handler: PageHandler,
  deps: LifecycleDeps,
  complete: (answer: Answer, admitted: Admitted) => Answer = answer => answer,
): Promise<Answer> {
  const guarded = guardRequest(request.view, deps)
  const admitted = guarded instanceof Promise ? await guarded : guarded
  const { properties } = admitted
  try {
    checkQuery(request)
    const context = createPageContext(properties, request, admitted.signal)
    const answer = answerOf(await admitted.run(() => runHandler(() => handler(context), deps)))
    const check = admitted.ensureLive()
    if (check !== undefined) await check
    return { ...complete(answer, admitted), tenant: properties.tenant.id }
  } finally {
    admitted.release()
  }
}

async function servePublicPage(
  request: RoutedRequest,
  handler: PublicPageHandler,
  deps: LifecycleDeps,
): Promise<Answer> {
  checkQuery(request)
  const { view, query, params } = request
  return answerOf(await runHandler(() => handler({ view, query: new URLSearchParams(query), params }), deps))
}

function admit(principal: Principal, deps: LifecycleDeps): Admitted {
  const { context, release } = deps.binder.open(principal.identity)
  const authentication = createAuthentication(principal, deps.settings, deps.clock)
  const room = authentication.context.room_id
  const services = createServices(context, typeof room === 'number' ? room : undefined, deps)
  return {
    properties: createRequestServices(services, authentication, deps.settings),
    tenant: services.tenant.id,
    pageHeaders: framingHeaders(services.tenant),
    run: work => runInContext(context, work),
    ensureLive: () => context.ensureLive(),
    headers: () => {
      const token = Authentication.mintedOf(authentication)
      return token === undefined ? [] : ['jwt', token]
    },
    release,
    signal: () => context.signal,
  }
}

/** @throws ERR_REQUEST_TARGET for a query that is no UTF-8: two broken spellings must not become one text */
function checkQuery({ query }: RoutedRequest): void {
  // Names and values decode as the whole does: the marks between them stand for themselves.
  if (percentDecode(query) === undefined) throw new PartywallError('ERR_REQUEST_TARGET')
}

async function runHandler(handler: () => unknown, { logger }: LifecycleDeps): Promise<unknown> {
  try {
    return await handler()
  } catch (error) {
    if (isPartywallError(error)) throw error
    logger.error('hipchat-page-failed', { error })
    throw new PartywallError('ERR_HANDLER_FAILED', { cause: error })
  }
}

function answerOf(result: unknown): Answer {
  if (result === undefined) return NO_CONTENT
  if (typeof result === 'string') return htmlAnswer(result)
  return isAnswer(result) ? result : jsonAnswer(result)
}

const isAnswer = (result: unknown): result is Answer =>
  typeof result === 'object' &&
  result !== null &&
  'status' in result &&
  'headers' in result &&
  typeof result.status === 'number' &&
  Array.isArray(result.headers)
