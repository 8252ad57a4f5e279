/** An app's descriptor, checked as the products check it before they install (protocol s. 1). */

import {
  FieldError,
  optional,
  readChoice,
  readFlag,
  readList,
  readObject,
  readText,
  readWebUrl,
  refuse,
} from '../../fields.ts'
import { type ConnectWebhookSpec, readWebhook } from '../webhooks/webhook.ts'
import { type AppModule, readModules } from './modules.ts'
import { type ConnectScopeName, SCOPES } from './scopes.ts'

const CALLBACKS = ['installed', 'uninstalled', 'enabled', 'disabled', 'dare-migration'] as const
export type LifecycleEvent = (typeof CALLBACKS)[number]

export interface AppDescriptor {
  readonly key: string
  readonly name: string
  /** Without trailing slash. */
  readonly baseUrl: string
  readonly authentication: 'jwt' | 'none'
  /** Paths below the base URL. */
  readonly lifecycle: Readonly<Partial<Record<LifecycleEvent, string>>>
  readonly scopes: readonly ConnectScopeName[]
  /** By realm. */
  readonly regionBaseUrls: Readonly<Record<string, string>>
  readonly modules: readonly AppModule[]
  readonly webhooks: readonly ConnectWebhookSpec[]
  readonly isPaid: boolean
  /** The document as it came. */
  readonly document: Readonly<Record<string, unknown>>
}

/** @throws FieldError naming what is missing or wrong; fields that this host does not know are passed over */
export function readAppDescriptor(value: unknown): AppDescriptor {
  const document = readObject(value, 'the descriptor')
  const key = readText(document.key, 'key', 64)
  refuse(/^[A-Za-z0-9._-]+$/.test(key) ? undefined : 'key has other characters than letters, digits and ._-')
  const authentication = readAuthentication(document.authentication)
  const lifecycle = readLifecycle(document.lifecycle ?? {})
  refuse(authentication === 'jwt' && lifecycle.installed === undefined ? 'lifecycle.installed is missing' : undefined)
  checkMigrations(document.apiMigrations ?? {})
  const modules = readObject(document.modules ?? {}, 'modules')
  return {
    key,
    name: optional(document.name, name => readText(name, 'name')) ?? key,
    baseUrl: readBaseUrl(document.baseUrl, 'baseUrl'),
    authentication,
    lifecycle,
    scopes: readList(document.scopes ?? [], 'scopes', (scope, name) => readChoice(scope, name, SCOPES)),
    regionBaseUrls: readRegions(document.regionBaseUrls ?? {}),
    modules: readModules(modules),
    webhooks: readList(modules.webhooks ?? [], 'modules.webhooks', readWebhook),
    isPaid: readFlag(document.enableLicensing, 'enableLicensing', false),
    document,
  }
}

function readAuthentication(value: unknown): 'jwt' | 'none' {
  const type = readText(readObject(value, 'authentication').type, 'authentication.type').toLowerCase()
  return readChoice(type, 'authentication.type', ['jwt', 'none'])
}

function readLifecycle(value: unknown): AppDescriptor['lifecycle'] {
  const lifecycle = readObject(value, 'lifecycle')
  const paths = CALLBACKS.filter(event => lifecycle[event] !== undefined).map(event => {
    const path = readText(lifecycle[event], `lifecycle.${event}`)
    refuse(/^\/(?!\/)/.test(path) ? undefined : `lifecycle.${event} is not a path below baseUrl`)
    return [event, path] as const
  })
  return Object.fromEntries(paths)
}

function checkMigrations(value: unknown): void {
  for (const [name, flag] of Object.entries(readObject(value, 'apiMigrations'))) readFlag(flag, `apiMigrations.${name}`)
}

const readRegions = (value: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(readObject(value, 'regionBaseUrls')).map(([realm, url]) => [
      realm,
      readBaseUrl(url, `regionBaseUrls.${realm}`),
    ]),
  )

/** The products want https; this host lets development go by http. */
function readBaseUrl(value: unknown, name: string): string {
  const text = readWebUrl(value, name)
  const { search, hash, username, password } = new URL(text)
  if (search + hash + username + password !== '' || /[?#]/.test(text)) {
    throw new FieldError(`${name} has a query, a fragment or credentials`)
  }
  return text.replace(/\/$/, '')
}
