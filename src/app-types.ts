/** What an author holds in his hands: the app, its add-ons, the names operators use. Types alone; `app.ts` makes them. */

import type { KoaMiddleware } from './adapters/koa.ts'
import type { TenantContext } from './core/context.ts'
import type { Inbox, Jobs, WorkHandler } from './core/ports.ts'
import type { DialectId } from './core/tenant.ts'
import type { ConnectAddon } from './dialects/connect/addon.ts'
import type { ConnectAddonOptions } from './dialects/connect/options.ts'
import type { HipchatAddon } from './dialects/hipchat/addon.ts'
import type { HipchatAddonOptions } from './dialects/hipchat/options.ts'
import type { ForgeApp, ForgeOptions } from './forge/forge-types.ts'
import type { GuardOptions, Mountable } from './http/view.ts'
import type { DeadLetters } from './jobs/dead-letters.ts'
import type { TenantSql } from './postgres/sql-tag.ts'

export type HipchatOptions = Omit<HipchatAddonOptions, 'insecureHosts'>

export interface HipchatApp extends HipchatAddon {
  /**
   * Koa middleware for routes of your own: proves the tenant, puts `tenant`, `authentication`, `tenantStore` ... on `ctx`.
   * Other frameworks: `authenticate(addon)` of their subpath.
   */
  authenticate(): KoaMiddleware
}

export type ConnectOptions = Omit<ConnectAddonOptions, 'insecureHosts'>

export interface ConnectApp extends ConnectAddon {
  /** Koa middleware for routes of your own, as HipChat's; `token` says which tokens they take. */
  authenticate(options?: GuardOptions): KoaMiddleware
}

/** How an operator names an installation. */
export interface InstallationName {
  readonly dialect: DialectId
  /** HipChat `oauthId`, Connect `clientKey`. */
  readonly id: string
  /** Key of the add-on where it is not the app's own. */
  readonly addon?: string
}

export interface App extends Mountable {
  readonly key: string
  readonly baseUrl: string
  /** Adds a HipChat add-on. @throws ERR_DESCRIPTOR_INVALID · TypeError after the first request */
  hipchat(options: HipchatOptions): HipchatApp
  /** Adds an Atlassian Connect app. @throws ERR_DESCRIPTOR_INVALID, ERR_CONFIG · TypeError after the first request */
  connect(options: ConnectOptions): ConnectApp
  /**
   * Adds a Forge app: bundles its folder, deploys it to an environment and runs its functions in the sandbox.
   * @throws ERR_FORGE_APP_FOLDER, ERR_FORGE_MANIFEST, ERR_FORGE_BUNDLE, ERR_SANDBOX_LOAD, ERR_SANDBOX_UNAVAILABLE · TypeError for
   *   the first one after the first request, and for one that is there already
   */
  forge(options: ForgeOptions): Promise<ForgeApp>
  /** Names a handler for `jobs`. @throws TypeError when the name is taken */
  job(name: string, handler: WorkHandler): void
  readonly jobs: Jobs
  /** Waits for deliveries of a tenant; for tests and probes. */
  readonly deliveries: Pick<Inbox, 'idle'>
  readonly deadLetters: DeadLetters
  /** SQL on your own protected tables, bound to the current tenant. */
  readonly sql: TenantSql
  /** Runs `work` bound to an installation, from a script or a timer. @throws ERR_TENANT_UNKNOWN, ERR_TENANT_DISABLED */
  runAs<T>(installation: InstallationName, work: (context: TenantContext) => Promise<T>): Promise<T>
  /**
   * An operator's switch: a disabled installation is refused everywhere, and everything of it stops, until it is enabled.
   * Resolves when no process can still accept the old state. @throws ERR_INSTALLATION_UNKNOWN
   */
  setEnabled(installation: InstallationName, enabled: boolean): Promise<void>
  /** Resolves when the store answers; what a health check asks. @throws ERR_STORE_UNAVAILABLE */
  ready(): Promise<void>
  /**
   * Refuses new requests with 503, stops taking work, lets requests and handlers that run finish (at most `graceMs`, default
   * 5,000), closes every connection. Safe to call twice, and beside the closing of the server.
   */
  close(graceMs?: number): Promise<void>
}
