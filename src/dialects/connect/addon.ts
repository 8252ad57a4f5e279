/**
 * An Atlassian Connect app: what an author says about it, and the routes and guards it answers with.
 *
 * Only this file knows all the others of the dialect. It verifies and translates; storing, binding and sending are the ports' matter.
 */

import { currentContext, type TenantContext } from '../../core/context.ts'
import type { DialectDeps } from '../../core/dialect.ts'
import type { KeySource } from '../../core/ports.ts'
import type { JsonObject } from '../../core/tenant.ts'
import type { Guard, GuardOptions, Route } from '../../http/view.ts'
import { jsonAnswer } from '../common/answers.ts'
import { extend } from '../common/extend.ts'
import { ProvedTokens } from '../common/proved-tokens.ts'
import { createSeal } from '../common/seal.ts'
import { createCallPace } from './call-pace.ts'
import { createDescription } from './description.ts'
import {
  type ConnectLifecycleContext,
  type ConnectRequestServices,
  type ConnectTenantServices,
  createServices,
} from './handler-context.ts'
import {
  type ImportedInstallation,
  type ImportInstallationOptions,
  importInstallation,
} from './legacy/import-installation.ts'
import { handleInstalled, handleSwitch, handleUninstalled } from './lifecycle.ts'
import {
  type ConnectInstalledListener,
  type ConnectLifecycleListener,
  createListeners,
  installationOf,
  runListeners,
  tellDisabled,
} from './listeners.ts'
import { registerLiveness, scheduleLiveness } from './liveness.ts'
import { createModuleBuilder, type ModuleBuilder } from './module-builder.ts'
import type { ConnectAddonOptions, ConnectSettings } from './options.ts'
import {
  guardRequest,
  type PageHandler,
  type PageOptions,
  pageRoute,
  type StaticPageHandler,
  staticRoute,
} from './pages.ts'
import { type PersonalDataCallbacks, registerPersonalData } from './personal-data.ts'
import { routePathOf } from './route-path.ts'
import { registerWebhookRefresh } from './tenant-webhooks.ts'
import { handleWebhook, type WebhookDeps } from './webhook.ts'
import type { ConnectWebhookHandler, ConnectWebhookOptions } from './webhook-definitions.ts'
import { runWebhook } from './webhook-work.ts'

/** @param context.refusedDays  whole days */
export type SilentListener = (context: ConnectLifecycleContext & { readonly refusedDays: number }) => unknown

const DEFAULT_SILENT_DAYS = 7

export interface ConnectPorts extends DialectDeps {
  /** Install keys of these servers. */
  createKeySource(servers: readonly string[]): KeySource
}

/** Builder calls return the app; after the first request they throw a TypeError. */
export interface ConnectAddon extends ModuleBuilder<ConnectAddon> {
  readonly key: string
  /** Deeply frozen JSON, as it is served. */
  readonly descriptor: JsonObject
  /** As built so far; complete once the app serves. */
  readonly routes: readonly Route[]
  /** A route of a page below the app's prefix, for tokens made for this very address; the path may hold `{variables}`. */
  page(path: string, handler: PageHandler, options?: PageOptions): ConnectAddon
  /** A route that the app's own pages call: for context tokens of the browser bridge, and session tokens. */
  api(path: string, handler: PageHandler, options?: PageOptions): ConnectAddon
  /** Open to anybody, no tenant, may be kept by caches: the page of a `cacheable` module. */
  staticPage(path: string, handler: StaticPageHandler): ConnectAddon
  /** Declares a webhook, and runs the handler for its deliveries, at least once, after they are durable. */
  webhook(event: string, handler: ConnectWebhookHandler, options?: ConnectWebhookOptions): ConnectAddon
  /** Runs for every delivery of the event, also of webhooks that a given descriptor declares; declares nothing itself. */
  onWebhook(event: string, handler: ConnectWebhookHandler): ConnectAddon
  /** Runs after an install or update is durable, at least once, as a delivery. */
  onInstalled(listener: ConnectInstalledListener): ConnectAddon
  /** Runs after the product has enabled the installation, at least once, as a delivery. */
  onEnabled(listener: ConnectLifecycleListener): ConnectAddon
  /** Runs just before the product's switch to disabled counts, with a store to read, at most 5 s; a failure is logged. */
  onDisabled(listener: ConnectLifecycleListener): ConnectAddon
  /** Runs once after an uninstall, with a store to read, no outbound calls, at most 5 s. */
  onUninstalled(listener: ConnectLifecycleListener): ConnectAddon
  /** Runs for the hooks of a move between realms (`dare-migration`), as deliveries. */
  onMigration(handler: ConnectWebhookHandler): ConnectAddon
  /** Answers the daily reports of `ctx.personalData` (protocol s. 10): what to do with accounts that are closed or have changed. Once per app. */
  onPersonalData(callbacks: PersonalDataCallbacks): ConnectAddon
  /**
   * Runs each day for an installation whose product has refused every word of the app for `afterDays` days (default 7): a deleted
   * site sends no `uninstalled`. Counts for installations that are made or updated from now on. Once per app.
   */
  onSilent(listener: SilentListener, options?: { readonly afterDays?: number }): ConnectAddon
  /**
   * The tenant's services for a context of your own making: in a job, or inside `app.runAs`.
   * @throws TypeError for a context of another app or dialect
   */
  services(context: TenantContext): ConnectTenantServices
  /** For `importConnectStore` of `partywall/connect`: installs the tenant of an old record, as an operator's act. */
  importInstallation(record: unknown, options?: ImportInstallationOptions): Promise<ImportedInstallation>
  /** For adapters: proves the tenant of a request of the app's own routes; by default with the policy of pages. */
  guard(options?: GuardOptions): Guard<ConnectRequestServices>
  /** No builder call after this. The first request does the same. */
  freeze(): void
}

/** @throws PartywallError ERR_DESCRIPTOR_INVALID, ERR_CONFIG */
export function createConnectAddon(options: ConnectAddonOptions, ports: ConnectPorts): ConnectAddon {
  const description = createDescription(options, ports)
  const { settings, webhooks } = description
  const seal = createSeal()
  const pages: Route[] = []
  const listeners = createListeners()

  // Apps and environments that share a database never run each other's work.
  const work = `connect:${settings.key}:${settings.environment}`
  const deps: WebhookDeps = {
    ...ports,
    settings,
    keys: ports.createKeySource(settings.keyServers),
    pace: createCallPace(ports.clock),
    proved: new ProvedTokens(),
    definitions: webhooks,
    webhookHandler: `${work}:webhook`,
    installHandler: `${work}:installed`,
    enableHandler: `${work}:enabled`,
    uninstallHandler: `${work}:uninstalled`,
    hasInstallListeners: () => listeners.installed.length > 0,
    hasEnableListeners: () => listeners.enabled.length > 0,
    hasUninstallListeners: () => listeners.uninstalled.length > 0,
    tellDisabled: identity => tellDisabled(listeners.disabled, identity, deps),
  }
  const { handlers } = ports
  handlers.set(deps.webhookHandler, (work, context) => runWebhook(work, context, deps))
  handlers.set(deps.installHandler, ({ payload }, context) =>
    runListeners(listeners.installed, context, { installation: installationOf(payload) }, deps),
  )
  handlers.set(deps.enableHandler, (_, context) => runListeners(listeners.enabled, context, {}, deps))
  const runUninstalled = (_: unknown, context: TenantContext) => runListeners(listeners.uninstalled, context, {}, deps)
  handlers.set(deps.uninstallHandler, runUninstalled, 'read-only')

  registerWebhookRefresh(deps)

  const change = (work: () => void): ConnectAddon => {
    seal.ensureOpen()
    work()
    description.changed()
    return addon
  }
  const at = (path: string) => settings.prefix + routePathOf(path, 'path')
  const ownRoutes = lifecycleRoutes(settings, () => description.descriptor(), deps)
  const webhookRoutes = (): readonly Route[] =>
    webhooks.all().map(definition => ({
      method: 'POST',
      path: settings.prefix + definition.route,
      handle: request => handleWebhook(request, definition, deps),
    }))

  const addon: ConnectAddon = {
    key: settings.key,
    get descriptor() {
      return description.descriptor()
    },
    get routes() {
      return [...ownRoutes, ...webhookRoutes(), ...pages].map(seal.closedBy)
    },
    ...createModuleBuilder((declared, { cacheable }, handler) =>
      change(() => {
        description.declare(declared)
        if (handler === undefined || declared.url === undefined) return
        const path = at(declared.url)
        pages.push(
          cacheable === true
            ? staticRoute(path, handler as StaticPageHandler, deps)
            : pageRoute(path, handler, 'request', {}, deps),
        )
      }),
    ),
    page: (path, handler, pageOptions = {}) =>
      change(() => pages.push(pageRoute(at(path), handler, 'request', pageOptions, deps))),
    api: (path, handler, pageOptions = {}) =>
      change(() => pages.push(pageRoute(at(path), handler, 'context', pageOptions, deps))),
    staticPage: (path, handler) => change(() => pages.push(staticRoute(at(path), handler, deps))),
    webhook: (event, handler, webhookOptions = {}) => change(() => webhooks.add(event, webhookOptions, handler)),
    onWebhook: (event, handler) => change(() => webhooks.listen(event, handler)),
    onInstalled: listener => change(() => listeners.installed.push(listener)),
    onEnabled: listener => change(() => listeners.enabled.push(listener)),
    onDisabled: listener => change(() => listeners.disabled.push(listener)),
    onUninstalled: listener => change(() => listeners.uninstalled.push(listener)),
    onMigration: handler => change(() => webhooks.migration(handler)),
    onPersonalData: callbacks => change(() => registerPersonalData(callbacks, deps)),
    onSilent: (listener, { afterDays = DEFAULT_SILENT_DAYS } = {}) =>
      change(() => {
        registerLiveness(
          deps,
          async (context, { refusedDays }) => {
            await listener(extend(createServices(context, deps), { signal: context.signal, refusedDays }))
          },
          afterDays,
        )
        listeners.installed.push(() => scheduleLiveness(currentContext(), deps))
      }),
    services(context) {
      const { app, dialect } = context.identity
      if (dialect !== 'connect' || app !== settings.key)
        throw new TypeError(`this context belongs to ${dialect} ${app}`)
      return createServices(context, deps)
    },
    importInstallation: (record, options = {}) => importInstallation(record, options, deps),
    guard: ({ token = 'request' } = {}) => {
      return view => {
        seal.close()
        return guardRequest(view, token, deps)
      }
    },
    freeze: seal.close,
  }
  return addon
}

function lifecycleRoutes(settings: ConnectSettings, descriptor: () => JsonObject, deps: WebhookDeps): readonly Route[] {
  const { routes } = settings
  return [
    { method: 'GET', path: routes.descriptor, handle: () => jsonAnswer(descriptor()), isPublic: true },
    { method: 'POST', path: routes.installed, handle: request => handleInstalled(request, deps) },
    { method: 'POST', path: routes.uninstalled, handle: request => handleUninstalled(request, deps) },
    { method: 'POST', path: routes.enabled, handle: request => handleSwitch(request, 'enabled', deps) },
    { method: 'POST', path: routes.disabled, handle: request => handleSwitch(request, 'disabled', deps) },
  ]
}
