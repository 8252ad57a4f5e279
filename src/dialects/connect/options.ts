/**
 * What an author says about a Connect app, checked once when it is made. Nothing here reads a request.
 */

import type { AppSpec } from '../../core/dialect.ts'
import { isPartywallError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/tenant.ts'
import { checkWebUrl } from '../../core/url.ts'
import { invalidDescriptor, readHost, readMinutes, readNumber, readPath, readText } from '../common/settings.ts'

/** Scopes of a Connect app (protocol s. 9.1); the last two stand alone. */
export const CONNECT_SCOPES = [
  'NONE',
  'READ',
  'WRITE',
  'DELETE',
  'PROJECT_ADMIN',
  'SPACE_ADMIN',
  'ADMIN',
  'ACT_AS_USER',
  'ACCESS_EMAIL_ADDRESSES',
] as const
export type ConnectScope = (typeof CONNECT_SCOPES)[number]

/** `atlassian`: Jira and Confluence, signed installs. `bitbucket`: its older model, where only re-installs are signed. */
export type ConnectFamily = 'atlassian' | 'bitbucket'

export interface ConnectAddonOptions {
  /** Left out: that of `descriptor`. */
  readonly name?: string
  /** Left out: the name. */
  readonly description?: string
  readonly vendor?: { readonly name?: string; readonly url?: string }
  /** Key of the app in the descriptor, at most 64 characters; left out: the key of the app. */
  readonly key?: string
  /** Default `atlassian`. */
  readonly family?: ConnectFamily
  /** Default none, which is `NONE`. */
  readonly scopes?: readonly ConnectScope[]
  /** Sites that may install: `host[:port]`, exact or `*.` for one label. Default `['*.atlassian.net', '*.jira.com']`. */
  readonly hosts?: readonly string[]
  /** Exact `host[:port]` reached by http. For development only. */
  readonly insecureHosts?: readonly string[]
  /** Base addresses of the key servers, in the order of asking; default: those of the production environment. */
  readonly keyServers?: readonly string[]
  /** Where Bitbucket gives tokens; default: its own. Other products have none. */
  readonly tokenUrl?: string
  /** Further base URLs that install tokens may name as their audience. */
  readonly audiences?: readonly string[]
  /** Base URL for each realm, published in the descriptor and accepted as audience. */
  readonly regionBaseUrls?: Readonly<Record<string, string>>
  /** Prefix of all routes of this app below the base URL, such as `/jira`. Default none. */
  readonly path?: string
  readonly routes?: Partial<ConnectRoutes>
  readonly homepage?: string
  readonly enableLicensing?: boolean
  /** Raise to publish a new major line; default 1. */
  readonly apiVersion?: number
  /** Clock difference allowed, seconds: 0 to 120; default 30. */
  readonly leewaySeconds?: number
  /** How long a replaced secret still verifies, seconds: 0 to 600; default 0. */
  readonly secretOverlapSeconds?: number
  /** Life of one session token, minutes; default 15. */
  readonly sessionMinutes?: number
  /** End of a chain of refreshed session tokens, minutes from its first; default 480. */
  readonly sessionMaxMinutes?: number
  /** The browser script of the product's pages; default: the product's own. */
  readonly hostScriptUrl?: string
  /** A full or partial descriptor: its modules and further fields are published; our addresses stay ours. */
  readonly descriptor?: JsonObject
  /** For `{{name}}` in the texts of `descriptor`, besides `localBaseUrl`, `environment` and `appKey`. */
  readonly descriptorValues?: Readonly<Record<string, string>>
  /** Last change of the descriptor, which is checked afterwards; our addresses stay ours. */
  readonly descriptorTransformer?: (descriptor: JsonObject) => JsonObject
}

/** Paths below the prefix. */
export interface ConnectRoutes {
  readonly descriptor: string
  readonly installed: string
  readonly uninstalled: string
  readonly enabled: string
  readonly disabled: string
  /** Webhooks have paths below it. */
  readonly webhook: string
  /** Where moves between realms are told (`dare-migration`). */
  readonly migration: string
}

/** The same, complete: what the rest of the dialect reads. */
export interface ConnectSettings {
  readonly key: string
  readonly environment: string
  readonly family: ConnectFamily
  readonly name: string
  readonly description: string
  readonly vendor: { readonly name?: string; readonly url?: string } | undefined
  readonly scopes: readonly ConnectScope[]
  readonly hosts: readonly string[]
  readonly insecureHosts: readonly string[]
  readonly keyServers: readonly string[]
  readonly tokenUrl: string
  /** Our own base URL first. */
  readonly audiences: readonly string[]
  readonly regionBaseUrls: Readonly<Record<string, string>>
  /** Base URL with the prefix, without trailing slash: `baseUrl` of the descriptor. */
  readonly baseUrl: string
  /** Paths of `baseUrl` and of the realms' base URLs: what a query hash leaves out. */
  readonly basePaths: readonly string[]
  /** Below the app's base URL, as `Route.path` wants it. */
  readonly prefix: string
  /** Paths with the prefix. */
  readonly routes: ConnectRoutes
  readonly homepage: string
  readonly enableLicensing: boolean | undefined
  readonly apiVersion: number | undefined
  readonly leewaySeconds: number
  readonly secretOverlapSeconds: number
  readonly sessionSeconds: number
  readonly sessionMaxSeconds: number
  readonly hostScriptUrl: string
}

/** Where install keys of the production environment are published (protocol s. 3). */
const KEY_SERVERS = [
  'https://asap-distribution.us-west-2.prod.atl-asap.net',
  'https://connect-install-keys.atlassian.com',
] as const
const HOSTS: Readonly<Record<ConnectFamily, readonly string[]>> = {
  atlassian: ['*.atlassian.net', '*.jira.com'],
  bitbucket: ['bitbucket.org', 'api.bitbucket.org'],
}
const ROUTES: ConnectRoutes = {
  descriptor: '/atlassian-connect.json',
  installed: '/installed',
  uninstalled: '/uninstalled',
  enabled: '/enabled',
  disabled: '/disabled',
  webhook: '/webhook',
  migration: '/dare-migration',
}
const SCRIPTS: Readonly<Record<ConnectFamily, string>> = {
  atlassian: 'https://connect-cdn.atl-paas.net/all.js',
  bitbucket: 'https://bitbucket.org/atlassian-connect/all.js',
}
const MAX_REGIONS = 64

/** @throws PartywallError ERR_DESCRIPTOR_INVALID, ERR_CONFIG */
export function readConnectOptions(options: ConnectAddonOptions, app: AppSpec): ConnectSettings {
  const prefix = readPath(options.path ?? '', 'path')
  const baseUrl = app.baseUrl + prefix
  const name = readText(options.name, 'name')
  const family = familyOf(options.family ?? 'atlassian')
  const regionBaseUrls = regionsOf(options.regionBaseUrls ?? {})
  return Object.freeze({
    key: keyOf(options.key ?? app.key),
    environment: app.environment,
    family,
    name,
    description: readText(options.description ?? name, 'description'),
    vendor: options.vendor,
    scopes: scopesOf(options.scopes ?? []),
    hosts: (options.hosts ?? HOSTS[family]).map(host => readHost(host, 'https')),
    insecureHosts: (options.insecureHosts ?? []).map(host => readHost(host, 'http')),
    keyServers: options.keyServers ?? KEY_SERVERS,
    tokenUrl: baseOf(options.tokenUrl ?? 'https://bitbucket.org/site/oauth2/access_token', 'tokenUrl'),
    audiences: [baseUrl, ...(options.audiences ?? []), ...Object.values(regionBaseUrls)].map(audience =>
      baseOf(audience, 'audiences'),
    ),
    regionBaseUrls,
    baseUrl,
    basePaths: [...new Set([baseUrl, ...Object.values(regionBaseUrls)].map(url => new URL(url).pathname))],
    prefix,
    routes: routesOf(prefix, options.routes ?? {}),
    homepage: options.homepage ?? `${baseUrl}/`,
    enableLicensing: options.enableLicensing,
    apiVersion: options.apiVersion,
    leewaySeconds: readNumber(options.leewaySeconds ?? 30, 'leewaySeconds', 0, 120),
    secretOverlapSeconds: readNumber(options.secretOverlapSeconds ?? 0, 'secretOverlapSeconds', 0, 600),
    sessionSeconds: readMinutes(options.sessionMinutes ?? 15, 'sessionMinutes'),
    sessionMaxSeconds: readMinutes(options.sessionMaxMinutes ?? 480, 'sessionMaxMinutes'),
    hostScriptUrl: options.hostScriptUrl ?? SCRIPTS[family],
  })
}

function keyOf(key: string): string {
  if (/^[A-Za-z0-9._-]{1,64}$/.test(key)) return key
  throw invalidDescriptor('key must be 1 to 64 letters, digits and ._-')
}

function familyOf(family: string): ConnectFamily {
  if (family === 'atlassian' || family === 'bitbucket') return family
  throw invalidDescriptor(`family must be atlassian or bitbucket, not ${family}`)
}

function scopesOf(scopes: readonly string[]): readonly ConnectScope[] {
  const isKnown = (scope: string): scope is ConnectScope => CONNECT_SCOPES.some(known => known === scope)
  const known = scopes.filter(isKnown)
  if (known.length === scopes.length) return Object.freeze([...new Set(known)].sort())
  throw invalidDescriptor(
    `unknown scope ${scopes.find(scope => !isKnown(scope))}; the products know ${CONNECT_SCOPES.join(', ')}`,
  )
}

function routesOf(prefix: string, given: Partial<ConnectRoutes>): ConnectRoutes {
  const at = (name: keyof ConnectRoutes) => prefix + readPath(given[name] ?? ROUTES[name], `routes.${name}`)
  const routes: ConnectRoutes = {
    descriptor: at('descriptor'),
    installed: at('installed'),
    uninstalled: at('uninstalled'),
    enabled: at('enabled'),
    disabled: at('disabled'),
    webhook: at('webhook'),
    migration: at('migration'),
  }
  if (new Set(Object.values(routes)).size === Object.keys(routes).length) return Object.freeze(routes)
  throw invalidDescriptor('routes: every route has a path of its own')
}

function regionsOf(regions: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(regions)
  if (entries.length > MAX_REGIONS) throw invalidDescriptor(`regionBaseUrls has at most ${MAX_REGIONS} realms`)
  return Object.freeze(
    Object.fromEntries(entries.map(([realm, url]) => [realm, baseOf(url, `regionBaseUrls.${realm}`)])),
  )
}

/** Absolute, https or loopback, without query; one trailing slash cut, as audiences are compared. */
function baseOf(text: string, name: string): string {
  try {
    const url = checkWebUrl(text)
    if (url.search === '' && url.hash === '') return text.replace(/\/$/, '')
  } catch (error) {
    if (!isPartywallError(error, 'ERR_OUTBOUND_URL')) throw error
  }
  throw invalidDescriptor(`${name} must be an absolute address without query: ${text}`)
}
