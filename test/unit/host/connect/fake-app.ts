// A small Connect app on plain `node:http`: records what it is asked and checks tokens with jose and atlassian-jwt, so that
// the host is held against other implementations than the product's.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import atlassianJwt from 'atlassian-jwt'
import { importSPKI, type JWTPayload, jwtVerify } from 'jose'

export type Json = Record<string, unknown>

export interface SeenCall {
  readonly method: string
  /** As received, with the query. */
  readonly target: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly text: string
  readonly body: Json
}
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly text?: string
}

export interface FakeApp {
  readonly url: string
  readonly descriptorUrl: string
  readonly seen: SeenCall[]
  /** How it answers, by `METHOD path`; default 204. */
  readonly answers: Map<string, (call: SeenCall) => Answer | Promise<Answer>>
  descriptor: Json
  received(method: string, path: string): SeenCall[]
  close(): Promise<void>
}

export const APP_KEY = 'com.example.fake'
const LIFECYCLE = { installed: '/installed', uninstalled: '/uninstalled', enabled: '/enabled', disabled: '/disabled' }

/** @param extra members of the descriptor beside key, address, authentication, lifecycle and scopes */
export async function startFakeApp(extra: Json = {}, basePath = ''): Promise<FakeApp> {
  const seen: SeenCall[] = []
  const answers: FakeApp['answers'] = new Map()
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const target = request.url ?? ''
    const path = target.split('?', 1)[0] ?? ''
    const method = request.method ?? ''
    const body = text.startsWith('{') ? (JSON.parse(text) as Json) : {}
    const call = { method, target, path, headers: request.headers, text, body }
    seen.push(call)
    const isDescriptor = path === `${basePath}/atlassian-connect.json`
    const answer: Answer | undefined = isDescriptor
      ? { status: 200, text: JSON.stringify(app.descriptor) }
      : await answers.get(`${method} ${path}`)?.(call)
    response.writeHead(answer?.status ?? 204, answer?.headers)
    response.end(answer?.text)
  }
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${basePath}`
  const app: FakeApp = {
    url,
    descriptorUrl: `${url}/atlassian-connect.json`,
    seen,
    answers,
    descriptor: {
      key: APP_KEY,
      name: 'Fake',
      baseUrl: url,
      authentication: { type: 'jwt' },
      lifecycle: LIFECYCLE,
      scopes: ['READ', 'WRITE'],
      ...extra,
    },
    received: (method, path) => seen.filter(call => call.method === method && call.path === basePath + path),
    close: () =>
      new Promise((resolve, reject) => {
        server.close(error => (error ? reject(error) : resolve()))
        server.closeAllConnections()
      }),
  }
  return app
}

export const tokenOf = (call: SeenCall | undefined): string => String(call?.headers.authorization).replace(/^JWT /, '')

/** The hash by the library that most Connect apps use. */
export const qshOf = (method: string, target: string, basePath = ''): string =>
  atlassianJwt.createQueryStringHash(atlassianJwt.fromMethodAndUrl(method, target), false, basePath)

/** Checks with jose; the key comes from the host's key server. */
export async function verifyRs256(keyServerUrl: string, token: string, audience: string): Promise<JWTPayload> {
  const { payload } = await jwtVerify(
    token,
    async ({ kid }) => importSPKI(await (await fetch(`${keyServerUrl}/${kid}`)).text(), 'RS256'),
    { algorithms: ['RS256'], audience },
  )
  return payload
}

export async function verifyHs256(secret: string, token: string, now?: Date): Promise<JWTPayload> {
  const options = { algorithms: ['HS256'], ...(now && { currentDate: now }) }
  return (await jwtVerify(token, new TextEncoder().encode(secret), options)).payload
}

/** A call of the app to the product, signed with atlassian-jwt. */
export function appToken(
  installation: { readonly sharedSecret: string; readonly baseUrl: string },
  method: string,
  path: string,
  claims: Json = {},
): string {
  const now = Math.floor(Date.now() / 1000)
  const all = { iss: APP_KEY, iat: now, exp: now + 180, qsh: qshOf(method, path), ...claims }
  return atlassianJwt.encodeSymmetric(all, installation.sharedSecret, 'HS256' as never)
}

/** @param path below the product's base URL */
export function callProduct(
  installation: { readonly sharedSecret: string; readonly baseUrl: string },
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  return fetch(installation.baseUrl + path, {
    method,
    headers: {
      authorization: `JWT ${appToken(installation, method, path)}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}
