/**
 * The floor: bare `node:http` that makes the checks a page of a Connect app needs, as carefully written as ours: signature, times,
 * query hash, the tenant from a Map; and the same headers. No log, no framework, no database. It takes installs as they come.
 */

import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'

interface Tenant {
  readonly clientKey: string
  readonly key: KeyObject
}
const tenants = new Map<string, Tenant>()
const HEADERS = new Set([Buffer.from('{"typ":"JWT","alg":"HS256"}').toString('base64url')])
const CANONICAL = /^[\w.~-]*$/
const SECURITY = [
  ...['content-type', 'application/json; charset=utf-8', 'cache-control', 'no-store'],
  ...['referrer-policy', 'no-referrer', 'x-content-type-options', 'nosniff'],
]

createServer((request, response) => {
  const target = request.url ?? '/'
  if (target.startsWith('/page?')) servePage(request.method ?? 'GET', target, response)
  else void install(request, response)
}).listen(Number(process.env.PORT), '127.0.0.1', () => process.send?.('listening'))

async function install(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { clientKey, sharedSecret } = (await json(request)) as {
    readonly clientKey: string
    readonly sharedSecret: string
  }
  tenants.set(clientKey, { clientKey, key: createSecretKey(Buffer.from(sharedSecret)) })
  response.writeHead(204).end()
}

function servePage(method: string, target: string, response: ServerResponse): void {
  const start = target.indexOf('?')
  const query = target.slice(start + 1)
  const claims = verify(tokenIn(query), `${method}&${target.slice(0, start)}&${canonicalQuery(query)}`)
  if (claims === undefined) {
    response.writeHead(401).end()
    return
  }
  const body = JSON.stringify({ tenant: claims.iss, user: claims.sub })
  response
    .writeHead(200, [...SECURITY, 'content-length', String(Buffer.byteLength(body))] as unknown as string[])
    .end(body)
}

function tokenIn(query: string): string {
  const start = query.indexOf('jwt=')
  const end = query.indexOf('&', start)
  return start < 0 ? '' : query.slice(start + 4, end < 0 ? query.length : end)
}

function verify(token: string, canonical: string): { readonly iss: string; readonly sub: string } | undefined {
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (second < 0 || !HEADERS.has(token.slice(0, first))) return undefined
  const claims = JSON.parse(Buffer.from(token.slice(first + 1, second), 'base64url').toString())
  const tenant = tenants.get(claims.iss)
  if (tenant === undefined) return undefined
  const expected = createHmac('sha256', tenant.key).update(token.slice(0, second)).digest()
  const given = Buffer.from(token.slice(second + 1), 'base64url')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  const now = Date.now() / 1_000
  if (!(claims.exp > now - 30) || !(claims.iat < now + 30)) return undefined
  return claims.qsh === createHash('sha256').update(canonical).digest('hex') ? claims : undefined
}

function canonicalQuery(query: string): string {
  const pairs: { readonly name: string; readonly value: string }[] = []
  for (const piece of query.split('&')) {
    const equals = piece.indexOf('=')
    const name = equals < 0 ? piece : piece.slice(0, equals)
    if (name !== 'jwt')
      pairs.push({ name: canonical(name), value: canonical(equals < 0 ? '' : piece.slice(equals + 1)) })
  }
  pairs.sort((one, other) => (one.name < other.name ? -1 : 1))
  return pairs.map(({ name, value }) => `${name}=${value}`).join('&')
}

const canonical = (text: string): string =>
  CANONICAL.test(text) ? text : encodeURIComponent(decodeURIComponent(text.replaceAll('+', ' ')))
