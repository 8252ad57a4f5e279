/**
 * The body of a lifecycle event (protocol s. 2.1): what it must be for this app, and what of it is kept. Trust is not decided here:
 * the body counts only behind a verified token.
 */

import * as z from 'zod'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/tenant.ts'
import { checkWebUrl, matchesHost } from '../../core/url.ts'
import { hs256Key } from '../../wire/jws.ts'
import type { ConnectSettings } from './options.ts'
import type { ConnectAttributes } from './tenant.ts'

export type LifecycleEvent = 'installed' | 'uninstalled' | 'enabled' | 'disabled'

/** What never stands in a key of ours, nor in anything a database stores. */
const storable = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Surrogate}]+$/u)
/** Informational: products change and drop them, so an odd one is left out rather than refused. */
const optional = storable(1_000).optional().catch(undefined)

const eventShape = z.looseObject({ key: z.string(), clientKey: storable(255), eventType: z.string() })

const installShape = z.looseObject({
  sharedSecret: storable(1_024).refine(secret => hs256Key(secret) !== undefined),
  baseUrl: z.string().max(2_048),
  productType: storable(100),
  displayUrl: z.string().max(2_048).optional().catch(undefined),
  description: optional,
  serverVersion: optional,
  pluginsVersion: optional,
  serviceEntitlementNumber: optional,
  entitlementId: optional,
  entitlementNumber: optional,
  oauthClientId: optional,
  cloudId: optional,
  installationId: optional,
})
type InstallBody = z.output<typeof installShape>

/** Has a meaning of its own, is deprecated, or must not be kept beside the row: everything else of a body is kept as it came. */
const KNOWN = new Set([...Object.keys(installShape.shape), 'key', 'clientKey', 'eventType', 'publicKey'])
const MAX_FURTHER_BYTES = 16_384

/**
 * The event's body must name this app and fit its route.
 * @throws PartywallError ERR_INSTALL_INVALID (400) · ERR_TENANT_MISMATCH (401) another app's, or another event's
 */
export function checkEventBody(body: unknown, event: LifecycleEvent, settings: ConnectSettings): string {
  const { key, clientKey, eventType } = parse(eventShape, body)
  if (key !== settings.key || eventType !== event) throw new PartywallError('ERR_TENANT_MISMATCH')
  // The app's own tokens name the app as their issuer: no tenant may have that name.
  if (clientKey === settings.key) throw invalid('clientKey')
  return clientKey
}

/**
 * @returns the secret, and what the registry keeps of the installation
 * @throws PartywallError ERR_INSTALL_INVALID (400) · ERR_INSTALL_HOST_REFUSED (403) the site is not allowed to install
 */
export function readInstallBody(
  body: unknown,
  settings: ConnectSettings,
): { readonly secret: string; readonly attributes: ConnectAttributes } {
  const fields = parse(installShape, body)
  const { sharedSecret, displayUrl, baseUrl, ...facts } = fields
  const base = checkSite(baseUrl, settings)
  return {
    secret: sharedSecret,
    attributes: {
      ...pickKnown(facts),
      productType: fields.productType,
      baseUrl: base,
      displayUrl: displayUrlOf(displayUrl) ?? base,
      further: furtherOf(fields),
    },
  }
}

/** Exact host or one label below an allowed domain; no port but a development host's, no user info, no query. */
function checkSite(text: string, settings: ConnectSettings): string {
  const url = addressOf(text)
  if (url === undefined || url.search !== '' || url.hash !== '') throw invalid('baseUrl')
  const isAllowed =
    url.protocol === 'https:'
      ? settings.hosts.some(host => matchesHost(host, url.host))
      : settings.insecureHosts.includes(url.host)
  if (!isAllowed) throw new PartywallError('ERR_INSTALL_HOST_REFUSED', { details: { host: url.host } })
  return url.href.replace(/\/$/, '')
}

/** For links alone, and on a domain of the customer's own: any web address. */
function displayUrlOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : addressOf(text)?.href.replace(/\/$/, '')
}

function addressOf(text: string): URL | undefined {
  try {
    return checkWebUrl(text)
  } catch (error) {
    if (isPartywallError(error, 'ERR_OUTBOUND_URL')) return undefined
    throw error
  }
}

function pickKnown(facts: Omit<InstallBody, 'sharedSecret' | 'baseUrl' | 'displayUrl'>): Partial<ConnectAttributes> {
  return Object.fromEntries(Object.entries(facts).filter(([name, value]) => KNOWN.has(name) && value !== undefined))
}

function furtherOf(body: InstallBody): Record<string, unknown> | undefined {
  const further = Object.entries(body).filter(([name]) => !KNOWN.has(name))
  if (further.length === 0) return undefined
  const kept = Object.fromEntries(further)
  return Buffer.byteLength(JSON.stringify(kept)) <= MAX_FURTHER_BYTES ? kept : undefined
}

function parse<T>(shape: z.ZodType<T>, body: unknown): T {
  const read = shape.safeParse(body)
  if (read.success) return read.data
  throw invalid(read.error.issues[0]?.path.join('.') ?? '')
}

const invalid = (path: string) => new PartywallError('ERR_INSTALL_INVALID', { details: { path } })

/** As the registry stores them: members that are `undefined` left out. */
export const attributesJson = (attributes: ConnectAttributes): JsonObject =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as JsonObject
