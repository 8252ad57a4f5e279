/**
 * What an author says about a HipChat add-on, checked once when the add-on is made. Nothing here reads a request.
 */

import type { AppSpec } from '../../core/dialect.ts'
import { parseAt } from '../common/parse.ts'
import { invalidDescriptor, readHost, readMinutes, readPath, readText } from '../common/settings.ts'
import { type Addresses, createAddresses } from './builder/addresses.ts'
import { address, iconShape } from './builder/shapes.ts'

/** Scopes a HipChat host knows (protocol A5). */
export const HIPCHAT_SCOPES = [
  'admin_group',
  'admin_room',
  'import_data',
  'manage_rooms',
  'send_message',
  'send_notification',
  'view_group',
  'view_messages',
  'view_room',
] as const
export type HipchatScope = (typeof HIPCHAT_SCOPES)[number]

export interface HipchatAddonOptions {
  /** Shown to people; needed here or in `descriptor`. */
  readonly name?: string
  /** Left out: the name. */
  readonly description?: string
  /** At least one of both. */
  readonly vendor?: { readonly name?: string; readonly url?: string }
  readonly version?: string
  /** At least one, here or in `descriptor`; every call of `tenantClient` needs the one it uses. */
  readonly scopes?: readonly HipchatScope[]
  /** Key of the add-on, unique in the world; left out: the key of the app. */
  readonly key?: string
  /** `host[:port]` from which installations are accepted, exact or `*.` for one label. Default `['api.hipchat.com']`. */
  readonly hosts?: readonly string[]
  /** Exact `host[:port]` reached by http. For development only. */
  readonly insecureHosts?: readonly string[]
  /** Prefix of all routes of this add-on below the base URL, such as `/two`. Default none. */
  readonly path?: string
  readonly routes?: Partial<HipchatRoutes>
  /**
   * Publishes `installedUrl`, `updatedUrl` and `uninstalledUrl` as well, for hosts that install through the user's browser and
   * bring a relay state; default false.
   */
  readonly clientSideInstall?: boolean
  /** May be installed in one room; default true. */
  readonly allowRoom?: boolean
  /** May be installed for a whole group; default true. */
  readonly allowGlobal?: boolean
  /** Sender label of notifications. */
  readonly fromName?: string
  /** Picture of the sender: an address, or one for each resolution. */
  readonly avatar?: string | { readonly url: string; readonly 'url@2x'?: string | undefined }
  readonly homepage?: string
  /** A full or partial descriptor; these options and the builder's calls win over what it says. */
  readonly descriptor?: object
  /** Age at which a token of the host is refused, minutes from `iat`; default 15. */
  readonly tokenTtlMinutes?: number
  /** Life of one session token, minutes; default 15. */
  readonly sessionMinutes?: number
  /** End of a chain of refreshed session tokens, minutes from its first; default 480. */
  readonly sessionMaxMinutes?: number
}

/** Paths below the prefix. */
export interface HipchatRoutes {
  readonly descriptor: string
  readonly installable: string
  /** These three with `clientSideInstall`. */
  readonly installed: string
  readonly updated: string
  readonly uninstalled: string
  readonly webhook: string
}

/** The same, complete: what the rest of the dialect reads. */
export interface AddonSettings {
  readonly key: string
  readonly environment: string
  readonly name: string
  readonly description: string
  readonly vendor: { readonly name?: string | undefined; readonly url?: string | undefined } | undefined
  readonly version: string | undefined
  readonly scopes: readonly string[]
  readonly hosts: readonly string[]
  readonly insecureHosts: readonly string[]
  readonly clientSideInstall: boolean
  readonly allowRoom: boolean
  readonly allowGlobal: boolean
  readonly fromName: string | undefined
  readonly avatar: { readonly url: string; readonly 'url@2x': string } | undefined
  /** Base URL with the prefix, without trailing slash. */
  readonly baseUrl: string
  readonly homepage: string
  /** Paths with the prefix, as `Route.path` wants them. */
  readonly prefix: string
  readonly routes: HipchatRoutes
  readonly tokenTtlSeconds: number
  readonly sessionSeconds: number
  readonly sessionMaxSeconds: number
}

/** @throws PartywallError ERR_DESCRIPTOR_INVALID, ERR_CONFIG */
export function readOptions(options: HipchatAddonOptions, app: AppSpec): AddonSettings {
  const prefix = readPath(options.path ?? '', 'path')
  const key = readText(options.key ?? app.key, 'key')
  const name = readText(options.name, 'name')
  const baseUrl = app.baseUrl + prefix
  const addresses = createAddresses(baseUrl)
  return Object.freeze({
    key,
    environment: app.environment,
    name,
    description: readText(options.description ?? name, 'description'),
    vendor: options.vendor && vendorOf(options.vendor, addresses),
    version: options.version,
    scopes: scopesOf(options.scopes),
    hosts: (options.hosts ?? ['api.hipchat.com']).map(host => readHost(host, 'https')),
    insecureHosts: (options.insecureHosts ?? []).map(host => readHost(host, 'http')),
    clientSideInstall: options.clientSideInstall ?? false,
    allowRoom: options.allowRoom ?? true,
    allowGlobal: options.allowGlobal ?? true,
    fromName: options.fromName,
    avatar: options.avatar === undefined ? undefined : parseAt('avatar', iconShape(addresses), options.avatar),
    baseUrl,
    homepage: parseAt('homepage', address(addresses.anywhere), options.homepage ?? '/'),
    prefix,
    routes: {
      descriptor: prefix + readPath(options.routes?.descriptor ?? '/addon/capabilities', 'routes.descriptor'),
      installable: prefix + readPath(options.routes?.installable ?? '/addon/installable', 'routes.installable'),
      installed: prefix + readPath(options.routes?.installed ?? '/addon/installed', 'routes.installed'),
      updated: prefix + readPath(options.routes?.updated ?? '/addon/updated', 'routes.updated'),
      uninstalled: prefix + readPath(options.routes?.uninstalled ?? '/addon/uninstalled', 'routes.uninstalled'),
      webhook: prefix + readPath(options.routes?.webhook ?? '/addon/webhook', 'routes.webhook'),
    },
    tokenTtlSeconds: readMinutes(options.tokenTtlMinutes ?? 15, 'tokenTtlMinutes'),
    sessionSeconds: readMinutes(options.sessionMinutes ?? 15, 'sessionMinutes'),
    sessionMaxSeconds: readMinutes(options.sessionMaxMinutes ?? 480, 'sessionMaxMinutes'),
  })
}

function vendorOf({ name, url }: NonNullable<HipchatAddonOptions['vendor']>, addresses: Addresses) {
  if (name === undefined && url === undefined) throw invalidDescriptor('vendor must have a name, a url or both')
  return {
    ...(name === undefined ? {} : { name: readText(name, 'vendor.name') }),
    ...(url === undefined ? {} : { url: parseAt('vendor.url', address(addresses.anywhere), url) }),
  }
}

function scopesOf(scopes: readonly string[] | undefined): readonly string[] {
  if (!Array.isArray(scopes) || scopes.length === 0) throw invalidDescriptor('scopes must name at least one scope')
  const unknown = scopes.find(scope => !HIPCHAT_SCOPES.some(known => known === scope))
  if (unknown !== undefined)
    throw invalidDescriptor(`unknown scope ${unknown}; the host knows ${HIPCHAT_SCOPES.join(', ')}`)
  return Object.freeze([...new Set(scopes)].sort())
}
