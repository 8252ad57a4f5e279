/**
 * Which webhooks an app has: each with a path of its own, as the product calls them, and the handlers of it. What a given descriptor
 * declares is answered too; listeners per event run for all of them.
 */

import type { JsonObject } from '../../core/tenant.ts'
import { frozenJson } from '../common/frozen-json.ts'
import { invalidDescriptor } from '../common/settings.ts'
import { routePathOf } from './route-path.ts'
import type { ConnectWebhookContext } from './webhook-work.ts'

/** Runs bound to the tenant of the delivery. */
export type ConnectWebhookHandler = (context: ConnectWebhookContext) => unknown

export interface ConnectWebhookOptions {
  /** JQL: what the product delivers. */
  readonly filter?: string
  readonly excludeBody?: boolean
  readonly propertyKeys?: readonly string[]
  /** Below the base URL; may hold the product's `{variables}`. Default `/webhook/<name>`. */
  readonly path?: string
  /** Label, 1 to 40 letters, digits and ._~-; default: the event, with dashes. */
  readonly name?: string
}

export interface WebhookDefinition {
  readonly event: string
  /** As the router matches it; unique. */
  readonly route: string
  /** As the modules of the descriptor have it; `undefined` for what stands elsewhere. */
  readonly module: JsonObject | undefined
  readonly handlers: readonly ConnectWebhookHandler[]
}

export interface WebhookDefinitions {
  /** @throws PartywallError ERR_DESCRIPTOR_INVALID · TypeError for what is no handler */
  add(event: string, options: ConnectWebhookOptions, handler: ConnectWebhookHandler): void
  /** Gives the event a route too, where tenants' own webhooks arrive. @throws as `add` */
  listen(event: string, handler: ConnectWebhookHandler): void
  /** The hooks of moves between realms, delivered like webhooks. */
  migration(handler: ConnectWebhookHandler): void
  /** Every definition that has a route. */
  all(): readonly WebhookDefinition[]
  /** What runs for a delivery at this route: its own handlers and the listeners of its event. */
  handlersOf(route: string): readonly ConnectWebhookHandler[]
}

/** Name of the lifecycle entry in the descriptor. */
export const MIGRATION_EVENT = 'dare-migration'
const NAME = /^[A-Za-z0-9._~-]{1,40}$/

/**
 * @param given  `modules.webhooks` of a given descriptor
 * @param paths  below the app's prefix
 */
export function createWebhookDefinitions(
  given: unknown,
  paths: { readonly webhook: string; readonly migration: string },
): WebhookDefinitions {
  const definitions = new Map<string, WebhookDefinition>()
  const listeners = new Map<string, ConnectWebhookHandler[]>()

  function put(event: string, url: string, module?: JsonObject, handler?: ConnectWebhookHandler): void {
    const route = routePathOf(url, `modules.webhooks[${definitions.size}].url`)
    const earlier = definitions.get(route)
    if (earlier !== undefined && earlier.event !== event)
      throw invalidDescriptor(`modules.webhooks: ${event} and ${earlier.event} share the path ${route}`)
    const handlers = [...(earlier?.handlers ?? []), ...(handler === undefined ? [] : [handler])]
    definitions.set(route, { event, route, module: earlier?.module ?? module, handlers })
  }

  for (const module of readGiven(given)) put(module.event, module.url, module)
  return {
    add(event, { path, name, ...rest }, handler) {
      checkHandler(handler)
      if (event === '') throw invalidDescriptor('modules.webhooks: a webhook needs an event')
      const label = name ?? webhookLabel(event)
      if (!NAME.test(label))
        throw invalidDescriptor(`modules.webhooks: ${label} is no name of 1 to 40 letters, digits and ._~-`)
      const url = path ?? `${paths.webhook}/${label}`
      put(event, url, frozenJson({ event, url, ...rest }), handler)
    },
    listen(event, handler) {
      checkHandler(handler)
      put(event, `${paths.webhook}/${webhookLabel(event)}`)
      listeners.set(event, [...(listeners.get(event) ?? []), handler])
    },
    migration(handler) {
      checkHandler(handler)
      put(MIGRATION_EVENT, paths.migration, undefined, handler)
    },
    all: () => [...definitions.values()],
    handlersOf(route) {
      const definition = definitions.get(route)
      return definition === undefined ? [] : [...definition.handlers, ...(listeners.get(definition.event) ?? [])]
    },
  }
}

/** What stands for an event in the path of its route. */
export const webhookLabel = (event: string): string => event.replaceAll(/[^A-Za-z0-9._~-]/g, '-')

function readGiven(given: unknown): readonly (JsonObject & { readonly event: string; readonly url: string })[] {
  if (given === undefined) return []
  if (!Array.isArray(given)) throw invalidDescriptor('modules.webhooks must be a list')
  return given.map((module, index) => {
    if (typeof module?.event !== 'string' || typeof module?.url !== 'string')
      throw invalidDescriptor(`modules.webhooks[${index}] must have an event and a url`)
    return module
  })
}

function checkHandler(handler: unknown): void {
  if (typeof handler !== 'function') throw new TypeError('a webhook needs a handler function')
}
