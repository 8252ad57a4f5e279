/**
 * What handlers get: the tenant, its services, and the facts of the request, delivery or lifecycle event.
 *
 * Services are made when first asked for, all from one bound context; nothing here takes a tenant from anywhere else.
 */

import type { TenantContext } from '../../core/context.ts'
import type { TenantStore } from '../../core/store.ts'
import type { Authentication, AuthenticationContext } from '../common/authentication.ts'
import type { RequestFacts } from '../common/pages.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { ConnectLocals, type License } from './locals.ts'
import { type ConnectTenant, tenantOf } from './tenant.ts'

export interface ConnectTenantServices {
  readonly tenant: ConnectTenant
  readonly tenantStore: TenantStore
}

/** Behind `authenticate()`, and in pages of the app. */
export interface ConnectRequestServices extends ConnectTenantServices {
  readonly authentication: Authentication
  /** What the product signed about the place of the request: user, `jira`, `confluence`, `license`. */
  readonly context: AuthenticationContext
  /** Addresses for templates, the licence, and the page's session token. */
  readonly locals: ConnectLocals
}

export interface ConnectPageContext extends ConnectRequestServices, RequestFacts {
  /** Aborted when the installation ends. */
  readonly signal: AbortSignal
}

export interface ConnectLifecycleContext extends ConnectTenantServices {
  readonly signal: AbortSignal
}

export interface ConnectInstalledContext extends ConnectLifecycleContext {
  readonly installation: { readonly kind: 'install' | 'update' }
}

export function createServices(context: TenantContext, deps: LifecycleDeps): ConnectTenantServices {
  let store: TenantStore | undefined
  return {
    tenant: tenantOf(context.identity),
    get tenantStore() {
      store ??= deps.storeOf(context, 'store')
      return store
    },
  }
}

/** Written out, since every authenticated request makes one. */
export function createRequestServices(
  services: ConnectTenantServices,
  authentication: Authentication,
  license: () => License | undefined,
  { settings }: Pick<LifecycleDeps, 'settings'>,
): ConnectRequestServices {
  let locals: ConnectLocals | undefined
  return {
    tenant: services.tenant,
    authentication,
    context: authentication.context,
    get locals() {
      locals ??= new ConnectLocals(services.tenant, authentication, license(), settings)
      return locals
    },
    get tenantStore() {
      return services.tenantStore
    },
  }
}
