/**
 * The light view over a WHATWG `Request`. Behind Node the view is that of Node's own request, which knows the target and the
 * headers as they arrived; a `Request` alone has lost both: its URL parser has resolved dot segments and turned back slashes,
 * and repeated headers are joined. Percent-encoding, the order of the query and a second token stay visible.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { PartywallError } from '../core/errors.ts'
import { createNodeView } from './node-view.ts'
import { DEFAULT_BODY_TIMEOUT_MS, DEFAULT_MAX_BODY_BYTES } from './raw-body.ts'
import type { RequestView } from './view.ts'

/** Node's own objects, as `@hono/node-server` hands them over beside the `Request`. */
export interface NodeParts {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

/** What may come beside a `Request`; everything that is not known here is left alone. */
export interface FetchEnvironment extends Partial<NodeParts> {
  /** Of the client, where the platform knows it; the flood gate counts by it. */
  readonly remoteAddress?: string
}

/** Node's objects in what a server handed over beside the request. */
export function nodePartsOf(environment: unknown): NodeParts | undefined {
  if (typeof environment !== 'object' || environment === null) return undefined
  const { incoming, outgoing } = environment as Partial<NodeParts>
  return Array.isArray(incoming?.rawHeaders) && outgoing !== undefined ? { incoming, outgoing } : undefined
}

/** @param rawBody  what a body parser before us kept of the raw body */
export function createFetchView(request: Request, environment: unknown, rawBody?: unknown): RequestView {
  const node = nodePartsOf(environment)
  if (node !== undefined) return createNodeView(node.incoming, { rawBody })
  const { remoteAddress } = (environment ?? {}) as FetchEnvironment
  return new FetchView(request, typeof remoteAddress === 'string' ? remoteAddress : undefined)
}

class FetchView implements RequestView {
  readonly method: string
  readonly target: string
  readonly remoteAddress: string | undefined
  readonly #request: Request
  #body: Promise<Buffer> | undefined

  constructor(request: Request, remoteAddress: string | undefined) {
    this.method = request.method
    this.target = request.url.slice(request.url.indexOf('/', request.url.indexOf('://') + 3))
    this.remoteAddress = remoteAddress
    this.#request = request
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined
  }

  headerNames(): readonly string[] {
    return [...this.#request.headers.keys()]
  }

  headerValues(name: string): readonly string[] {
    const value = this.header(name)
    return value === undefined ? [] : [value]
  }

  async body(maxBytes: number = DEFAULT_MAX_BODY_BYTES): Promise<Buffer> {
    this.#body ??= readBody(this.#request, maxBytes)
    const bytes = await this.#body
    if (bytes.length > maxBytes) throw tooLarge(maxBytes)
    return bytes
  }
}

async function readBody(request: Request, maxBytes: number): Promise<Buffer> {
  const encoding = request.headers.get('content-encoding')
  if (encoding !== null && encoding.trim().toLowerCase() !== 'identity') {
    throw new PartywallError('ERR_CONTENT_ENCODING')
  }
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
  if (request.bodyUsed) throw new PartywallError('ERR_BODY_CONSUMED')
  if (request.body === null) return Buffer.alloc(0)
  const reader = request.body.getReader()
  const failure = new AbortController()
  const timer = setTimeout(() => {
    failure.abort(new PartywallError('ERR_BODY_TIMEOUT'))
    reader.cancel().catch(error => failure.abort(error))
  }, DEFAULT_BODY_TIMEOUT_MS)
  try {
    const bytes = await collect(reader, maxBytes)
    failure.signal.throwIfAborted()
    return bytes
  } finally {
    clearTimeout(timer)
  }
}

async function collect(reader: ReadableStreamDefaultReader<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read().catch(cause => {
      throw new PartywallError('ERR_BODY_INVALID', { message: 'The connection ended inside the body.', cause })
    })
    if (done) return Buffer.concat(chunks, size)
    size += value.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(value)
  }
}

const tooLarge = (maxBytes: number) => new PartywallError('ERR_BODY_TOO_LARGE', { details: { maxBytes } })
