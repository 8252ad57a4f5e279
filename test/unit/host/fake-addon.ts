// A small add-on on plain `node:http`, written against the protocol and sharing nothing with the product or the host.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HipchatHost } from '../../../src/host/index.ts'

export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Record<string, unknown>
}
export interface Answer {
  readonly status: number
  readonly json?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface FakeAddon {
  readonly url: string
  readonly descriptorUrl: string
  /** Everything asked of it, in order of arrival. */
  readonly seen: Seen[]
  /** How it answers, by `METHOD path`; default 204. May look at the request. */
  readonly answers: Map<string, (seen: Seen) => Answer | Promise<Answer>>
  descriptor: Record<string, unknown>
  received(method: string, path: string): Seen[]
  close(): Promise<void>
}

export async function startFakeAddon(capabilities: Record<string, unknown> = {}): Promise<FakeAddon> {
  const seen: Seen[] = []
  const answers: FakeAddon['answers'] = new Map()
  const server = createServer((request, response) => void handle(request, response))
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const one: Seen = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    }
    seen.push(one)
    const key = `${one.method} ${one.path.split('?')[0]}`
    const answer: Answer | undefined =
      key === 'GET /descriptor' ? { status: 200, json: addon.descriptor } : await answers.get(key)?.(one)
    response.writeHead(answer?.status ?? 204, { 'content-type': 'application/json', ...answer?.headers })
    response.end(answer?.json === undefined ? undefined : JSON.stringify(answer.json))
  }
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const addon: FakeAddon = {
    url,
    descriptorUrl: `${url}/descriptor`,
    seen,
    answers,
    descriptor: {
      key: 'com.example.fake',
      name: 'Fake',
      description: 'An add-on for tests',
      links: { self: `${url}/descriptor` },
      capabilities: {
        hipchatApiConsumer: { scopes: ['send_notification', 'view_group', 'admin_room'], fromName: 'Faker' },
        installable: { callbackUrl: `${url}/installed`, updateCallbackUrl: `${url}/updated` },
        ...capabilities,
      },
    },
    received: (method, path) => seen.filter(one => one.method === method && one.path.split('?')[0] === path),
    close: () =>
      new Promise((resolve, reject) => {
        server.close(error => (error ? reject(error) : resolve()))
        server.closeAllConnections()
      }),
  }
  return addon
}

/** Asks the host for a token, as a client that knows nothing but the protocol. */
export function requestToken(
  host: HipchatHost,
  credentials: { readonly oauthId: string; readonly oauthSecret: string },
  scope?: string,
): Promise<Response> {
  return fetch(`${host.url}/v2/oauth/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${credentials.oauthId}:${credentials.oauthSecret}`).toString('base64')}`,
    },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) }),
  })
}

/** The access token itself. */
export async function tokenFor(
  host: HipchatHost,
  credentials: { readonly oauthId: string; readonly oauthSecret: string },
  scope?: string,
): Promise<string> {
  const { access_token: token } = (await (await requestToken(host, credentials, scope)).json()) as Record<
    string,
    string
  >
  if (token === undefined) throw new Error('no token was issued')
  return token
}

export const api = (
  host: HipchatHost,
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> =>
  fetch(`${host.url}/v2${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
