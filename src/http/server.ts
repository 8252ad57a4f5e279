/**
 * The server with our limits, and its orderly end: stop accepting, finish what runs, close within the time allowed.
 */

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { PartywallError } from '../core/errors.ts'
import { errorAnswer } from './answers.ts'
import { createNodeHandler, type NodeHandlerOptions } from './node-handler.ts'
import { rawHeader } from './raw-headers.ts'
import type { Mountable } from './view.ts'

const HEADERS_TIMEOUT_MS = 15_000
const REQUEST_TIMEOUT_MS = 20_000
const MAX_HEADER_BYTES = 16 * 1024
/** Longer than the idle time of usual proxies, so that they close first and never reuse a connection we are closing. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const MAX_CONNECTIONS = 10_000
const CLOSE_GRACE_MS = 7_000

export interface ListenOptions extends NodeHandlerOptions {
  /** 0, the default: any free port. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Connections at once; more are dropped. Default 10,000. */
  readonly maxConnections?: number
  /** Milliseconds `close()` waits for running requests; default 7,000. */
  readonly closeGraceMs?: number
  /** Instead of `serverOptions()`, for a test of one limit. */
  readonly server?: ServerOptions
}

export interface Listening {
  readonly url: string
  readonly port: number
  readonly server: Server
  /** Stops accepting, lets running requests finish, ends what is left after the grace. Safe to call twice. */
  close(): Promise<void>
}

/** Options for `http.createServer` with which our limits hold; the guides use them for every framework. */
export const serverOptions = (): ServerOptions => ({
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
  insecureHTTPParser: false,
  requireHostHeader: true,
  joinDuplicateHeaders: false,
})

/**
 * Starts a server with our limits.
 *
 * @param target  an app, or the request listener of a framework (`koa.callback()`)
 * @example const server = await listen(koa.callback(), { port: 8080 }); process.once('SIGTERM', () => server.close())
 */
export async function listen(target: Mountable | RequestListener, options: ListenOptions = {}): Promise<Listening> {
  const handler = typeof target === 'function' ? target : createNodeHandler(target, options)
  const server = createServer(options.server ?? serverOptions())
  server.maxConnections = options.maxConnections ?? MAX_CONNECTIONS
  const running = trackRequests(server, handler)
  const host = options.host ?? '127.0.0.1'
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const { port } = server.address() as AddressInfo
  let closing: Promise<void> | undefined
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    server,
    close() {
      closing ??= closeServer(server, running, options.closeGraceMs ?? CLOSE_GRACE_MS)
      return closing
    },
  }
}

/**
 * What is wider than our limits on a server somebody else made, as sentences; empty when nothing is.
 */
export function widerLimits(server: Server & { readonly maxHeaderSize?: number }): readonly string[] {
  const wider: string[] = []
  if (exceeds(server.headersTimeout, HEADERS_TIMEOUT_MS)) wider.push(`headersTimeout ${server.headersTimeout} ms`)
  if (exceeds(server.requestTimeout, REQUEST_TIMEOUT_MS)) wider.push(`requestTimeout ${server.requestTimeout} ms`)
  const { insecureHTTPParser } = server as { insecureHTTPParser?: boolean }
  if (insecureHTTPParser === true) wider.push('insecureHTTPParser')
  if ((server.maxHeaderSize ?? 0) > MAX_HEADER_BYTES) wider.push(`maxHeaderSize ${server.maxHeaderSize} bytes`)
  return wider
}

/** Warns about a server with wider limits than ours, as a process warning that names them. Call once per server. */
export function warnOnWiderLimits(server: Server): void {
  const wider = widerLimits(server)
  if (wider.length === 0) return
  process.emitWarning(
    `This server's limits are wider than Partywall's (${wider.join(', ')}). ` +
      'Use listen() or http.createServer(serverOptions(), ...) from partywall.',
    { type: 'PartywallWarning', code: 'PARTYWALL_WIDER_LIMITS' },
  )
}

/** 0 means no limit at all. */
const exceeds = (value: number, limit: number): boolean => value === 0 || value > limit

interface Running {
  readonly responses: Set<ServerResponse>
  isClosing: boolean
}

function trackRequests(server: Server, handler: RequestListener): Running {
  const running: Running = { responses: new Set(), isClosing: false }
  const current = new WeakMap<Duplex, ServerResponse>()
  server.on('request', (request, response) => {
    running.responses.add(response)
    current.set(request.socket, response)
    if (running.isClosing) response.setHeader('connection', 'close')
    response.once('close', () => {
      running.responses.delete(response)
      // Node keeps a kept-alive connection open although the server is closing.
      if (running.isClosing) setImmediate(() => server.closeIdleConnections())
    })
    if (hasOrdinaryFraming(request)) handler(request, response)
    else refuseFraming(response)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    answerBrokenRequest(error, socket, current.get(socket))
  })
  return running
}

/**
 * Node announces a request before its parser stumbles over an unknown transfer coding, lets known ones pass, and still speaks HTTP/0.9.
 */
function hasOrdinaryFraming(request: IncomingMessage): boolean {
  const transfer = rawHeader(request, 'transfer-encoding')
  return request.httpVersionMajor === 1 && (transfer === undefined || transfer.trim().toLowerCase() === 'chunked')
}

function refuseFraming(response: ServerResponse): void {
  const { status, headers, body } = errorAnswer(new PartywallError('ERR_FRAMING'))
  response.writeHead(status, [...headers, 'connection', 'close']).end(body)
}

/** What the parser refused never becomes a request: a plain status line, then the end of the connection. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket, response: ServerResponse | undefined): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error)
    return
  }
  // An answer has begun, or this request has had its answer: a second one would be read as that of the next request.
  if (response?.headersSent === true && !(response.req.complete && response.writableFinished)) {
    if (response.writableEnded) socket.destroySoon()
    else socket.destroy(error)
    return
  }
  socket.end(`HTTP/1.1 ${statusOfParserError(error.code)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
    socket.destroy(),
  )
}

function statusOfParserError(code: string | undefined): string {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large'
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return '413 Payload Too Large'
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return '408 Request Timeout'
  return '400 Bad Request'
}

async function closeServer(server: Server, running: Running, graceMs: number): Promise<void> {
  running.isClosing = true
  for (const response of running.responses) {
    if (!response.headersSent) response.setHeader('connection', 'close')
  }
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(error => {
      clearTimeout(timer)
      if (error === undefined || (error as NodeJS.ErrnoException).code === 'ERR_SERVER_NOT_RUNNING') resolve()
      else reject(new PartywallError('ERR_INTERNAL', { message: 'The server could not be closed.', cause: error }))
    })
    server.closeIdleConnections()
  })
}
