/**
 * A HipChat host for attacks: it serves a capabilities document, issues tokens, answers `/v2/probe`, writes down all it is
 * asked, and lies or fails on demand. It shares nothing with the simulator, so that a mistake there cannot hide one here.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the host says. `hang` never answers, `drip` and `flood` never end, `cut` tears the connection down. */
export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly mode?: 'hang' | 'drip' | 'flood' | 'cut'
  readonly delayMs?: number
}

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** One OAuth client as the host knows it. Its fields are switches: a test sets them at any time. */
export interface HostClient {
  /** All secrets that the host honours at this moment; empty means that the client is gone. */
  readonly secrets: Set<string>
  /** Laid over the token answer; a value `undefined` removes a field. */
  tokenFields: Record<string, unknown>
  tokenReply: Reply | undefined
  probeReply: ((nth: number) => Reply | undefined) | undefined
  tokenRequests: number
  probeRequests: number
  /** Access tokens issued to this client, oldest first. */
  readonly issued: string[]
  /** Access tokens that arrived at `/v2/probe`. */
  readonly presented: string[]
}

export interface FakeHost {
  readonly authority: string
  readonly origin: string
  readonly capabilitiesUrl: string
  readonly asked: Asked[]
  /** TCP connections ever made to this host. */
  readonly connections: number
  readonly clients: Map<string, HostClient>
  /** Makes a client known, or adds a secret to a known one. */
  client(id: string, secret?: string): HostClient
  document(changes?: (document: CapabilitiesDocument) => unknown): unknown
  /** Answers `path` (whatever the method) with `reply` from now on. */
  serve(path: string, reply: Reply | ((asked: Asked) => Reply)): string
  stop(): Promise<void>
  start(): Promise<void>
}

export interface CapabilitiesDocument {
  key: string
  links: Record<string, unknown>
  capabilities: {
    oauth2Provider: Record<string, unknown>
    hipchatApiProvider: Record<string, unknown>
  }
}

export async function startFakeHost(): Promise<FakeHost> {
  const asked: Asked[] = []
  const clients = new Map<string, HostClient>()
  const tokens = new Map<string, string>()
  const served = new Map<string, Reply | ((asked: Asked) => Reply)>()
  let port = 0
  let connections = 0
  const server = createServer((request, response) => void answer(request, response))
  server.on('connection', () => {
    connections += 1
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => response.destroy())
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      response.destroy()
      return
    }
    const entry: Asked = {
      method: request.method ?? '',
      path: (request.url ?? '').replace(/\?.*$/, ''),
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    }
    asked.push(entry)
    await send(response, route(entry))
  }

  function route(entry: Asked): Reply {
    const special = served.get(entry.path)
    if (special !== undefined) return typeof special === 'function' ? special(entry) : special
    if (entry.path === '/v2/capabilities') return { body: host.document() }
    if (entry.path === '/v2/oauth/token') return issue(entry)
    if (entry.path === '/v2/probe') return probe(entry)
    return problem(404)
  }

  function issue(entry: Asked): Reply {
    const credentials = Buffer.from((entry.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString()
    const cut = credentials.lastIndexOf(':')
    const id = credentials.slice(0, cut)
    const client = clients.get(id)
    if (client === undefined) return problem(401)
    client.tokenRequests += 1
    if (client.tokenReply !== undefined) return client.tokenReply
    if (!client.secrets.has(credentials.slice(cut + 1))) return problem(401)
    const token = `at-${randomBytes(20).toString('hex')}`
    tokens.set(token, id)
    client.issued.push(token)
    const fields = { token_type: 'bearer', expires_in: 3600, scope: 'send_notification', group_id: 1, group_name: 'g' }
    return { body: { access_token: token, ...fields, ...client.tokenFields } }
  }

  function probe(entry: Asked): Reply {
    const token = (entry.headers.authorization ?? '').replace(/^Bearer /, '')
    const id = tokens.get(token)
    const client = id === undefined ? undefined : clients.get(id)
    if (client === undefined) return problem(401)
    client.probeRequests += 1
    client.presented.push(token)
    return client.probeReply?.(client.probeRequests) ?? { body: { client: id, host: host.authority } }
  }

  const host: FakeHost = {
    get authority() {
      return `127.0.0.1:${port}`
    },
    get origin() {
      return `http://127.0.0.1:${port}`
    },
    get capabilitiesUrl() {
      return `http://127.0.0.1:${port}/v2/capabilities`
    },
    asked,
    get connections() {
      return connections
    },
    clients,
    client(id, secret) {
      const known = clients.get(id) ?? newClient()
      if (secret !== undefined) known.secrets.add(secret)
      clients.set(id, known)
      return known
    },
    document(changes) {
      const document = documentOf(host.origin)
      return changes === undefined ? document : (changes(document) ?? document)
    },
    serve(path, reply) {
      served.set(path, reply)
      return `${host.origin}${path}`
    },
    async stop() {
      server.closeAllConnections()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
    async start() {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      port = (server.address() as AddressInfo).port
    },
  }
  await host.start()
  return host
}

const problem = (code: number): Reply => ({ status: code, body: { error: { code, type: 'Refused', message: 'no' } } })

function newClient(): HostClient {
  return {
    secrets: new Set(),
    tokenFields: {},
    tokenReply: undefined,
    probeReply: undefined,
    tokenRequests: 0,
    probeRequests: 0,
    issued: [],
    presented: [],
  }
}

function documentOf(origin: string): CapabilitiesDocument {
  return {
    key: 'hipchat',
    links: { self: `${origin}/v2/capabilities`, api: `${origin}/v2`, homepage: origin },
    capabilities: {
      oauth2Provider: { tokenUrl: `${origin}/v2/oauth/token`, authorizationUrl: `${origin}/users/authorize` },
      hipchatApiProvider: { url: `${origin}/v2/`, availableScopes: {} },
    },
  }
}

async function send(response: ServerResponse, reply: Reply): Promise<void> {
  if (reply.mode === 'hang') return
  if (reply.mode === 'cut') return void response.destroy()
  if (reply.delayMs !== undefined) await new Promise(resolve => setTimeout(resolve, reply.delayMs))
  response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers })
  if (reply.mode === 'drip' || reply.mode === 'flood') return pour(response, reply.mode)
  const { body } = reply
  response.end(
    typeof body === 'string' || Buffer.isBuffer(body) ? body : body === undefined ? '' : JSON.stringify(body),
  )
}

/** Writes until the other side has had enough: one blank each 100 ms, or 64 KiB pieces as fast as they are taken (128 MiB at most). */
function pour(response: ServerResponse, mode: 'drip' | 'flood'): void {
  const piece = mode === 'drip' ? ' ' : ' '.repeat(65_536)
  let left = mode === 'drip' ? 600 : 2048
  const next = (): void => {
    if (response.destroyed || left-- === 0) return void response.end()
    if (mode === 'drip') response.write(piece)
    else if (!response.write(piece)) return void response.once('drain', next)
    timer = setTimeout(next, mode === 'drip' ? 100 : 0)
  }
  let timer: NodeJS.Timeout | undefined
  response.on('close', () => clearTimeout(timer))
  next()
}
