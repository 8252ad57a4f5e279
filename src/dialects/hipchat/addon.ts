/**
 * A HipChat add-on: what an author says about it, and the routes and guard it answers with.
 *
 * Only this file knows all the others of the dialect. It verifies and translates; storing, binding and sending are the
 * ports' matter.
 */

import type { TenantContext } from '../../core/context.ts'
import type { DialectDeps } from '../../core/dialect.ts'
import type { JsonObject } from '../../core/tenant.ts'
import type { Guard, Route, RoutedRequest } from '../../http/view.ts'
import { jsonAnswer } from './answers.ts'
import { buildDescriptor } from './descriptor.ts'
import {
  createServices,
  extend,
  type HipchatLifecycleContext,
  type HipchatRequestServices,
  type TenantServices,
} from './handler-context.ts'
import { handleInstall } from './install.ts'
import { type HipchatAddonOptions, readOptions } from './options.ts'
import { guardRequest, type PageHandler, type PublicPageHandler, servePage, servePublicPage } from './pages.ts'
import { handleUninstall } from './uninstall.ts'
import { handleWebhook, type WebhookDeps } from './webhook.ts'
import { createWebhookDefinitions, type WebhookHandler, type WebhookOptions } from './webhook-definitions.ts'
import { createReplies } from './webhook-replies.ts'
import { runWebhook } from './webhook-work.ts'

export type LifecycleListener = (context: HipchatLifecycleContext) => unknown

export interface PageOptions {
  /** Default GET. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
}

/** Builder calls return the add-on; after the first request they throw a TypeError. */
export interface HipchatAddon {
  readonly key: string
  /** Deeply frozen JSON, as it is served. */
  readonly descriptor: JsonObject
  /** As built so far; complete once the app serves. */
  readonly routes: readonly Route[]
  /**
   * Declares a webhook and what it does.
   * @throws PartywallError ERR_PATTERN_UNSUPPORTED · TypeError unknown event, pattern on another event than `room_message`
   * @example addon.webhook('room_message', /^\/hello$/, async ctx => ctx.roomClient.sendNotification(`Hello ${ctx.sender?.name}`))
   */
  webhook(event: string, handler: WebhookHandler, options?: WebhookOptions): HipchatAddon
  webhook(event: string, pattern: RegExp, handler: WebhookHandler, options?: WebhookOptions): HipchatAddon
  /** Runs for every delivery of the event, declared here or registered by tenants; declares nothing itself. */
  onWebhook(event: string, handler: WebhookHandler): HipchatAddon
  /** Runs after an install or update is durable, at least once, as a delivery. */
  onInstalled(listener: LifecycleListener): HipchatAddon
  /** Runs once after an uninstall, with a store to read, no outbound calls, at most 5 s. */
  onUninstalled(listener: LifecycleListener): HipchatAddon
  /** A route below the add-on's prefix, behind authentication. */
  page(path: string, handler: PageHandler, options?: PageOptions & { readonly public?: false }): HipchatAddon
  /** Open to anybody, no tenant. */
  page(path: string, handler: PublicPageHandler, options: PageOptions & { readonly public: true }): HipchatAddon
  /**
   * The tenant's services for a context of your own making: in a job, or inside `app.runAs`.
   * @throws TypeError for a context of another add-on or dialect
   */
  services(context: TenantContext): TenantServices
  /** For adapters: proves the tenant of a request of the app's own routes. */
  guard(): Guard<HipchatRequestServices>
  /** No builder call after this. The first request does the same. */
  freeze(): void
}

/** @throws PartywallError ERR_DESCRIPTOR_INVALID, ERR_CONFIG */
export function createHipchatAddon(options: HipchatAddonOptions, ports: DialectDeps): HipchatAddon {
  const settings = readOptions(options, ports.app)
  const definitions = createWebhookDefinitions()
  const pages: Route[] = []
  const installed: LifecycleListener[] = []
  const uninstalled: LifecycleListener[] = []
  let isFrozen = false
  let descriptor: JsonObject | undefined

  // Add-ons and environments that share a database never run each other's work.
  const work = `hipchat:${settings.key}:${settings.environment}`

  const deps: WebhookDeps = {
    ...ports,
    settings,
    definitions,
    replies: createReplies(ports.random),
    webhookHandler: `${work}:webhook`,
    installHandler: `${work}:installed`,
    uninstallHandler: `${work}:uninstalled`,
    hasInstallListeners: () => installed.length > 0,
    runUninstallListeners: context => runListeners(uninstalled, context, deps),
  }
  ports.handlers.set(deps.webhookHandler, (work, context) => runWebhook(work, context, deps))
  ports.handlers.set(deps.installHandler, (_, context) => runListeners(installed, context, deps))

  const change = (work: () => void): HipchatAddon => {
    if (isFrozen) throw new TypeError('the add-on serves already; call its builder before the first request')
    work()
    descriptor = undefined
    return addon
  }
  const route = (method: string, path: string, handle: Route['handle'], isPublic = false): Route => ({
    method,
    path,
    isPublic,
    handle: request => {
      isFrozen = true
      return handle(request)
    },
  })
  const describe = (): JsonObject => {
    descriptor ??= buildDescriptor(settings, definitions.all())
    return descriptor
  }
  const { installable, webhook } = settings.routes
  const ownRoutes = [
    route('GET', settings.routes.descriptor, () => jsonAnswer(describe()), true),
    route('POST', installable, request => handleInstall(request, deps)),
    route('DELETE', `${installable}/:oauthId`, request => handleUninstall(request, deps)),
    route('POST', webhook, request => handleWebhook(request, deps)),
  ]

  const addon: HipchatAddon = {
    key: settings.key,
    get descriptor() {
      return describe()
    },
    get routes() {
      return [...ownRoutes, ...pages]
    },
    webhook(
      event: string,
      second: RegExp | WebhookHandler,
      third?: WebhookHandler | WebhookOptions,
      fourth?: WebhookOptions,
    ) {
      return change(() => {
        if (second instanceof RegExp) definitions.add(event, second, third as WebhookHandler, fourth ?? {})
        else definitions.add(event, undefined, second, (third as WebhookOptions | undefined) ?? {})
      })
    },
    onWebhook: (event, handler) => change(() => definitions.listen(event, handler)),
    onInstalled: listener => change(() => installed.push(listener)),
    onUninstalled: listener => change(() => uninstalled.push(listener)),
    page(
      path: string,
      handler: PageHandler | PublicPageHandler,
      pageOptions: PageOptions & { readonly public?: boolean } = {},
    ) {
      const serve = (request: RoutedRequest) =>
        pageOptions.public === true
          ? servePublicPage(request, handler as PublicPageHandler, deps)
          : servePage(request, handler as PageHandler, deps)
      return change(() => pages.push(route(pageOptions.method ?? 'GET', settings.prefix + path, serve)))
    },
    services(context) {
      const { app, dialect } = context.identity
      if (dialect !== 'hipchat' || app !== settings.key)
        throw new TypeError(`this context belongs to ${dialect} ${app}`)
      return createServices(context, undefined, deps)
    },
    guard: () => view => {
      isFrozen = true
      return guardRequest(view, deps)
    },
    freeze() {
      isFrozen = true
    },
  }
  return addon
}

/** One after the other; the first that fails ends it. */
async function runListeners(
  listeners: readonly LifecycleListener[],
  context: TenantContext,
  deps: WebhookDeps,
): Promise<void> {
  const services = extend(createServices(context, undefined, deps), { signal: context.signal })
  for (const listener of listeners) await listener(services)
}
