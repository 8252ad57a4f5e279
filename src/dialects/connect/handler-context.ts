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
import { createPermissions, type Permissions } from './permissions.ts'
import { createPersonalData, type PersonalData } from './personal-data.ts'
import { type ConnectTenant, tenantOf } from './tenant.ts'
import { createTenantClient, type TenantClient } from './tenant-client.ts'
import { createTenantWebhooks, type TenantWebhooks } from './tenant-webhooks.ts'

export interface ConnectTenantServices {
  readonly tenant: ConnectTenant
  readonly tenantStore: TenantStore
  /** The tenant's product, as the app or as one of its users. */
  readonly tenantClient: TenantClient
  /** Webhooks registered at run time, in Jira. */
  readonly tenantWebhooks: TenantWebhooks
  /** Accounts that the app keeps data about, for the reports that `onPersonalData` answers. */
  readonly personalData: PersonalData
}

/** Behind `authenticate()`, and in pages of the app. */
export interface ConnectRequestServices extends ConnectTenantServices, Permissions {
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
  let client: TenantClient | undefined
  let webhooks: TenantWebhooks | undefined
  let personalData: PersonalData | undefined
  const services: ConnectTenantServices = {
    tenant: tenantOf(context.identity),
    get tenantStore() {
      store ??= deps.storeOf(context, 'store')
      return store
    },
    get tenantClient() {
      client ??= createTenantClient(context, deps)
      return client
    },
    get tenantWebhooks() {
      webhooks ??= createTenantWebhooks(context, services.tenantClient, deps)
      return webhooks
    },
    get personalData() {
      personalData ??= createPersonalData(context, deps)
      return personalData
    },
  }
  return services
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
    get tenantClient() {
      return services.tenantClient
    },
    get tenantWebhooks() {
      return services.tenantWebhooks
    },
    get personalData() {
      return services.personalData
    },
    authorizeJira: needed => createPermissions(services.tenantClient.exchange, authentication).authorizeJira(needed),
    authorizeConfluence: needed =>
      createPermissions(services.tenantClient.exchange, authentication).authorizeConfluence(needed),
  }
}
