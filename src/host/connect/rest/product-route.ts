/** Routes of a product's API: the site of the address, who calls, whether it may, faults. */

import { ApiError } from '../../server/api-error.ts'
import type { Call, Reply } from '../../server/reply.ts'
import type { ConnectInstallation } from '../apps/installation.ts'
import type { ConnectScopeName } from '../apps/scopes.ts'
import type { Product, ProductType } from '../sites/product.ts'
import type { Site } from '../sites/site.ts'
import type { ConnectRoute, ConnectState } from '../state.ts'
import { type Caller, callerOf, needScope } from './access.ts'

export interface ProductCall extends Caller {
  readonly site: Site
  readonly product: Product
  readonly call: Call<ConnectInstallation>
  /** A named segment of the path. */
  param(name: string): string
}

export interface ProductRoute {
  readonly products: readonly ProductType[]
  readonly method: string
  /** Below the product's base URL. */
  readonly path: string
  readonly scope: ConnectScopeName
  readonly handle: (call: ProductCall, state: ConnectState) => Reply | Promise<Reply>
}

const BELOW_SITE: Readonly<Record<ProductType, string>> = { jira: '', confluence: '/wiki', bitbucket: '/bitbucket' }

export const mountRoutes = (state: ConnectState, routes: readonly ProductRoute[]): ConnectRoute[] =>
  routes.flatMap(route => route.products.map(product => mountRoute(state, route, product)))

const mountRoute = (state: ConnectState, route: ProductRoute, type: ProductType): ConnectRoute => ({
  method: route.method,
  path: `/:site${BELOW_SITE[type]}${route.path}`,
  handle: call => {
    const site = state.sites.get(call.params.site ?? '')
    if (site === undefined) throw new ApiError(404, 'There is no such site.')
    const product = site[type]
    const caller = callerOf(state, product, call)
    call.installation = caller.installation
    return state.faults.apply('rest', product.clientKey, () => {
      needScope(caller, route.scope)
      return route.handle({ ...caller, site, product, call, param: name => call.params[name] ?? '' }, state)
    })
  },
})
