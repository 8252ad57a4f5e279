/** The listening side: reads a request, runs its route, writes the answer. Knows nothing of HipChat but the form of errors. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Installation } from '../clients/installation.ts'
import { ApiError, errorReply } from './api-error.ts'
import type { Call, Reply } from './reply.ts'
import type { Router } from './router.ts'

const MAX_BODY_BYTES = 1024 * 1024

export interface HttpServer {
  readonly port: number
  /** Ends open connections too. */
  close(): Promise<void>
}

export interface Served {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly installation: Installation | undefined
}

/** @throws the system's error when the port is taken */
export async function listen(
  address: { readonly port: number; readonly hostname: string },
  router: () => Router,
  onServed: (served: Served) => void,
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    serve(router(), request, response, onServed).catch((error: unknown) => response.destroy(error as Error))
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

async function serve(
  router: Router,
  request: IncomingMessage,
  response: ServerResponse,
  onServed: (served: Served) => void,
): Promise<void> {
  const method = request.method ?? 'GET'
  const { pathname, query } = splitTarget(request.url ?? '/')
  const found = router(method, pathname)
  const path = found.kind === 'route' && found.route.isSecret === true ? found.route.path : pathname
  const call: Call = {
    method,
    params: found.kind === 'route' ? found.params : {},
    query,
    header: name => request.headersDistinct[name]?.join(', '),
    body: await readBody(request),
    installation: undefined,
  }
  const reply = await answer(found, call)
  onServed({
    method,
    path,
    status: reply.connection === undefined ? reply.status : 0,
    installation: call.installation,
  })
  write(response, reply)
}

async function answer(found: ReturnType<Router>, call: Call): Promise<Reply> {
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
