/**
 * Requests of people and their browsers: the guard that adapters put before an app's own routes, and pages of the add-on.
 * Both prove the tenant first; a page is open to anybody only where its author says so.
 */

import type { RequestView, Route, RoutedRequest } from '../../http/view.ts'
import { type AuthenticationContext, createAuthentication } from '../common/authentication.ts'
import {
  type Admitted,
  admit,
  type RequestFacts,
  type RunPage,
  servePublic,
  serveTenant,
  withPageHeaders,
} from '../common/pages.ts'
import { framingHeaders } from './framing.ts'
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
export type PublicPageHandler = (context: RequestFacts) => unknown

export interface PageOptions {
  /** Default GET. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Open to anybody, no tenant. Default false. */
  readonly public?: boolean
}

type HipchatAdmitted = Admitted<HipchatRequestServices>

/** Proves the tenant of a request and binds it; without waiting where the registry's cache may answer. */
export function guardRequest(view: RequestView, deps: LifecycleDeps): HipchatAdmitted | Promise<HipchatAdmitted> {
  const principal = authenticate(view, deps)
  return principal instanceof Promise ? principal.then(known => bind(known, deps)) : bind(principal, deps)
}

export function pageRoute(
  path: string,
  handler: PageHandler | PublicPageHandler,
  { method = 'GET', public: isOpen = false }: PageOptions,
  deps: LifecycleDeps,
): Route {
  const handle = (request: RoutedRequest) =>
    isOpen
      ? servePublic(request, handler as PublicPageHandler, deps.logger)
      : serveTenant(request, guardRequest(request.view, deps), runPage(handler), deps.logger, withPageHeaders)
  return { method, path, handle }
}

/** The handler, called with its own context. */
export const runPage =
  <R>(handler: (context: HipchatPageContext) => R): RunPage<HipchatRequestServices> =>
  (services, request, signal) =>
    handler(createPageContext(services, request, signal))

function bind(principal: Principal, deps: LifecycleDeps): HipchatAdmitted {
  const bound = deps.binder.open(principal.identity)
  const authentication = createAuthentication(principal, contextOf(principal), deps.settings, deps.clock)
  const room = authentication.context.room_id
  const services = createServices(bound.context, typeof room === 'number' ? room : undefined, deps)
  return admit(bound, {
    properties: createRequestServices(services, authentication, deps.settings),
    pageHeaders: framingHeaders(services.tenant),
    tokenHeader: 'jwt',
  })
}

/** With the time zone under one name. */
function contextOf({ context }: Principal): AuthenticationContext {
  if (context === undefined) return {}
  const zone = context.user_tz ?? context.tz
  return typeof zone === 'string' ? { ...context, tz: zone } : { ...context }
}
