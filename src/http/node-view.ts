/** The light view over Node's `IncomingMessage`. Headers are looked up in the raw list; the body is read when asked for, once. */

import type { IncomingMessage } from 'node:http'
import { PartywallError } from '../core/errors.ts'
import { DEFAULT_BODY_TIMEOUT_MS, DEFAULT_MAX_BODY_BYTES, readRawBody } from './raw-body.ts'
import { rawHeader, rawHeaderNames, rawHeaderValues } from './raw-headers.ts'
import type { RequestView } from './view.ts'

export interface NodeViewOptions {
  /** The target before any router rewrote `request.url`: Koa's and Express's `originalUrl`. */
  readonly target?: string
  /** What a body parser before us kept of the raw body; `request.rawBody` is found without it. */
  readonly rawBody?: unknown
  /** Milliseconds for the whole body; default 20,000. */
  readonly bodyTimeoutMs?: number
}

export const createNodeView = (request: IncomingMessage, options: NodeViewOptions = {}): RequestView =>
  new NodeView(request, options)

class NodeView implements RequestView {
  readonly method: string
  readonly target: string
  readonly #request: IncomingMessage
  readonly #options: NodeViewOptions
  #body: Promise<Buffer> | undefined

  constructor(request: IncomingMessage, options: NodeViewOptions) {
    this.method = request.method ?? 'GET'
    this.target = options.target ?? request.url ?? '/'
    this.#request = request
    this.#options = options
  }

  get remoteAddress(): string | undefined {
    return this.#request.socket.remoteAddress
  }

  header(name: string): string | undefined {
    return rawHeader(this.#request, name)
  }

  headerNames(): readonly string[] {
    return rawHeaderNames(this.#request)
  }

  // Not `request.headers`: it drops repeated `authorization` silently, and two tokens must be seen to be refused.
  headerValues(name: string): readonly string[] {
    return rawHeaderValues(this.#request, name)
  }

  async body(maxBytes: number = DEFAULT_MAX_BODY_BYTES): Promise<Buffer> {
    this.#body ??= readRawBody(this.#request, {
      maxBytes,
      timeoutMs: this.#options.bodyTimeoutMs ?? DEFAULT_BODY_TIMEOUT_MS,
      rawBody: this.#options.rawBody ?? (this.#request as { rawBody?: unknown }).rawBody,
    })
    const bytes = await this.#body
    if (bytes.length > maxBytes) throw new PartywallError('ERR_BODY_TOO_LARGE', { details: { maxBytes } })
    return bytes
  }
}
