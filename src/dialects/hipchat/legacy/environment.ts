/**
 * The configuration names of the ac-koa-hipchat family (protocol B1) as options of ours. The reference lists them in one table
 * (`docs/reference/configuration.md`, "Names of the old libraries").
 */

import { hostname } from 'node:os'
import { isPartywallError } from '../../../core/errors.ts'
import { checkWebUrl } from '../../../core/url.ts'
import { type Environment, type OldConfiguration, readOldConfiguration, wrongOldValue } from './old-configuration.ts'

export interface HipchatEnvironment {
  /** For `createApp`. */
  readonly app: { readonly baseUrl: string }
  /** For `app.hipchat`. `hosts` is there only where HOSTS was given. */
  readonly addon: {
    readonly hosts?: readonly string[]
    readonly sessionMinutes: number
    readonly sessionMaxMinutes: number
  }
  /** For `listen`. */
  readonly listen: { readonly port: number }
  /** Where the old store lies, for the import; `undefined` where the variable that should say so is not set. May hold passwords. */
  readonly stores: { readonly redis: string | undefined; readonly mongo: string | undefined }
  /** Every name of the block and of the defaults, as `app.config` had them. */
  readonly config: OldConfiguration
}

/** Names with a default; HOSTS, REDIS_ENV and MONGO_ENV count only where the block has them. */
export const OLD_DEFAULTS = {
  PORT: 3000,
  LOCAL_BASE_URL: 'http://$HOSTNAME:$PORT',
  AUTH_TOKEN_TTL: 15,
} as const
/** What the old libraries took where REDIS_ENV and MONGO_ENV were not given. */
export const OLD_STORES = { REDIS_ENV: 'redis://localhost:6379', MONGO_ENV: 'mongodb://127.0.0.1:27017/ac' } as const

/** End of a chain of sessions where AUTH_TOKEN_TTL does not ask for more. */
const SESSION_MAX_MINUTES = 480
const DAY_MINUTES = 1_440

/**
 * Reads what an old add-on was configured with: the block of package.json named after NODE_ENV (`development` when unset), with
 * names in UPPER_SNAKE, overridden by the environment where the name is there, `$NAME` and `${NAME}` replaced.
 *
 * @param manifest  package.json, parsed
 * @param environment  default: the process's
 * @throws PartywallError ERR_CONFIG, naming the key
 * @example
 * const old = hipchatEnvironment(manifest)
 * const app = await createApp({ key: 'com.example.greeter', ...old.app })
 * app.hipchat({ ...hipchatPackage(manifest), ...old.addon, scopes: ['send_notification'] })
 * await listen(app, old.listen)
 */
export function hipchatEnvironment(manifest: unknown, environment: Environment = process.env): HipchatEnvironment {
  const defaults = { HOSTNAME: hostname().toLowerCase(), ...OLD_DEFAULTS }
  const config = readOldConfiguration(manifest, environment, defaults)
  const sessionMinutes = numberOf(config, 'AUTH_TOKEN_TTL', 'minutes above 0 and at most one day', DAY_MINUTES)
  if (sessionMinutes === 0) throw wrongOldValue('AUTH_TOKEN_TTL', 'minutes above 0 and at most one day')
  const port = numberOf(config, 'PORT', 'a port, 0 to 65535', 65_535)
  if (!Number.isInteger(port)) throw wrongOldValue('PORT', 'a port, 0 to 65535')
  const hosts = hostsOf(config)
  return {
    app: { baseUrl: baseUrlOf(config) },
    addon: {
      ...(hosts === undefined ? {} : { hosts }),
      sessionMinutes,
      sessionMaxMinutes: Math.max(SESSION_MAX_MINUTES, sessionMinutes),
    },
    listen: { port },
    stores: {
      redis: storeOf(config, 'REDIS_ENV', environment),
      mongo: storeOf(config, 'MONGO_ENV', environment),
    },
    config,
  }
}

function baseUrlOf(config: OldConfiguration): string {
  try {
    const url = checkWebUrl(config.LOCAL_BASE_URL)
    if (url.search === '' && url.hash === '') return url.href.replace(/\/$/, '')
  } catch (error) {
    if (!isPartywallError(error, 'ERR_OUTBOUND_URL')) throw error
  }
  throw wrongOldValue('LOCAL_BASE_URL', 'an absolute web address without query')
}

function numberOf(config: OldConfiguration, name: string, expectation: string, most: number): number {
  const value = config[name]
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number === 'number' && number >= 0 && number <= most) return number
  throw wrongOldValue(name, expectation)
}

/** A star stands for one label in both libraries; ours wants it to be the first label, whole. */
function hostsOf(config: OldConfiguration): readonly string[] | undefined {
  const { HOSTS: given } = config
  if (given === undefined) return undefined
  const hosts: unknown = typeof given === 'string' ? given.split(/[\s,]+/).filter(host => host !== '') : given
  const isHost = (host: unknown): host is string =>
    typeof host === 'string' && /^(?:\*\.)?[^\s*/?#@\\[\]{}!+]+$/.test(host)
  if (Array.isArray(hosts) && hosts.length > 0 && hosts.every(isHost)) return hosts
  throw wrongOldValue(
    'HOSTS',
    'hosts such as api.hipchat.com or *.hipchat.com; a star stands for the whole first label',
  )
}

function storeOf(config: OldConfiguration, name: 'REDIS_ENV' | 'MONGO_ENV', environment: Environment) {
  const variable = config[name]
  if (variable === undefined) return OLD_STORES[name]
  if (typeof variable === 'string' && /^\w+$/.test(variable)) return environment[variable] || undefined
  throw wrongOldValue(name, 'the name of a variable of the environment')
}
