/**
 * The configuration of atlassian-connect-express (protocol s. 15) as options of ours: a block of `config.json` per environment, texts
 * with `$NAME` in them, and variables named `AC_*`. Nobody else reads those names; the reference lists them in one table.
 */

import { PartywallError } from '../../../core/errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface ConnectConfiguration {
  /** For `createApp`. */
  readonly app: { readonly baseUrl: string }
  /** For `app.connect`; members that were not configured are left out. */
  readonly addon: {
    readonly key?: string
    readonly family?: 'atlassian' | 'bitbucket'
    readonly hosts?: readonly string[]
    readonly audiences?: readonly string[]
    readonly hostScriptUrl?: string
    readonly keyServers?: readonly string[]
    readonly sessionMinutes?: number
  }
  /** For `listen`. */
  readonly listen: { readonly port: number }
  /** Of the old store, for the import; may hold passwords. */
  readonly storeUrl: string | undefined
}

const MAX_SESSION_MINUTES = 1_440
/** Variables that win over the file, by the name they stand for. */
export const OLD_VARIABLES = {
  port: 'PORT',
  localBaseUrl: 'AC_LOCAL_BASE_URL',
  allowedBaseUrls: 'AC_ALLOWED_BASE_URLS',
  whitelist: 'AC_HOST_WHITELIST',
  product: 'AC_PRODUCT',
  appKey: 'AC_APP_KEY',
  hostScriptUrl: 'AC_HOST_SCRIPT_URL',
  keyServer: 'CONNECT_KEYS_CDN_URL',
  storeUrl: 'DB_URL',
} as const
/** What it took where nothing was said: sites of production alone. */
const PRODUCTION_HOSTS = ['*.atlassian.net'] as const

/**
 * Reads the block named after NODE_ENV (`development` when unset). Variables win over the file. `AC_OPTS` counts for nothing: there
 * is no way to switch authentication off.
 *
 * @param config  config.json, parsed (it may be JSON5: parse it with a reader of that)
 * @throws PartywallError ERR_CONFIG, naming the key
 * @example const old = connectConfiguration(JSON.parse(await readFile('config.json', 'utf8')))
 */
export function connectConfiguration(config: unknown, environment: Environment = process.env): ConnectConfiguration {
  const block = blockOf(config, environment.NODE_ENV ?? 'development')
  const values = { ...environment, port: String(given('port') ?? '') }
  const port = Number(text('port') ?? 3000)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw wrong('port', 'a port, 0 to 65535')
  const isProduction = environment.NODE_ENV === 'production'
  const keyServer = text('keyServer')
  const { maxTokenAge, store } = block
  return {
    app: { baseUrl: withoutSlash(text('localBaseUrl') ?? `http://localhost:${port}`) },
    addon: present({
      key: text('appKey'),
      family: familyOf(text('product')),
      hosts: list('whitelist') ?? (isProduction ? PRODUCTION_HOSTS : undefined),
      audiences: list('allowedBaseUrls')?.map(withoutSlash),
      hostScriptUrl: text('hostScriptUrl'),
      keyServers: keyServer === undefined ? undefined : [keyServer],
      sessionMinutes: maxTokenAge === undefined ? undefined : minutesOf(maxTokenAge),
    }),
    listen: { port },
    storeUrl: text('storeUrl') ?? urlOf(store, values),
  }

  function given(name: keyof typeof OLD_VARIABLES): unknown {
    return environment[OLD_VARIABLES[name]] ?? block[name]
  }

  function text(name: keyof typeof OLD_VARIABLES): string | undefined {
    const value = given(name)
    if (value === undefined || value === '') return undefined
    if (typeof value !== 'string' && typeof value !== 'number') throw wrong(name, 'a text')
    return fill(String(value), values)
  }

  function list(name: keyof typeof OLD_VARIABLES): readonly string[] | undefined {
    const value = given(name)
    const items = typeof value === 'string' ? value.split(',') : value
    if (items === undefined) return undefined
    if (!Array.isArray(items) || !items.every(item => typeof item === 'string')) throw wrong(name, 'a list of texts')
    return items.map(item => fill(item.trim(), values)).filter(item => item !== '')
  }
}

const withoutSlash = (url: string): string => url.replace(/\/$/, '')

const familyOf = (product: string | undefined): 'atlassian' | 'bitbucket' | undefined =>
  product === undefined ? undefined : product === 'bitbucket' ? 'bitbucket' : 'atlassian'

function blockOf(config: unknown, name: string): Readonly<Record<string, unknown>> {
  const block = typeof config === 'object' && config !== null ? Reflect.get(config, name) : undefined
  if (block === undefined) return {}
  if (typeof block !== 'object' || block === null || Array.isArray(block)) throw wrong(name, 'an object')
  return block as Readonly<Record<string, unknown>>
}

/** `$NAME` and `${NAME}`. */
function fill(text: string, values: Environment): string {
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced?: string, bare?: string) => {
    const name = braced ?? bare ?? ''
    const value = values[name]
    if (value === undefined || value === '') throw wrong(`$${name}`, 'a variable that is set')
    return value
  })
}

/** Its seconds. */
function minutesOf(seconds: unknown): number {
  const minutes = Number(seconds) / 60
  if (!(minutes >= 1 && minutes <= MAX_SESSION_MINUTES)) throw wrong('maxTokenAge', 'seconds, a minute to a day')
  return minutes
}

const urlOf = (store: unknown, values: Environment): string | undefined => {
  const { url } = (typeof store === 'object' && store !== null ? store : {}) as { readonly url?: unknown }
  return typeof url === 'string' ? fill(url, values) : undefined
}

type Present<T> = { readonly [name in keyof T]?: Exclude<T[name], undefined> }
const present = <T extends object>(values: T): Present<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Present<T>

const wrong = (name: string, expected: string) =>
  new PartywallError('ERR_CONFIG', { message: `config.json: ${name}: ${expected} expected`, details: { name } })
