/** What an author holds in his hands: a Forge app and its installations. Types alone; `create-forge.ts` makes them. */

import type { JsonValue } from '../core/tenant.ts'
import type { IsolationPolicy } from '../sandbox/types.ts'
import type { InvokeOptions } from './invocations/invoke.ts'
import type { EventFacts, ForgeEvent } from './invocations/triggers.ts'
import type { Manifest } from './manifest/types.ts'
import type { Deployment } from './platform/deploy.ts'
import type { SiteInput } from './platform/installation.ts'
import type { AppLogLine } from './platform/runner.ts'
import type { SiteCredentials } from './product/site-backend.ts'
import type { IsolationReport, ReportCall } from './report/isolation-report.ts'
import type { Site } from './services.ts'
import type { StorageLimits } from './storage/limits.ts'

export interface ForgeOptions {
  /** The app's folder, with `manifest.yml`. */
  readonly folder: string
  /** `development` (default), `staging`, `production` or a name of your own; each has versions, variables and installations of its own. */
  readonly environment?: string
  /** Default `installation`: a process belongs to one installation. `shared` is for finding leaks alone. */
  readonly isolation?: IsolationPolicy
  /**
   * What answers `requestJira` and its likes. `credentials`: the installation's site over HTTP, a real one or a simulated one, with what
   * this function gives as `authorization`; `replay`: a file of recorded answers; `record` writes such a file meanwhile.
   */
  readonly product?: { readonly credentials: SiteCredentials; readonly record?: string } | { readonly replay: string }
  /** Other limits of storage than the platform's. What comes to 80 % of one is said in the log. */
  readonly storageLimits?: Partial<StorageLimits>
  /** For `${NAME}` in the manifest. */
  readonly manifestVariables?: Readonly<Record<string, string | undefined>>
  /** Hears of every line that the app logs; default: the log of the app. */
  readonly onLog?: (line: AppLogLine) => void
}

export interface InstallSite extends SiteInput {
  readonly installerAccountId?: string
  /** What `context.license` says: `{ isActive: true }` ... */
  readonly license?: JsonValue
}

export interface ForgeApp {
  /** UUID of the app. */
  readonly id: string
  readonly name: string
  readonly environment: string
  /** Of the newest deployed version. */
  readonly manifest: Manifest
  /** The newest deployment. */
  readonly deployment: Deployment
  /** `bubblewrap`; `none`: functions are not isolated. */
  readonly boundary: 'bubblewrap' | 'none'
  /**
   * Deploys the folder as it is now. Installations get a minor version at once; a major one waits for `upgrade`.
   * @throws ERR_FORGE_APP_FOLDER, ERR_FORGE_MANIFEST, ERR_FORGE_BUNDLE, ERR_SANDBOX_LOAD; nothing has changed then
   */
  deploy(): Promise<Deployment>
  /** Installs the newest version on a site; each call makes a new installation with storage of its own. @throws ERR_FORGE_SITE_INVALID */
  install(site: InstallSite): Promise<ForgeInstallation>
  /** @throws ERR_TENANT_UNKNOWN, ERR_TENANT_DISABLED */
  installation(id: string): Promise<ForgeInstallation>
  /** All that are installed, by their ids. */
  installations(): Promise<readonly ForgeInstallation[]>
  readonly variables: ForgeVariables
  /** The clock of schedules, delays, retries and times to live. */
  readonly time: {
    /** Epoch milliseconds. */
    now(): number
    /** Moves it on, and runs what comes due in its order. For tests and development: every process must be this one. */
    advance(ms: number): Promise<void>
  }
  /**
   * Makes the same calls for two new installations, in shared processes and in processes of their own, and says what of one tenant is
   * found where another can meet it. Left out: what the manifest names, but for resolvers.
   */
  report(calls?: readonly ReportCall[]): Promise<IsolationReport>
  /** Resolves when nothing is due and nothing runs, in any installation. */
  idle(): Promise<void>
}

/** Run-time variables of an environment: `process.env` of its functions. */
export interface ForgeVariables {
  /** @throws ERR_FORGE_VARIABLE_INVALID, ERR_INSTALL_CONFLICT another process has changed them meanwhile */
  set(name: string, value: string, options?: { readonly encrypt?: boolean }): Promise<void>
  unset(name: string): Promise<void>
  /** Encrypted ones without their value. */
  list(): Promise<
    readonly { readonly name: string; readonly isEncrypted: boolean; readonly value: string | undefined }[]
  >
}

export interface ForgeInstallation {
  /** UUID. */
  readonly id: string
  readonly site: Site
  /** `2.1.0`, the version it runs. */
  version(): Promise<string>
  /**
   * Calls a function of the app's resolver, as `invoke` of a page does.
   * @throws ERR_FORGE_FUNCTION what the app threw, in `details` · ERR_FORGE_MODULE_UNKNOWN · ERR_SANDBOX_*
   */
  invoke(functionKey: string, payload?: JsonValue, options?: InvokeOptions): Promise<JsonValue | undefined>
  /** Calls a function of the manifest itself with this payload. */
  call(functionKey: string, payload: JsonValue): Promise<JsonValue | undefined>
  /** Something happened at the site. @returns keys of the triggers that are told, soon */
  deliver(event: ForgeEvent, facts?: EventFacts): Promise<readonly string[]>
  /** Runs a scheduled trigger now. @throws ERR_FORGE_MODULE_UNKNOWN */
  runSchedule(key: string): Promise<void>
  /** Address of a web trigger; the same until it is deleted. @throws ERR_FORGE_MODULE_UNKNOWN */
  webTriggerUrl(key: string): Promise<string>
  /** The administrator agrees to the newest version. @returns the version it runs now */
  upgrade(upgrader?: { readonly accountId?: string }): Promise<string>
  /** Runs what the app does before; then everything of it stops, and its data waits for erasure. */
  uninstall(): Promise<void>
  /** Resolves when nothing is due and nothing runs. */
  idle(): Promise<void>
}
