/**
 * Headers of pages in the product's frame (protocol s. 6): who may show them, and that they come by TLS. The tenant's own site and the
 * domain its people use may, and nobody else; a cacheable page knows no tenant, so every site that may install may.
 */

import type { ConnectSettings } from './options.ts'
import type { ConnectTenant } from './tenant.ts'

const POLICY = 'content-security-policy'
const ONE_YEAR = ['strict-transport-security', 'max-age=31536000']
const CACHEABLE_SECONDS = 300

const headersOfTenant = new WeakMap<ConnectTenant, readonly string[]>()

/** Made once per tenant. */
export function pageHeaders(tenant: ConnectTenant, settings: ConnectSettings): readonly string[] {
  const known = headersOfTenant.get(tenant)
  if (known !== undefined) return known
  const origins = new Set([tenant.baseUrl, tenant.displayUrl].map(url => new URL(url).origin))
  const headers = Object.freeze([POLICY, `frame-ancestors ${[...origins].join(' ')}`, ...transportHeaders(settings)])
  headersOfTenant.set(tenant, headers)
  return headers
}

/** Of a page that is the same for everybody. */
export const cacheableHeaders = (settings: ConnectSettings): readonly string[] => [
  ...['cache-control', `public, max-age=${CACHEABLE_SECONDS}`],
  ...['referrer-policy', 'no-referrer'],
  ...['x-content-type-options', 'nosniff'],
  POLICY,
  `frame-ancestors ${sitesOf(settings).join(' ')}`,
  ...transportHeaders(settings),
]

const transportHeaders = ({ baseUrl }: ConnectSettings): readonly string[] =>
  baseUrl.startsWith('https:') ? ONE_YEAR : []

const sitesOf = ({ hosts, insecureHosts }: ConnectSettings): readonly string[] => [
  ...hosts.map(host => `https://${host}`),
  ...insecureHosts.map(host => `http://${host}`),
]
