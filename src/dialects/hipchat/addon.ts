/**
 * A HipChat add-on: what an author says about it, and the routes and guard it answers with.
 *
 * Only this file knows all the others of the dialect. It verifies and translates; storing, binding and sending are the
 * ports' matter.
 */

import type { TenantContext } from '../../core/context.ts'
import type { DialectDeps } from '../../core/dialect.ts'
import type { JsonObject } from '../../core/tenant.ts'
import type { Guard, Route } from '../../http/view.ts'
import { jsonAnswer } from '../common/answers.ts'
import { extend } from '../common/extend.ts'
import { createSeal } from '../common/seal.ts'
import { readInstallationFacts } from './announcement.ts'
import { handleInstalledPage, handleUninstalledPage } from './browser-flow.ts'
import { type CapabilityBuilder, createCapabilityBuilder } from './builder/capability-builder.ts'
import { createDescription } from './builder/description.ts'
import { urlOf } from './descriptor.ts'
import { glanceRoutes } from './glance.ts'
import {
  createServices,
  type HipchatInstalledContext,
  type HipchatLifecycleContext,
  type HipchatRequestServices,
  type TenantServices,
} from './handler-context.ts'
import { handleInstall } from './install.ts'
import { type InstallUrlOptions, installUrl } from './install-url.ts'
import {
  type ImportedInstallation,
  type ImportInstallationOptions,
  importInstallation,
} from './legacy/import-installation.ts'
import type { OldTenant } from './legacy/old-store.ts'
import type { HipchatAddonOptions } from './options.ts'
import { guardRequest, type PageHandler, type PageOptions, type PublicPageHandler, pageRoute } from './pages.ts'
import { handleUninstall } from './uninstall.ts'
import { handleWebhook, type WebhookDeps } from './webhook.ts'
import { readWebhookArguments, type WebhookArguments, type WebhookBuilder } from './webhook-arguments.ts'
import type { WebhookHandler } from './webhook-definitions.ts'
import { createReplies } from './webhook-replies.ts'
import { runWebhook } from './webhook-work.ts'

export type LifecycleListener = (context: HipchatLifecycleContext) => unknown
export type InstalledListener = (context: HipchatInstalledContext) => unknown

/** Builder calls return the add-on; after the first request they throw a TypeError. */
export interface HipchatAddon extends WebhookBuilder<HipchatAddon>, CapabilityBuilder<HipchatAddon> {
  readonly key: string
  /** Deeply frozen JSON, as it is served. */
  readonly descriptor: JsonObject
  /** As built so far; complete once the app serves. */
  readonly routes: readonly Route[]
  /** Runs for every delivery of the event, declared here or registered by tenants; declares nothing itself. */
  onWebhook(event: string, handler: WebhookHandler): HipchatAddon
  /**
   * Runs after an install or update is durable, at least once, as a delivery; once more when a browser brings a relay state for
   * it afterwards.
   */
  onInstalled(listener: InstalledListener): HipchatAddon
  /** Runs once after an uninstall, with a store to read, no outbound calls, at most 5 s. */
  onUninstalled(listener: LifecycleListener): HipchatAddon
  /** A route below the add-on's prefix, behind authentication. */
  page(path: string, handler: PageHandler, options?: PageOptions & { readonly public?: false }): HipchatAddon
  /** Open to anybody, no tenant. */
  page(path: string, handler: PublicPageHandler, options: PageOptions & { readonly public: true }): HipchatAddon
  /**
   * The link with which a user begins to install this add-on.
   * @param host  base address of the host's web pages; default `https://www.hipchat.com`
   * @throws PartywallError ERR_OUTBOUND_URL for another base than a plain web address
   * @example addon.installUrl('https://chat.example.com', { room: 'Lobby', relayState: 'from the newsletter' })
   */
  installUrl(host?: string, options?: InstallUrlOptions): string
  /**
   * The tenant's services for a context of your own making: in a job, or inside `app.runAs`.
   * @throws TypeError for a context of another add-on or dialect
   */
  services(context: TenantContext): TenantServices
  /** For `importHipchatStore` of `partywall/hipchat`: installs the tenant of an old record, as an operator's act. */
  importInstallation(old: OldTenant, options?: ImportInstallationOptions): Promise<ImportedInstallation>
  /** For adapters: proves the tenant of a request of the app's own routes. */
  guard(): Guard<HipchatRequestServices>
  /** No builder call after this. The first request does the same. */
  freeze(): void
}

/** @throws PartywallError ERR_DESCRIPTOR_INVALID, ERR_CONFIG */
export function createHipchatAddon(options: HipchatAddonOptions, ports: DialectDeps): HipchatAddon {
  const description = createDescription(options, ports)
  const { settings, definitions } = description
  const seal = createSeal()
  const pages: Route[] = []
  const installed: InstalledListener[] = []
  const uninstalled: LifecycleListener[] = []

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
    hasUninstallListeners: () => uninstalled.length > 0,
  }
  ports.handlers.set(deps.webhookHandler, (work, context) => runWebhook(work, context, deps))
  ports.handlers.set(deps.installHandler, ({ payload }, context) =>
    runListeners(installed, context, { installation: readInstallationFacts(payload) }, deps),
  )
  ports.handlers.set(deps.uninstallHandler, (_, context) => runListeners(uninstalled, context, {}, deps), 'read-only')

  const change = (work: () => void): HipchatAddon => {
    seal.ensureOpen()
    work()
    description.changed()
    return addon
  }
  const { installable, webhook } = settings.routes
  const browserRoutes: readonly Route[] = [
    { method: 'GET', path: settings.routes.installed, handle: request => handleInstalledPage(request, deps) },
    { method: 'GET', path: settings.routes.updated, handle: request => handleInstalledPage(request, deps) },
    { method: 'GET', path: settings.routes.uninstalled, handle: request => handleUninstalledPage(request, deps) },
  ]
  const describe: Route['handle'] = () => jsonAnswer(description.descriptor())
  const ownRoutes: readonly Route[] = [
    { method: 'GET', path: settings.routes.descriptor, handle: describe, isPublic: true },
    { method: 'POST', path: installable, handle: request => handleInstall(request, deps) },
    { method: 'DELETE', path: `${installable}/:oauthId`, handle: request => handleUninstall(request, deps) },
    { method: 'POST', path: webhook, handle: request => handleWebhook(request, deps) },
    ...(settings.clientSideInstall ? browserRoutes : []),
  ]

  const addon: HipchatAddon = {
    key: settings.key,
    get descriptor() {
      return description.descriptor()
    },
    get routes() {
      return [...ownRoutes, ...pages].map(seal.closedBy)
    },
    ...createCapabilityBuilder({
      declarations: description.declarations,
      change,
      servePage: (path, handler) => pages.push(pageRoute(settings.prefix + path, handler, {}, deps)),
      serveGlance: (path, handler) => pages.push(...glanceRoutes(settings.prefix + path, handler, deps)),
    }),
    webhook: (...said: WebhookArguments) =>
      change(() => {
        const { spec, handler } = readWebhookArguments(said)
        definitions.add(spec, handler)
      }),
    onWebhook: (event, handler) => change(() => definitions.listen(event, handler)),
    onInstalled: listener => change(() => installed.push(listener)),
    onUninstalled: listener => change(() => uninstalled.push(listener)),
    page: (path: string, handler: PageHandler | PublicPageHandler, pageOptions: PageOptions = {}) =>
      change(() => pages.push(pageRoute(settings.prefix + path, handler, pageOptions, deps))),
    installUrl: (host = 'https://www.hipchat.com', urlOptions = {}) =>
      installUrl(host, description.descriptor(), urlOf(settings, settings.routes.descriptor), urlOptions),
    services(context) {
      const { app, dialect } = context.identity
      if (dialect !== 'hipchat' || app !== settings.key)
        throw new TypeError(`this context belongs to ${dialect} ${app}`)
      return createServices(context, undefined, deps)
    },
    importInstallation: (old, options) => importInstallation(old, options, deps),
    guard: () => view => {
      seal.close()
      return guardRequest(view, deps)
    },
    freeze: seal.close,
  }
  return addon
}

/** One after the other; the first that fails ends it. */
async function runListeners<F extends object>(
  listeners: readonly ((context: HipchatLifecycleContext & F) => unknown)[],
  context: TenantContext,
  facts: F,
  deps: WebhookDeps,
): Promise<void> {
  const services = extend(createServices(context, undefined, deps), { signal: context.signal, ...facts })
  for (const listener of listeners) await listener(services)
}
