/**
 * What an edge case works against: a Connect app with `/page` (tokens made for the address) and `/api` (the app's own calls), and a
 * product that installs it. One interface for Partywall and for the framework of before.
 */

import { randomBytes } from 'node:crypto'
import type { JWTPayload } from 'jose'
import type { ConnectApp } from 'partywall'
import { type AddonProcess, startAddon } from '../defects/addon-process.ts'
import { startConnectWorld } from '../support/connect-app.ts'
import { type FakeProduct, type FakeSite, post, startFakeProduct } from '../support/fake-product.ts'
import { CONNECT_PEER, nameOfPeer, peerEnvironment } from '../support/peer.ts'

export interface Target {
  readonly name: string
  readonly url: string
  readonly product: FakeProduct
  /** Everything the app has logged. */
  output(): string
  close(): Promise<void>
}

export async function openPartywall(): Promise<Target> {
  const world = await startConnectWorld(addRoutes)
  return {
    name: 'Partywall',
    url: world.url,
    product: world.product,
    output: () => world.lines.join('\n'),
    close: () => world.close(),
  }
}

function addRoutes(connect: ConnectApp): void {
  connect
    .module('generalPages', { key: 'page', name: 'Page', url: '/page' }, ({ tenant, authentication }) => ({
      tenant: tenant.id,
      user: authentication.userId,
      token: authentication.token,
    }))
    .api('/api', ({ tenant, authentication }) => ({ tenant: tenant.id, user: authentication.userId }))
}

/** @param folder  where it is installed */
export async function openPeer(folder: string, environment: Readonly<Record<string, string>> = {}): Promise<Target> {
  const product = await startFakeProduct()
  const app: AddonProcess = await startAddon({
    file: new URL('peer/app.cjs', import.meta.url),
    flags: ['--no-deprecation'],
    environment: {
      ...peerEnvironment(folder),
      NODE_ENV: 'production',
      CONNECT_KEYS_CDN_URL: product.url,
      ...environment,
    },
  })
  return {
    name: nameOfPeer(CONNECT_PEER),
    url: app.url,
    product,
    output: () => app.output,
    async close() {
      await app.close()
      await product.close()
    },
  }
}

/** A site of this product that the framework of before takes in production too. */
export const createSite = ({ product, url }: Target): FakeSite =>
  product.createSite(url, `edge-${randomBytes(4).toString('hex')}`)

const BASE_URL = 'https://acme.atlassian.net'

/** Sends `installed` with one thing changed. */
export const sendInstall = (
  target: Target,
  site: FakeSite,
  { claims = {}, body = {}, kid }: { claims?: JWTPayload; body?: object; kid?: string } = {},
): Promise<Response> =>
  sendLifecycle(target, 'installed', site, { claims, body, ...(kid === undefined ? {} : { kid }) })

export async function sendLifecycle(
  { product, url }: Target,
  event: 'installed' | 'uninstalled',
  site: FakeSite,
  { claims, body, kid }: { claims: JWTPayload; body: object; kid?: string },
): Promise<Response> {
  const token = await product.signLifecycle(
    { ...product.lifecycleClaims(url, `/${event}`, site.clientKey), ...claims },
    kid === undefined ? {} : { kid },
  )
  return post(`${url}/${event}`, token, installBody(site, event, body))
}

export const installBody = (site: FakeSite, event = 'installed', more: object = {}) =>
  site.body(event, { baseUrl: BASE_URL, displayUrl: BASE_URL, ...more })

/** A site that is installed. @throws Error when the app refuses it */
export async function installedSite(target: Target): Promise<FakeSite> {
  const site = createSite(target)
  const response = await sendInstall(target, site)
  if (response.status !== 204) throw new Error(`${target.name} refused an install: ${response.status}`)
  return site
}
