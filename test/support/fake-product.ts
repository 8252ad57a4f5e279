/**
 * A product that installs Connect apps, as small as the tests of the dialect need it: a key server, tokens signed by second
 * implementations (`jose`, `atlassian-jwt`), and requests made with them. It remembers nothing of what an app answers.
 */

import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createQueryStringHash, fromMethodAndUrl } from 'atlassian-jwt'
import { exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

export interface FakeProduct {
  /** Of the key server and of every site: `<url>/<name>`. */
  readonly url: string
  readonly host: string
  readonly keyId: string
  /** Paths that were asked for. */
  readonly asked: string[]
  /** Answers in place of the key server. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  /** Claims of a lifecycle token of this product for one request. */
  lifecycleClaims(app: string, path: string, clientKey: string): JWTPayload
  /** RS256; `keyId` of another key is none of this product's. */
  signLifecycle(claims: JWTPayload, header?: { readonly kid?: string }): Promise<string>
  createSite(app: string, name: string): FakeSite
  close(): Promise<void>
}

export interface FakeSite {
  readonly clientKey: string
  readonly baseUrl: string
  secret: string
  body(event: string, more?: object): Record<string, unknown>
  /** Sends a signed lifecycle event. */
  send(event: 'installed' | 'uninstalled', more?: object, claims?: JWTPayload): Promise<Response>
  /** Sends `enabled` or `disabled`. */
  toggle(event: 'enabled' | 'disabled', claims?: JWTPayload): Promise<Response>
  /** Installs with a new secret, and enables. */
  install(more?: object): Promise<Response>
  /** Claims of a token for one request. */
  claims(method: string, path: string): JWTPayload
  sign(claims: JWTPayload, secret?: string): Promise<string>
  contextToken(claims?: JWTPayload): Promise<string>
  /** A request with a token made for it. */
  ask(path: string, init?: RequestInit, claims?: JWTPayload): Promise<Response>
}

export const now = (): number => Math.floor(Date.now() / 1000)

/** By the published library, which is a second implementation of the hash. */
export const queryHash = (method: string, path: string): string =>
  createQueryStringHash(fromMethodAndUrl(method as 'GET', path), false, '')

export const post = (url: string, token: string | undefined, body: unknown): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `JWT ${token}` }) },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

export async function startFakeProduct(): Promise<FakeProduct> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { modulusLength: 2048 })
  const pem = await exportSPKI(publicKey)
  const keyId = `keys/${randomBytes(4).toString('hex')}`
  const server = createServer((request, response) => {
    product.asked.push(request.url ?? '')
    if (product.answer !== undefined) return product.answer(request, response)
    const isKnown = request.url === `/${keyId}`
    response.writeHead(isKnown ? 200 : 404).end(isKnown ? pem : '<html>not here</html>')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const product: FakeProduct = {
    url: `http://${host}`,
    host,
    keyId,
    asked: [],
    answer: undefined,
    lifecycleClaims: (app, path, clientKey) => ({
      ...{ iss: clientKey, aud: app, iat: now(), exp: now() + 180, qsh: queryHash('POST', path) },
      jti: randomBytes(6).toString('hex'),
    }),
    signLifecycle: (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ typ: 'JWT', alg: 'RS256', kid: keyId, ...header }).sign(privateKey),
    createSite: (app, name) => createSite(product, app, name),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return product
}

function createSite(product: FakeProduct, app: string, name: string): FakeSite {
  const target = (path: string) => app + path
  const site: FakeSite = {
    clientKey: `key-${name}-${randomBytes(4).toString('hex')}`,
    baseUrl: `${product.url}/${name}`,
    secret: randomBytes(24).toString('hex'),
    body: (event, more = {}) => ({
      key: 'com.example.connect',
      clientKey: site.clientKey,
      ...(event === 'installed' ? { sharedSecret: site.secret } : {}),
      baseUrl: site.baseUrl,
      displayUrl: site.baseUrl,
      productType: 'jira',
      description: `Site ${name}`,
      eventType: event,
      ...more,
    }),
    async send(event, more = {}, claims = {}) {
      const token = await product.signLifecycle({
        ...product.lifecycleClaims(app, `/${event}`, site.clientKey),
        ...claims,
      })
      return post(target(`/${event}`), token, site.body(event, more))
    },
    async toggle(event, claims = {}) {
      const token = await site.sign({ ...site.claims('POST', `/${event}`), ...claims })
      return post(target(`/${event}`), token, site.body(event))
    },
    async install(more) {
      site.secret = randomBytes(24).toString('hex')
      const installed = await site.send('installed', more)
      return installed.status === 204 ? site.toggle('enabled') : installed
    },
    claims: (method, path) => ({
      ...{ iss: site.clientKey, sub: 'ada', iat: now(), exp: now() + 180, qsh: queryHash(method, path) },
      jti: randomBytes(6).toString('hex'),
    }),
    sign: (claims, secret = site.secret) =>
      new SignJWT(claims).setProtectedHeader({ typ: 'JWT', alg: 'HS256' }).sign(Buffer.from(secret)),
    contextToken: claims => site.sign({ ...site.claims('GET', '/'), qsh: 'context-qsh', ...claims }),
    async ask(path, init = {}, claims = {}) {
      const token = await site.sign({ ...site.claims(init.method ?? 'GET', path), ...claims })
      return fetch(target(path), { ...init, headers: { authorization: `JWT ${token}`, ...init.headers } })
    },
  }
  return site
}
