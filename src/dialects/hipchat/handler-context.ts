/**
 * What handlers get: the tenant, its services, and the facts of the request, delivery or lifecycle event.
 *
 * Services are made when first asked for, all from one bound context; nothing here takes a tenant from anywhere else.
 */

import type { TenantContext } from '../../core/context.ts'
import type { Work } from '../../core/ports.ts'
import type { TenantStore } from '../../core/store.ts'
import type { RoutedRequest } from '../../http/view.ts'
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

export function createServices(context: TenantContext, room: RoomRef | undefined, deps: LifecycleDeps): TenantServices {
  const tenant = tenantOf(context.identity)
  const boundRoom = room ?? tenant.room
  let store: TenantStore | undefined
  let client: TenantClient | undefined
  let roomClient: RoomClient | undefined
  let webhooks: TenantWebhooks | undefined
  const services: TenantServices = {
    tenant,
    get tenantStore() {
      store ??= deps.storeOf(context, 'store')
      return store
    },
    get tenantClient() {
      client ??= createTenantClient(context, deps)
      return client
    },
    get roomClient() {
      if (boundRoom !== undefined) roomClient ??= services.tenantClient.forRoom(boundRoom)
      return roomClient
    },
    get tenantWebhooks() {
      webhooks ??= createTenantWebhooks(context, services.tenantClient, deps)
      return webhooks
    },
  }
  return services
}

/** Written out, since every authenticated request makes one: `extend` costs ten times as much. */
export function createRequestServices(
  services: TenantServices,
  authentication: Authentication,
  settings: AddonSettings,
): HipchatRequestServices {
  let locals: Locals | undefined
  return {
    tenant: services.tenant,
    authentication,
    get locals() {
      locals ??= new Locals(services.tenant, authentication, settings)
      return locals
    },
    get tenantStore() {
      return services.tenantStore
    },
    get tenantClient() {
      return services.tenantClient
    },
    get roomClient() {
      return services.roomClient
    },
    get tenantWebhooks() {
      return services.tenantWebhooks
    },
  }
}

/** Written out for the same reason; the signal and the query are made when somebody asks. */
export function createPageContext(
  services: HipchatRequestServices,
  { view, query: text, params }: RoutedRequest,
  signal: () => AbortSignal,
): HipchatPageContext {
  let query: URLSearchParams | undefined
  return {
    tenant: services.tenant,
    authentication: services.authentication,
    get locals() {
      return services.locals
    },
    get tenantStore() {
      return services.tenantStore
    },
    get tenantClient() {
      return services.tenantClient
    },
    get roomClient() {
      return services.roomClient
    },
    get tenantWebhooks() {
      return services.tenantWebhooks
    },
    view,
    get query() {
      query ??= new URLSearchParams(text)
      return query
    },
    params,
    get signal() {
      return signal()
    },
  }
}

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
