/**
 * What an author and the environment say about an app, checked once at start. A wrong setting stops the start and says what
 * to do; nothing here is read at request time.
 */

import { PartywallError } from './core/errors.ts'
import type { LogLevel } from './core/log.ts'
import type { Clock, KeyProvider, Logger, Random } from './core/ports.ts'
import { checkWebUrl, hostPortOf } from './core/url.ts'
import type { FloodSettings } from './http/flood-gate.ts'
import type { TenantLimitSettings } from './http/limits.ts'
import { JOB_SETTINGS, type JobSettings } from './jobs/settings.ts'
import type { OpenDatabaseOptions } from './postgres/open.ts'
import type { SandboxOptions } from './sandbox/types.ts'

export interface AppOptions {
  /** Reverse-DNS key of the app: `com.example.greeter`. Part of every identity. */
  readonly key: string
  /** Public URL without query; https, or http on a loopback address. The only source of our own addresses. */
  readonly baseUrl: string
  /** Keeps installations of one key apart: `production`, `staging` ... Default `production`. */
  readonly environment?: string
  /** Default: the URLs in the environment, else the embedded server below `.partywall`. */
  readonly database?: OpenDatabaseOptions
  readonly retention?: {
    /** Days that data outlives an uninstall, 0 to 3,650; default `RETENTION_DAYS`, else 28. 0 erases before the 2xx. */
    readonly days?: number
    /** The same installation coming back gets its data back; default true. */
    readonly restore?: boolean
  }
  /** Key-encryption keys; default `PARTYWALL_KEYS`, in development a private file in the user's configuration folder. */
  readonly keys?: KeyProvider
  /**
   * Exact `host:port` of development hosts: reached by http and on private addresses. Refused in production and where
   * `baseUrl` is not a loopback address.
   */
  readonly developmentHosts?: readonly string[]
  /**
   * Exact `host[:port]` of hosts inside a private network, such as a HipChat Server, reached by https. Loopback, link-local and
   * metadata addresses stay refused. Allowed in production; which add-on takes installations from them its own `hosts` say.
   */
  readonly privateHosts?: readonly string[]
  readonly limits?: Partial<TenantLimitSettings & FloodSettings>
  readonly jobs?: Partial<JobSettings>
  readonly logger?: Logger
  /** Default `LOG_LEVEL`, else `info`. */
  readonly logLevel?: LogLevel
  /** One line per request; default true. */
  readonly requestLog?: boolean
  readonly clock?: Clock
  readonly random?: Random
  /** How functions of Forge apps are run. */
  readonly sandbox?: Omit<SandboxOptions, 'production'>
}

export interface Configuration {
  readonly app: { readonly key: string; readonly environment: string; readonly baseUrl: string }
  /** Path of `baseUrl`: empty or `/prefix`. */
  readonly basePath: string
  readonly retention: { readonly days: number; readonly restore: boolean }
  readonly developmentHosts: readonly string[]
  /** `host:port`, the port always written. */
  readonly privateHosts: readonly string[]
  readonly jobs: JobSettings
  readonly logLevel: LogLevel
  readonly isProduction: boolean
}

type Environment = Readonly<Record<string, string | undefined>>

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/
const MAX_RETENTION_DAYS = 3650
const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** @throws ERR_CONFIG */
export function readConfiguration(options: AppOptions, environment: Environment): Configuration {
  const isProduction = environment.NODE_ENV === 'production'
  const baseUrl = readBaseUrl(options.baseUrl)
  return {
    app: {
      key: readName(options.key, 'key', 64),
      environment: readName(options.environment ?? 'production', 'environment', 48),
      baseUrl: baseUrl.href.replace(/\/$/, ''),
    },
    basePath: baseUrl.pathname.replace(/\/$/, ''),
    retention: { days: readDays(options.retention?.days, environment), restore: options.retention?.restore ?? true },
    developmentHosts: readDevelopmentHosts(options.developmentHosts ?? [], baseUrl, isProduction),
    privateHosts: (options.privateHosts ?? []).map(readPrivateHost),
    jobs: { ...JOB_SETTINGS, ...options.jobs },
    logLevel: readLogLevel(options.logLevel ?? environment.LOG_LEVEL ?? 'info'),
    isProduction,
  }
}

function readBaseUrl(text: string): URL {
  let url: URL
  try {
    url = checkWebUrl(text)
  } catch (cause) {
    throw wrong(`baseUrl must be an absolute URL such as https://app.example.com, not ${JSON.stringify(text)}`, cause)
  }
  if (url.search !== '' || url.hash !== '') throw wrong('baseUrl must have no query and no fragment')
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    throw wrong(`baseUrl must use https unless it is a loopback address: ${url.href}`)
  }
  return url
}

function readName(text: string, name: string, limit: number): string {
  if (typeof text === 'string' && text.length <= limit && /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text))
    return text
  throw wrong(`${name} must be 1 to ${limit} letters, digits, dots, dashes or underscores: ${JSON.stringify(text)}`)
}

function readDays(given: number | undefined, environment: Environment): number {
  const text = environment.RETENTION_DAYS
  const days = given ?? (text === undefined || text === '' ? 28 : Number(text))
  if (Number.isFinite(days) && days >= 0 && days <= MAX_RETENTION_DAYS) return days
  throw wrong(`retention days must be a number from 0 to ${MAX_RETENTION_DAYS}: ${given ?? text}`)
}

function readDevelopmentHosts(hosts: readonly string[], baseUrl: URL, isProduction: boolean): readonly string[] {
  if (hosts.length === 0) return []
  if (isProduction) throw wrong('developmentHosts are refused when NODE_ENV is production')
  if (!LOOPBACK.test(baseUrl.hostname)) throw wrong('developmentHosts are refused unless baseUrl is a loopback address')
  const odd = hosts.find(host => !/^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}$/.test(host))
  if (odd !== undefined) throw wrong(`developmentHosts are exact host:port, not ${JSON.stringify(odd)}`)
  return hosts
}

function readPrivateHost(host: string): string {
  const isPlain = typeof host === 'string' && /^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/.test(host)
  if (isPlain && URL.canParse(`https://${host}/`)) return hostPortOf(new URL(`https://${host}/`))
  throw wrong(`privateHosts are exact host[:port], not ${JSON.stringify(host)}`)
}

function readLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find(known => known === text)
  if (level === undefined) throw wrong(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}: ${text}`)
  return level
}

const wrong = (message: string, cause?: unknown) => new PartywallError('ERR_CONFIG', { message, cause })
