/**
 * Requests of people and their browsers: the guard that adapters put before an app's own routes, and pages of the add-on.
 * Both prove the tenant first; a page is open to anybody only where its author says so.
 */

import { runInContext } from '../../core/context.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import type { Answer, Guarded, RequestView, RoutedRequest } from '../../http/view.ts'
import { parseForm } from '../../wire/percent.ts'
import { htmlAnswer, jsonAnswer, NO_CONTENT } from './answers.ts'
import { Authentication, createAuthentication } from './authentication.ts'
import {
  createRequestServices,
  createServices,
  extend,
  type HipchatPageContext,
  type HipchatRequestServices,
} from './handler-context.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { authenticate, type Principal } from './principal.ts'

/** Returns HTML as text, an object to be sent as JSON, or a whole `Answer`; nothing is 204. */
export type PageHandler = (context: HipchatPageContext) => unknown
export type PublicPageHandler = (context: Pick<HipchatPageContext, 'view' | 'query' | 'params'>) => unknown

interface Admitted extends Guarded<HipchatRequestServices> {
  readonly signal: () => AbortSignal
}

/** Proves the tenant of a request and binds it; without waiting where the registry's cache may answer. */
export function guardRequest(view: RequestView, deps: LifecycleDeps): Admitted | Promise<Admitted> {
  const principal = authenticate(view, deps)
  return principal instanceof Promise ? principal.then(known => admit(known, deps)) : admit(principal, deps)
}

export async function servePage(request: RoutedRequest, handler: PageHandler, deps: LifecycleDeps): Promise<Answer> {
  const admitted = await guardRequest(request.view, deps)
  const { properties } = admitted
  try {
    const context: HipchatPageContext = extend(properties, { ...factsOf(request), signal: admitted.signal() })
    const answer = answerOf(await admitted.run(() => runHandler(() => handler(context), deps)))
    await admitted.ensureLive()
    return { ...answer, headers: [...answer.headers, ...admitted.headers()], tenant: properties.tenant.id }
  } finally {
    admitted.release()
  }
}

export async function servePublicPage(
  request: RoutedRequest,
  handler: PublicPageHandler,
  deps: LifecycleDeps,
): Promise<Answer> {
  return answerOf(await runHandler(() => handler(factsOf(request)), deps))
}

function admit(principal: Principal, deps: LifecycleDeps): Admitted {
  const { context, release } = deps.binder.open(principal.identity)
  const authentication = createAuthentication(principal, deps.settings, deps.clock)
  const room = authentication.context.room_id
  const services = createServices(context, typeof room === 'number' ? room : undefined, deps)
  return {
    properties: createRequestServices(services, authentication),
    tenant: services.tenant.id,
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
function factsOf({ view, query, params }: RoutedRequest) {
  if (parseForm(query) === undefined) throw new PartywallError('ERR_REQUEST_TARGET')
  return { view, query: new URLSearchParams(query), params }
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
