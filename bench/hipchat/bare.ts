/**
 * The floor: bare `node:http`, one HS256 check, one Map read, written the plain way. It takes installs as they come, so that the
 * simulated host can make it known to tenants like the others.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'

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
const secrets = new Map<string, string>()

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', url)
  if (pathname.startsWith('/addon/')) {
    void serveHost(request, response)
    return
  }
  const claims = verify(searchParams.get('signed_request') ?? '')
  if (claims === undefined) response.writeHead(401).end()
  else sendJson(response, { tenant: claims.iss, user: claims.sub })
}).listen(Number(process.env.PORT), '127.0.0.1', () => process.send?.('listening'))

/** The descriptor, and installs. */
async function serveHost(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'GET') return sendJson(response, DESCRIPTOR)
  const { oauthId, oauthSecret } = (await json(request)) as { readonly oauthId: string; readonly oauthSecret: string }
  secrets.set(oauthId, oauthSecret)
  response.writeHead(204).end()
}

function verify(token: string): { readonly iss: string; readonly sub: unknown } | undefined {
  const [header = '', payload = '', signature = ''] = token.split('.')
  if (parse(header).alg !== 'HS256') return undefined
  const { iss, sub, exp } = parse(payload)
  const secret = typeof iss === 'string' ? secrets.get(iss) : undefined
  if (typeof iss !== 'string' || secret === undefined) return undefined
  const expected = createHmac('sha256', secret).update(`${header}.${payload}`).digest()
  const given = Buffer.from(signature, 'base64url')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
  return Number(exp) > Date.now() / 1_000 ? { iss, sub } : undefined
}

const parse = (part: string): Readonly<Record<string, unknown>> => JSON.parse(Buffer.from(part, 'base64url').toString())

function sendJson(response: ServerResponse, value: unknown): void {
  const text = JSON.stringify(value)
  const headers = { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) }
  response.writeHead(200, headers).end(text)
}
