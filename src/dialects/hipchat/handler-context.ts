/**
 * What handlers get: the tenant, its services, and the facts of the request, delivery or lifecycle event.
 *
 * Services are made when first asked for, all from one bound context; nothing here takes a tenant from anywhere else.
 */

import type { TenantContext } from '../../core/context.ts'
import type { Work } from '../../core/ports.ts'
import type { TenantStore } from '../../core/store.ts'
import type { RequestView, RoutedRequest } from '../../http/view.ts'
import type { Authentication } from '../common/authentication.ts'
import type { RequestFacts } from '../common/pages.ts'
import type { InstallationFacts } from './announcement.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { Locals } from './locals.ts'
import type { AddonSettings } from './options.ts'
import type { PatternMatch } from './pattern.ts'
import { type HipchatTenant, tenantOf } from './tenant.ts'
import { createTenantClient, type RoomClient, type RoomRef, type TenantClient } from './tenant-client.ts'
import { createTenantWebhooks, type TenantWebhooks } from './tenant-webhooks.ts'
import type { WebhookFields } from './webhook-event.ts'

export interface TenantServices {
  readonly tenant: HipchatTenant
  readonly tenantStore: TenantStore
  readonly tenantClient: TenantClient
  /** Bound to the room of the request or delivery, else to that of the installation; `undefined` when there is neither. */
  readonly roomClient: RoomClient | undefined
  readonly tenantWebhooks: TenantWebhooks
}

/** Behind `authenticate()`, and in pages of the add-on. */
export interface HipchatRequestServices extends TenantServices {
  readonly authentication: Authentication
  /** Addresses for templates, and the page's session token. */
  readonly locals: Locals
}

export interface HipchatPageContext extends HipchatRequestServices, RequestFacts {
  /** Aborted when the installation ends. */
  readonly signal: AbortSignal
}

export interface HipchatLifecycleContext extends TenantServices {
  readonly signal: AbortSignal
}

export interface HipchatInstalledContext extends HipchatLifecycleContext {
  readonly installation: InstallationFacts
}

export interface HipchatWebhookContext extends Omit<TenantServices, 'roomClient'>, Omit<WebhookFields, 'clientId'> {
  /** Bound to the room of the delivery. @throws PartywallError ERR_OUTBOUND_URL when neither delivery nor installation names one */
  readonly roomClient: RoomClient
  /** The body as the host sent it. */
  readonly webhook: unknown
  /** The result of the pattern, as `RegExp.exec` gives it. */
  readonly match: PatternMatch | undefined
  /** Stable over retries. */
  readonly deliveryId: string
  /** 1 for the first. */
  readonly attempt: number
  /** Aborted when the installation ends. */
  readonly signal: AbortSignal
}

/** Getters of a class, and not closures of each object: every request and delivery makes one of these. */
class Services implements TenantServices {
  readonly tenant: HipchatTenant
  readonly #context: TenantContext
  readonly #room: RoomRef | undefined
  readonly #deps: LifecycleDeps
  #store: TenantStore | undefined
  #client: TenantClient | undefined
  #roomClient: RoomClient | undefined
  #webhooks: TenantWebhooks | undefined

  constructor(context: TenantContext, room: RoomRef | undefined, deps: LifecycleDeps) {
    this.tenant = tenantOf(context.identity)
    this.#context = context
    this.#room = room ?? this.tenant.room
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
  get roomClient(): RoomClient | undefined {
    if (this.#room !== undefined) this.#roomClient ??= this.tenantClient.forRoom(this.#room)
    return this.#roomClient
  }
  get tenantWebhooks(): TenantWebhooks {
    this.#webhooks ??= createTenantWebhooks(this.#context, this.tenantClient, this.#deps)
    return this.#webhooks
  }
}

/** What a proved request is made of. */
export interface ProvedRequest {
  readonly context: TenantContext
  readonly room: RoomRef | undefined
  readonly authentication: Authentication
}

class RequestServices extends Services implements HipchatRequestServices {
  readonly authentication: Authentication
  readonly #settings: AddonSettings
  #locals: Locals | undefined

  constructor({ context, room, authentication }: ProvedRequest, deps: LifecycleDeps) {
    super(context, room, deps)
    this.authentication = authentication
    this.#settings = deps.settings
  }

  get locals(): Locals {
    this.#locals ??= new Locals(this.tenant, this.authentication, this.#settings)
    return this.#locals
  }
}

class PageContext extends RequestServices implements HipchatPageContext {
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

export const createServices = (
  context: TenantContext,
  room: RoomRef | undefined,
  deps: LifecycleDeps,
): TenantServices => new Services(context, room, deps)

/** For routes of a framework. */
export const createRequestServices = (proved: ProvedRequest, deps: LifecycleDeps): HipchatRequestServices =>
  new RequestServices(proved, deps)

/** For a page of the add-on's own. */
export const createPageContext = (
  proved: ProvedRequest,
  request: RoutedRequest,
  deps: LifecycleDeps,
): HipchatPageContext => new PageContext(proved, request, deps)

export function createWebhookContext(
  bound: { readonly context: TenantContext; readonly work: Work },
  delivery: { readonly fields: WebhookFields; readonly body: unknown; readonly match: PatternMatch | undefined },
  deps: LifecycleDeps,
): HipchatWebhookContext {
  const { fields, match } = delivery
  const services = createServices(bound.context, fields.room?.id, deps)
  // Written out like the services of a request, since every delivery makes one.
  return {
    tenant: services.tenant,
    get tenantStore() {
      return services.tenantStore
    },
    get tenantClient() {
      return services.tenantClient
    },
    get roomClient() {
      return services.roomClient ?? services.tenantClient.forRoom()
    },
    get tenantWebhooks() {
      return services.tenantWebhooks
    },
    event: fields.event,
    webhookId: fields.webhookId,
    room: fields.room,
    sender: fields.sender,
    message: fields.message,
    content: fields.content,
    topic: fields.topic,
    file: fields.file,
    webhook: delivery.body,
    match,
    deliveryId: bound.work.id,
    attempt: bound.work.attempt,
    get signal() {
      return bound.context.signal
    },
  }
}
