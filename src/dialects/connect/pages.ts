/**
 * Requests of people and their browsers: the guard that adapters put before an app's own routes, pages, and the app's own API. Each
 * route takes tokens of one kind (protocol s. 4.4); what has no proof is served only where the author says that it is public.
 */

import type { Answer, RequestView, Route, RoutedRequest } from '../../http/view.ts'
import { queryOf } from '../../wire/target.ts'
import { createAuthentication } from '../common/authentication.ts'
import { extend } from '../common/extend.ts'
import {
  type Admitted,
  admit,
  type RequestFacts,
  type RunPage,
  servePublic,
  serveTenant,
  withPageHeaders,
} from '../common/pages.ts'
import type { Principal } from '../common/principal.ts'
import {
  type ConnectPageContext,
  type ConnectRequestServices,
  createRequestServices,
  createServices,
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

type ConnectAdmitted = Admitted<ConnectRequestServices>

/** Proves the tenant of a request and binds it; without waiting where the registry's cache may answer. */
export function guardRequest(
  view: RequestView,
  policy: TokenPolicy,
  deps: LifecycleDeps,
): ConnectAdmitted | Promise<ConnectAdmitted> {
  const principal = authenticate(view, deps, policy)
  return principal instanceof Promise
    ? principal.then(known => bind(known, view, policy, deps))
    : bind(principal, view, policy, deps)
}

export function pageRoute(
  path: string,
  handler: PageHandler,
  policy: TokenPolicy,
  { method = 'GET' }: PageOptions,
  deps: LifecycleDeps,
): Route {
  const handle = (request: RoutedRequest) =>
    serveTenant(request, guardRequest(request.view, policy, deps), runPage(handler), deps.logger, withPageHeaders)
  return { method, path, handle }
}

/** The handler, called with its own context. */
const runPage =
  (handler: PageHandler): RunPage<ConnectRequestServices> =>
  (services, { view, query, params }, signal) =>
    handler(extend(services, { view, query: new URLSearchParams(query), params, signal: signal() }))

export function staticRoute(path: string, handler: StaticPageHandler, deps: LifecycleDeps): Route {
  const headers = cacheableHeaders(deps.settings)
  const handle = async (request: RoutedRequest): Promise<Answer> => {
    const answer = await servePublic(request, handler, deps.logger)
    return { ...answer, headers: [...answer.headers, ...headers] }
  }
  return { method: 'GET', path, isPublic: true, handle }
}

function bind(principal: Principal, view: RequestView, policy: TokenPolicy, deps: LifecycleDeps): ConnectAdmitted {
  const bound = deps.binder.open(principal.identity)
  const authentication = createAuthentication(principal, { ...principal.context }, deps.settings, deps.clock)
  const services = createServices(bound.context, deps)
  const license = () => licenseOf(principal, policy === 'request' ? queryOf(view.target) : '')
  return admit(bound, {
    properties: createRequestServices(services, authentication, license, deps),
    pageHeaders: pageHeaders(services.tenant, deps.settings),
    tokenHeader: 'X-acpt',
  })
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
