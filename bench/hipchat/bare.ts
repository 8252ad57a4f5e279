/**
 * The floor: bare `node:http`, one HS256 check, one Map read, as carefully written as a server without a framework can be. It
 * takes installs as they come, so that the simulated host can make it known to tenants like the others.
 */

import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'

const tenants = new Map<string, { readonly id: string; readonly key: KeyObject }>()
const url = `http://127.0.0.1:${process.env.PORT}`
const DESCRIPTOR = {
  key: 'com.example.bare',
  name: 'Bare',
  description: 'Bare',
  links: { self: `${url}/addon/capabilities` },
  capabilities: {
    hipchatApiConsumer: { scopes: ['send_notification'] },
    installable: { callbackUrl: `${url}/addon/installable` },
  },
}
const UNAUTHORIZED = ['content-length', '0']
const scratch = Buffer.alloc(4_096)
const signature = Buffer.alloc(32)

const server = createServer((request, response) => {
  const target = request.url ?? ''
  if (target.startsWith('/addon/')) {
    void serveHost(request, response)
    return
  }
  const token = tokenOf(target)
  const claims = token === undefined ? undefined : verify(token)
  if (claims === undefined) response.writeHead(401, UNAUTHORIZED).end()
  else sendJson(response, JSON.stringify({ tenant: claims.iss, user: claims.sub }))
})
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send?.('listening'))

/** The descriptor, and installs. */
async function serveHost(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'GET') return sendJson(response, JSON.stringify(DESCRIPTOR))
  const { oauthId, oauthSecret } = (await json(request)) as { readonly oauthId: string; readonly oauthSecret: string }
  tenants.set(oauthId, { id: oauthId, key: createSecretKey(oauthSecret, 'utf8') })
  response.writeHead(204).end()
}

function tokenOf(target: string): string | undefined {
  const start = target.indexOf('signed_request=')
  if (start < 0) return undefined
  const end = target.indexOf('&', start)
  return target.slice(start + 15, end < 0 ? undefined : end)
}

function verify(token: string): { readonly iss: string; readonly sub: unknown } | undefined {
  const first = token.indexOf('.')
  const last = token.lastIndexOf('.')
  const header = parse(token.slice(0, first))
  const claims = parse(token.slice(first + 1, last))
  const tenant = tenants.get(String(claims.iss))
  if (header.alg !== 'HS256' || tenant === undefined) return undefined
  const expected = createHmac('sha256', tenant.key).update(token.slice(0, last)).digest()
  if (signature.write(token.slice(last + 1), 'base64url') !== 32 || !timingSafeEqual(signature, expected)) return undefined
  return Number(claims.exp) > Date.now() / 1_000 ? { iss: tenant.id, sub: claims.sub } : undefined
}

function parse(part: string): Readonly<Record<string, unknown>> {
  const length = scratch.write(part, 'base64url')
  return JSON.parse(scratch.toString('utf8', 0, length))
}

function sendJson(response: ServerResponse, text: string): void {
  const length = String(Buffer.byteLength(text))
  response.writeHead(200, ['content-type', 'application/json; charset=utf-8', 'content-length', length]).end(text)
}
