/**
 * Requests of people and their browsers: the guard that adapters put before an app's own routes, pages, and the app's own API. Each
 * route takes tokens of one kind (protocol s. 4.4); what has no proof is served only where the author says that it is public.
 */

import type { Answer, RequestView, Route, RoutedRequest } from '../../http/view.ts'
import { queryOf } from '../../wire/target.ts'
import { createAuthentication } from '../common/authentication.ts'
import { type Admitted, admit, type RequestFacts, servePublic, serveTenant, withPageHeaders } from '../common/pages.ts'
import type { Principal } from '../common/principal.ts'
import {
  type ConnectPageContext,
  type ConnectRequestServices,
  createPageContext,
  createRequestServices,
  type ProvedRequest,
} from './handler-context.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import type { License } from './locals.ts'
import { cacheableHeaders, pageHeaders } from './page-headers.ts'
import { authenticate, type TokenPolicy } from './principal.ts'

/** Returns HTML as text, an object to be sent as JSON, or a whole `Answer`; nothing is 204. */
export type PageHandler = (context: ConnectPageContext) => unknown
/** Knows no tenant: the product asks for such a page once and shows it to everybody. */
export type StaticPageHandler = (context: RequestFacts) => unknown

export interface PageOptions {
  /** Default GET. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
}

/** What a proved request is given: the services of a framework's route, or the whole context of a page. */
type Provide<P> = (proved: ProvedRequest) => P

/** Proves the tenant of a request and binds it; without waiting where the registry's cache may answer. */
export const guardRequest = (
  view: RequestView,
  policy: TokenPolicy,
  deps: LifecycleDeps,
): Admitted<ConnectRequestServices> | Promise<Admitted<ConnectRequestServices>> =>
  proveAndBind(view, policy, deps, proved => createRequestServices(proved, deps))

function proveAndBind<P extends ConnectRequestServices>(
  view: RequestView,
  policy: TokenPolicy,
  deps: LifecycleDeps,
  provide: Provide<P>,
): Admitted<P> | Promise<Admitted<P>> {
  const principal = authenticate(view, deps, policy)
  return principal instanceof Promise
    ? principal.then(known => bind(known, view, policy, deps, provide))
    : bind(principal, view, policy, deps, provide)
}

export function pageRoute(
  path: string,
  handler: PageHandler,
  policy: TokenPolicy,
  { method = 'GET' }: PageOptions,
  deps: LifecycleDeps,
): Route {
  const handle = (request: RoutedRequest) => {
    const provide = (proved: ProvedRequest) => createPageContext(proved, request, deps)
    return serveTenant(
      request,
      proveAndBind(request.view, policy, deps, provide),
      handler,
      deps.logger,
      withPageHeaders,
    )
  }
  return { method, path, handle }
}

export function staticRoute(path: string, handler: StaticPageHandler, deps: LifecycleDeps): Route {
  const headers = cacheableHeaders(deps.settings)
  const handle = async (request: RoutedRequest): Promise<Answer> => {
    const answer = await servePublic(request, handler, deps.logger)
    return { ...answer, headers: [...answer.headers, ...headers] }
  }
  return { method: 'GET', path, isPublic: true, handle }
}

function bind<P extends ConnectRequestServices>(
  principal: Principal,
  view: RequestView,
  policy: TokenPolicy,
  deps: LifecycleDeps,
  provide: Provide<P>,
): Admitted<P> {
  const bound = deps.binder.open(principal.identity)
  const authentication = createAuthentication(principal, { ...principal.context }, deps.settings, deps.clock)
  const license = () => licenseOf(principal, policy === 'request' ? queryOf(view.target) : '')
  const properties = provide({ context: bound.context, authentication, license })
  return admit(bound, { properties, pageHeaders: pageHeaders(properties.tenant, deps.settings), tokenHeader: 'X-acpt' })
}

/** @param signedQuery  covered by the token's query hash; nothing else of an address counts */
function licenseOf({ context }: Principal, signedQuery: string): License | undefined {
  const license = context?.license
  if (typeof license === 'object' && license !== null && 'active' in license)
    return license.active === true ? 'active' : 'none'
  const said = new URLSearchParams(signedQuery).getAll('lic')
  if (said.length === 0) return undefined
  return said.length === 1 && said[0] === 'active' ? 'active' : 'none'
}
