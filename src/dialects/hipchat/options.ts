/**
 * What an author says about a HipChat add-on, checked once when the add-on is made. Nothing here reads a request.
 */

import type { AppSpec } from '../../core/dialect.ts'
import { PartywallError } from '../../core/errors.ts'
import { parseAt } from '../common/parse.ts'
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
  const prefix = pathOf(options.path ?? '', 'path')
  const key = textOf(options.key ?? app.key, 'key')
  const name = textOf(options.name, 'name')
  const baseUrl = app.baseUrl + prefix
  const addresses = createAddresses(baseUrl)
  return Object.freeze({
    key,
    environment: app.environment,
    name,
    description: textOf(options.description ?? name, 'description'),
    vendor: options.vendor && vendorOf(options.vendor, addresses),
    version: options.version,
    scopes: scopesOf(options.scopes),
    hosts: (options.hosts ?? ['api.hipchat.com']).map(host => hostOf(host, 'https')),
    insecureHosts: (options.insecureHosts ?? []).map(host => hostOf(host, 'http')),
    clientSideInstall: options.clientSideInstall ?? false,
    allowRoom: options.allowRoom ?? true,
    allowGlobal: options.allowGlobal ?? true,
    fromName: options.fromName,
    avatar: options.avatar === undefined ? undefined : parseAt('avatar', iconShape(addresses), options.avatar),
    baseUrl,
    homepage: parseAt('homepage', address(addresses.anywhere), options.homepage ?? '/'),
    prefix,
    routes: {
      descriptor: prefix + pathOf(options.routes?.descriptor ?? '/addon/capabilities', 'routes.descriptor'),
      installable: prefix + pathOf(options.routes?.installable ?? '/addon/installable', 'routes.installable'),
      installed: prefix + pathOf(options.routes?.installed ?? '/addon/installed', 'routes.installed'),
      updated: prefix + pathOf(options.routes?.updated ?? '/addon/updated', 'routes.updated'),
      uninstalled: prefix + pathOf(options.routes?.uninstalled ?? '/addon/uninstalled', 'routes.uninstalled'),
      webhook: prefix + pathOf(options.routes?.webhook ?? '/addon/webhook', 'routes.webhook'),
    },
    tokenTtlSeconds: secondsOf(options.tokenTtlMinutes ?? 15, 'tokenTtlMinutes'),
    sessionSeconds: secondsOf(options.sessionMinutes ?? 15, 'sessionMinutes'),
    sessionMaxSeconds: secondsOf(options.sessionMaxMinutes ?? 480, 'sessionMaxMinutes'),
  })
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= 1_000) return value
  throw invalid(`${name} must be a text of 1 to 1,000 characters`)
}

function vendorOf({ name, url }: NonNullable<HipchatAddonOptions['vendor']>, addresses: Addresses) {
  if (name === undefined && url === undefined) throw invalid('vendor must have a name, a url or both')
  return {
    ...(name === undefined ? {} : { name: textOf(name, 'vendor.name') }),
    ...(url === undefined ? {} : { url: parseAt('vendor.url', address(addresses.anywhere), url) }),
  }
}

function scopesOf(scopes: readonly string[] | undefined): readonly string[] {
  if (!Array.isArray(scopes) || scopes.length === 0) throw invalid('scopes must name at least one scope')
  const unknown = scopes.find(scope => !HIPCHAT_SCOPES.some(known => known === scope))
  if (unknown !== undefined) throw invalid(`unknown scope ${unknown}; the host knows ${HIPCHAT_SCOPES.join(', ')}`)
  return Object.freeze([...new Set(scopes)].sort())
}

/** @throws PartywallError ERR_DESCRIPTOR_INVALID for a path that no route can have */
export function pathOf(path: string, name: string): string {
  if (/^(?:\/[A-Za-z0-9._~-]+)*$/.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path)) return path
  throw invalid(`${name} must be segments of letters, digits and ._~- that start with a slash`)
}

/** As the URL parser writes hosts: lower-case, default port left out. */
function hostOf(host: string, scheme: 'http' | 'https'): string {
  const label = host.startsWith('*.') ? '*.' : ''
  const url = `${scheme}://${host.slice(label.length)}/`
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const isPlain = parsed !== undefined && parsed.pathname === '/' && parsed.href.length === parsed.origin.length + 1
  if (
    !isPlain ||
    parsed.host === '' ||
    (label !== '' && scheme === 'http') ||
    /[\s/?#@\\*]/.test(host.slice(label.length))
  ) {
    throw new PartywallError('ERR_CONFIG', {
      message: `${host} is not host[:port]; a star may stand for the first label`,
    })
  }
  return label + parsed.host
}

function secondsOf(minutes: number, name: string): number {
  if (Number.isFinite(minutes) && minutes > 0 && minutes <= 60 * 24) return Math.round(minutes * 60)
  throw new PartywallError('ERR_CONFIG', { message: `${name} must be minutes above 0 and at most one day` })
}

const invalid = (message: string) => new PartywallError('ERR_DESCRIPTOR_INVALID', { message })
