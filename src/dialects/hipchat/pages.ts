/**
 * Requests of people and their browsers: the guard that adapters put before an app's own routes, and pages of the add-on.
 * Both prove the tenant first; a page is open to anybody only where its author says so.
 */

import type { RequestView, Route, RoutedRequest } from '../../http/view.ts'
import { type AuthenticationContext, createAuthentication } from '../common/authentication.ts'
import { type Admitted, admit, type RequestFacts, servePublic, serveTenant, withPageHeaders } from '../common/pages.ts'
import { framingHeaders } from './framing.ts'
import {
  createPageContext,
  createRequestServices,
  type HipchatPageContext,
  type HipchatRequestServices,
  type ProvedRequest,
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

/** What a proved request is given: the services of a framework's route, or the whole context of a page. */
type Provide<P> = (proved: ProvedRequest) => P

/** Proves the tenant of a request and binds it; without waiting where the registry's cache may answer. */
export const guardRequest = (
  view: RequestView,
  deps: LifecycleDeps,
): Admitted<HipchatRequestServices> | Promise<Admitted<HipchatRequestServices>> =>
  proveAndBind(view, deps, proved => createRequestServices(proved, deps))

/** The same for a page of the add-on's own. */
export const guardPage = (
  request: RoutedRequest,
  deps: LifecycleDeps,
): Admitted<HipchatPageContext> | Promise<Admitted<HipchatPageContext>> =>
  proveAndBind(request.view, deps, proved => createPageContext(proved, request, deps))

export function pageRoute(
  path: string,
  handler: PageHandler | PublicPageHandler,
  { method = 'GET', public: isOpen = false }: PageOptions,
  deps: LifecycleDeps,
): Route {
  const handle = (request: RoutedRequest) =>
    isOpen
      ? servePublic(request, handler as PublicPageHandler, deps.logger)
      : serveTenant(request, guardPage(request, deps), handler as PageHandler, deps.logger, withPageHeaders)
  return { method, path, handle }
}

function proveAndBind<P extends HipchatRequestServices>(
  view: RequestView,
  deps: LifecycleDeps,
  provide: Provide<P>,
): Admitted<P> | Promise<Admitted<P>> {
  const principal = authenticate(view, deps)
  return principal instanceof Promise
    ? principal.then(known => bind(known, deps, provide))
    : bind(principal, deps, provide)
}

function bind<P extends HipchatRequestServices>(
  principal: Principal,
  deps: LifecycleDeps,
  provide: Provide<P>,
): Admitted<P> {
  const bound = deps.binder.open(principal.identity)
  const authentication = createAuthentication(principal, contextOf(principal), deps.settings, deps.clock)
  const { room_id: room } = authentication.context
  const proved = { context: bound.context, authentication, room: typeof room === 'number' ? room : undefined }
  const properties = provide(proved)
  return admit(bound, { properties, pageHeaders: framingHeaders(properties.tenant), tokenHeader: 'jwt' })
}

/** With the time zone under one name. */
function contextOf({ context }: Principal): AuthenticationContext {
  if (context === undefined) return {}
  const zone = context.user_tz ?? context.tz
  return typeof zone === 'string' ? { ...context, tz: zone } : { ...context }
}
