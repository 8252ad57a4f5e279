/** The listening side: reads a request, runs its route, writes the answer. Knows no host's API; what an error looks like is handed in. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ApiError, type ErrorReply } from './api-error.ts'
import type { Call, Reply } from './reply.ts'
import type { Found, Router } from './router.ts'

const MAX_BODY_BYTES = 1024 * 1024

export interface HttpServer {
  readonly port: number
  /** Ends open connections too. */
  close(): Promise<void>
}

export interface Served<Owner> {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly installation: Owner | undefined
}

/** What one kind of host adds to a server. */
export interface Serving<Owner> {
  /** Asked for on every request. */
  readonly router: () => Router<Owner>
  readonly onServed: (served: Served<Owner>) => void
  readonly errorReply: ErrorReply
}

/** @throws the system's error when the port is taken */
export async function listen<Owner>(
  address: { readonly port: number; readonly hostname: string },
  serving: Serving<Owner>,
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    serve(serving, request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(address.port, address.hostname, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) }
}

const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve, reject) => {
    server.close(error => (error === undefined ? resolve() : reject(error)))
    server.closeAllConnections()
  })

async function serve<Owner>(
  { router, onServed, errorReply }: Serving<Owner>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const method = request.method ?? 'GET'
  const target = request.url ?? '/'
  const { pathname, query } = splitTarget(target)
  const found = router()(method, pathname)
  const path = found.kind === 'route' && found.route.isSecret === true ? found.route.path : pathname
  const call: Call<Owner> = {
    method,
    target,
    params: found.kind === 'route' ? found.params : {},
    query,
    header: name => request.headersDistinct[name]?.join(', '),
    body: await readBody(request),
    installation: undefined,
  }
  const reply = await answer(found, call, errorReply)
  onServed({
    method,
    path,
    status: reply.connection === undefined ? reply.status : 0,
    installation: call.installation,
  })
  write(response, reply)
}

async function answer<Owner>(found: Found<Owner>, call: Call<Owner>, errorReply: ErrorReply): Promise<Reply> {
  try {
    if (found.kind === 'not-found') return errorReply(404, 'No such resource.')
    if (found.kind === 'malformed') return errorReply(400, 'The path is not correctly encoded.')
    if (found.kind === 'method-not-allowed') {
      return errorReply(405, 'This method is not allowed here.', { allow: found.allow })
    }
    if (call.body.length > MAX_BODY_BYTES) return errorReply(413, 'The body is too large.')
    return await found.route.handle(call)
  } catch (error) {
    if (error instanceof ApiError) return errorReply(error.status, error.message, error.headers, error.type)
    return errorReply(500, `The simulator failed: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The path is matched as received, without resolving dots: an encoded room name stays one segment. */
function splitTarget(target: string): { pathname: string; query: URLSearchParams } {
  const mark = target.indexOf('?')
  return mark < 0
    ? { pathname: target, query: new URLSearchParams() }
    : { pathname: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) }
}

/** Stops keeping bytes one past the limit, so that the caller can tell. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    if (size <= MAX_BODY_BYTES) chunks.push(chunk as Buffer)
    size += (chunk as Buffer).length
  }
  return Buffer.concat(chunks)
}

function write(response: ServerResponse, reply: Reply): void {
  if (reply.connection === 'hang') return
  if (reply.connection === 'reset') {
    response.socket?.resetAndDestroy()
    return
  }
  const { type, body } = bodyOf(reply)
  response.writeHead(reply.status, {
    ...(type === undefined ? {} : { 'content-type': type, 'x-content-type-options': 'nosniff' }),
    ...(reply.status === 204 ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...reply.headers,
  })
  response.end(body)
}

function bodyOf({ content, json }: Reply): { readonly type: string | undefined; readonly body: string | Buffer } {
  if (content !== undefined) return content
  return json === undefined ? { type: undefined, body: '' } : { type: 'application/json', body: JSON.stringify(json) }
}
