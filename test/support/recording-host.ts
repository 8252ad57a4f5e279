/**
 * A HipChat host that only writes down what it is asked: it describes itself, issues a token for any credentials, and answers
 * every other call as a test says. For what a client sends; how a host behaves is the simulator's matter.
 */

import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface RecordedCall {
  readonly method: string
  /** Below the API base, as it came over the wire, without query. */
  readonly path: string
  readonly query: string
  readonly contentType: string | undefined
  readonly body: Buffer
  /** Scopes of the token that came with it, blank-separated; the token itself when this host did not issue it. */
  readonly scope: string | undefined
}

export interface RecordedReply {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface RecordingHost {
  readonly url: string
  readonly calls: RecordedCall[]
  /** Blank-separated scopes of every token request, in order. */
  readonly tokenRequests: string[]
  /** What it answers from now on; at first 204 to everything. */
  reply: (call: RecordedCall) => RecordedReply
  close(): Promise<void>
}

const GROUP_ID = 7

export async function startRecordingHost(): Promise<RecordingHost> {
  const scopes = new Map<string, string>()
  const server = createServer((request, response) => {
    void readBody(request).then(body => {
      const { status, body: said, headers } = answer(request, body)
      response.writeHead(status, { 'content-type': 'application/json', ...headers })
      response.end(said === undefined ? undefined : JSON.stringify(said))
    })
  })
  const host: RecordingHost = {
    get url() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    },
    calls: [],
    tokenRequests: [],
    reply: () => ({ status: 204 }),
    close: () => close(server),
  }

  function answer(request: IncomingMessage, body: Buffer): RecordedReply {
    const { method = '', url: target = '', headers } = request
    const [path = '', query = ''] = target.split('?')
    if (path === '/v2/capabilities') return { status: 200, body: describe(host.url) }
    if (path === '/v2/oauth/token') return issue(body)
    const token = headers.authorization?.replace('Bearer ', '')
    const call = {
      method,
      path: path.replace('/v2', ''),
      query,
      contentType: headers['content-type'],
      body,
      scope: token === undefined ? undefined : (scopes.get(token) ?? token),
    }
    host.calls.push(call)
    return host.reply(call)
  }

  function issue(body: Buffer): RecordedReply {
    const scope = new URLSearchParams(body.toString()).get('scope') ?? ''
    const token = `token-${scopes.size + 1}`
    scopes.set(token, scope)
    host.tokenRequests.push(scope)
    return { status: 200, body: { access_token: token, expires_in: 3600, scope, group_id: GROUP_ID } }
  }

  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return host
}

/** What the host sends to install an add-on. */
export const installationOf = (host: RecordingHost, oauthId: string, roomId?: number) => ({
  oauthId,
  oauthSecret: `secret-of-${oauthId}`,
  capabilitiesUrl: `${host.url}/v2/capabilities`,
  groupId: GROUP_ID,
  roomId,
})

const describe = (url: string) => ({
  links: { self: `${url}/v2/capabilities`, api: `${url}/v2`, homepage: url },
  capabilities: {
    oauth2Provider: { tokenUrl: `${url}/v2/oauth/token` },
    hipchatApiProvider: { url: `${url}/v2/` },
  },
})

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
}
