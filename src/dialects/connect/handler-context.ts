/**
 * What handlers get: the tenant, its services, and the facts of the request, delivery or lifecycle event.
 *
 * Services are made when first asked for, all from one bound context; nothing here takes a tenant from anywhere else.
 */

import type { TenantContext } from '../../core/context.ts'
import type { TenantStore } from '../../core/store.ts'
import type { RequestView, RoutedRequest } from '../../http/view.ts'
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

/** Getters of a class, and not closures of each object: every request and delivery makes one of these. */
class TenantServices implements ConnectTenantServices {
  readonly tenant: ConnectTenant
  readonly #context: TenantContext
  readonly #deps: LifecycleDeps
  #store: TenantStore | undefined
  #client: TenantClient | undefined
  #webhooks: TenantWebhooks | undefined
  #personalData: PersonalData | undefined

  constructor(context: TenantContext, deps: LifecycleDeps) {
    this.tenant = tenantOf(context.identity)
    this.#context = context
    this.#deps = deps
  }

  get tenantStore(): TenantStore {
    this.#store ??= this.#deps.storeOf(this.#context, 'store')
    return this.#store
  }
  get tenantClient(): TenantClient {
    this.#client ??= createTenantClient(this.#context, this.#deps)
    return this.#client
  }
  get tenantWebhooks(): TenantWebhooks {
    this.#webhooks ??= createTenantWebhooks(this.#context, this.tenantClient, this.#deps)
    return this.#webhooks
  }
  get personalData(): PersonalData {
    this.#personalData ??= createPersonalData(this.#context, this.#deps)
    return this.#personalData
  }
}

/** What a proved request is made of. */
export interface ProvedRequest {
  readonly context: TenantContext
  readonly authentication: Authentication
  readonly license: () => License | undefined
}

class RequestServices extends TenantServices implements ConnectRequestServices {
  readonly authentication: Authentication
  readonly #license: () => License | undefined
  readonly #settings: LifecycleDeps['settings']
  #locals: ConnectLocals | undefined

  constructor({ context, authentication, license }: ProvedRequest, deps: LifecycleDeps) {
    super(context, deps)
    this.authentication = authentication
    this.#license = license
    this.#settings = deps.settings
  }

  get context(): AuthenticationContext {
    return this.authentication.context
  }
  get locals(): ConnectLocals {
    this.#locals ??= new ConnectLocals(this.tenant, this.authentication, this.#license(), this.#settings)
    return this.#locals
  }
  // Getters, so that handlers may take them off the context.
  get authorizeJira(): Permissions['authorizeJira'] {
    return this.#permissions.authorizeJira
  }
  get authorizeConfluence(): Permissions['authorizeConfluence'] {
    return this.#permissions.authorizeConfluence
  }
  get #permissions(): Permissions {
    return createPermissions(this.tenantClient.exchange, this.authentication)
  }
}

class PageContext extends RequestServices implements ConnectPageContext {
  readonly #request: RoutedRequest
  readonly #bound: TenantContext
  #query: URLSearchParams | undefined

  constructor(proved: ProvedRequest, request: RoutedRequest, deps: LifecycleDeps) {
    super(proved, deps)
    this.#request = request
    this.#bound = proved.context
  }

  get view(): RequestView {
    return this.#request.view
  }
  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#request.query)
    return this.#query
  }
  get params(): Readonly<Record<string, string>> {
    return this.#request.params
  }
  get signal(): AbortSignal {
    return this.#bound.signal
  }
}

export const createServices = (context: TenantContext, deps: LifecycleDeps): ConnectTenantServices =>
  new TenantServices(context, deps)

/** For routes of a framework. */
export const createRequestServices = (proved: ProvedRequest, deps: LifecycleDeps): ConnectRequestServices =>
  new RequestServices(proved, deps)

/** For a page of the app's own. */
export const createPageContext = (
  proved: ProvedRequest,
  request: RoutedRequest,
  deps: LifecycleDeps,
): ConnectPageContext => new PageContext(proved, request, deps)
