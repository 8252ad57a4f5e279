/**
 * `node:http` and `node:https` of a guest: `request` and `get` send messages to the platform instead of opening sockets, which the
 * jail has none of. A string as `agent` is how SDKs of before 2025 name the platform (Forge protocol s. 4.4); every other
 * request goes out into the world, if the platform lets it.
 */

import http, { type ClientRequest, IncomingMessage, type OutgoingHttpHeaders, type RequestOptions } from 'node:http'
import https from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import { Socket } from 'node:net'
import { Writable } from 'node:stream'
import type { Send } from './channel.ts'
import { refusalError } from './fetch.ts'
import { type MagicTarget, magicTarget } from './magic-agent.ts'
import type { GuestRequest, GuestResponse } from './protocol.ts'
import { fromWire, toWire } from './wire-body.ts'

type Answered = (response: IncomingMessage) => void
interface Wanted extends RequestOptions {
  readonly search?: string
  readonly pathname?: string
}

/** Replaces the four functions for everybody in this process who asks for them from now on. */
export function installNodeHttp(send: Send): void {
  for (const [library, protocol] of [
    [http, 'http:'],
    [https, 'https:'],
  ] as const) {
    const request = (...values: unknown[]): ClientRequest => {
      const { options, onResponse } = readArguments(values, protocol)
      // What callers use of a ClientRequest is there; sockets are not.
      return new BrokeredRequest(send, options, onResponse) as unknown as ClientRequest
    }
    const get = (...values: unknown[]): ClientRequest => {
      const made = request(...values)
      made.end()
      return made
    }
    Object.assign(library, { request, get })
  }
  syncBuiltinESMExports()
}

class BrokeredRequest extends Writable {
  readonly #send: Send
  readonly #chunks: Buffer[] = []
  readonly #headers = new Map<string, { name: string; value: string | number | readonly string[] }>()
  readonly #options: Wanted
  readonly method: string
  readonly path: string
  readonly host: string
  readonly protocol: string
  readonly reusedSocket = false
  aborted = false
  #timer: NodeJS.Timeout | undefined
  /** To the world and not to the platform: there the SDK reads refusals itself. */
  #isOutside = false

  constructor(send: Send, options: Wanted, onResponse: Answered | undefined) {
    // It lives until the answer has come, and not until the request is written.
    super({ decodeStrings: true, autoDestroy: false })
    this.#send = send
    this.#options = options
    this.method = (options.method ?? 'GET').toUpperCase()
    this.protocol = options.protocol ?? 'https:'
    this.host = hostOf(options)
    this.path = options.path ?? '/'
    for (const [name, value] of headerPairs(options.headers)) this.setHeader(name, value)
    if (options.auth != null && !this.hasHeader('authorization'))
      this.setHeader('Authorization', `Basic ${Buffer.from(options.auth).toString('base64')}`)
    if (onResponse !== undefined) this.once('response', onResponse)
    if (options.timeout !== undefined) this.setTimeout(options.timeout)
    options.signal?.addEventListener('abort', () => this.destroy(options.signal?.reason), { once: true })
  }

  setHeader(name: string, value: string | number | readonly string[]): this {
    this.#headers.set(name.toLowerCase(), { name, value })
    return this
  }
  getHeader = (name: string) => this.#headers.get(name.toLowerCase())?.value
  hasHeader = (name: string): boolean => this.#headers.has(name.toLowerCase())
  removeHeader = (name: string): void => void this.#headers.delete(name.toLowerCase())
  getHeaderNames = (): string[] => [...this.#headers.keys()]
  getRawHeaderNames = (): string[] => [...this.#headers.values()].map(({ name }) => name)
  getHeaders(): OutgoingHttpHeaders {
    return Object.fromEntries(
      [...this.#headers].map(([key, { value }]) => [key, typeof value === 'object' ? [...value] : value]),
    )
  }
  // There is no socket to prepare.
  flushHeaders = nothing
  setNoDelay = nothing
  setSocketKeepAlive = nothing

  setTimeout(timeoutMs: number, onTimeout?: () => void): this {
    clearTimeout(this.#timer)
    if (onTimeout !== undefined) this.once('timeout', onTimeout)
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.emit('timeout'), timeoutMs).unref()
    return this
  }
  abort(): void {
    if (this.aborted) return
    this.aborted = true
    this.emit('abort')
    this.destroy(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }))
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk)
    done()
  }
  override _final(done: (error?: Error) => void): void {
    done()
    this.#send(this.#message()).then(
      answer => this.#answer(answer),
      error => this.destroy(asError(error)),
    )
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer)
    done(error)
  }

  #message(): GuestRequest {
    const body = Buffer.concat(this.#chunks)
    const headers = [...this.#headers.values()].flatMap(({ name, value }) =>
      (typeof value === 'object' ? value : [value]).map((one): [string, string] => [name.toLowerCase(), String(one)]),
    )
    const target: MagicTarget | undefined = magicTarget(this.#options.agent, this.host, this.path, headers)
    this.#isOutside = target === undefined
    return {
      meta: target?.meta ?? { type: 'egress' },
      path: target?.path ?? `${this.protocol}//${this.host}${this.path}`,
      method: this.method,
      headers: target?.headers ?? headers,
      redirect: 'manual',
      ...(body.length === 0 ? {} : { body: toWire(body) }),
    }
  }

  #answer(answer: GuestResponse): void {
    if (this.destroyed) return
    clearTimeout(this.#timer)
    const refusal = this.#isOutside ? answer.headers.find(([name]) => name === 'forge-proxy-error') : undefined
    if (refusal !== undefined) {
      this.destroy(refusalError(refusal[1], answer.status, JSON.parse(String(fromWire(answer.body ?? NO_BODY)))))
      return
    }
    const message = incoming(answer, this)
    const heard = this.emit('response', message)
    // As with a real request: an answer that nobody wants is read to its end.
    if (!heard) message.resume()
    this.emit('close')
  }
}

function incoming(answer: GuestResponse, request: BrokeredRequest): IncomingMessage {
  const message = new IncomingMessage(new Socket())
  message.statusCode = answer.status
  message.statusMessage = answer.statusText
  message.httpVersion = '1.1'
  message.httpVersionMajor = 1
  message.httpVersionMinor = 1
  message.rawHeaders = answer.headers.flat()
  message.headers = foldHeaders(answer.headers)
  message.complete = true
  Object.assign(message, { req: request })
  if (answer.body !== undefined && request.method !== 'HEAD') message.push(fromWire(answer.body))
  message.push(null)
  return message
}

function foldHeaders(headers: GuestResponse['headers']): Record<string, string | string[]> {
  const folded: Record<string, string | string[]> = {}
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    const before = folded[key]
    if (key === 'set-cookie') folded[key] = [...((before as string[] | undefined) ?? []), value]
    else folded[key] = before === undefined ? value : `${String(before)}, ${value}`
  }
  return folded
}

/** `request(url, options?, callback?)` and `request(options, callback?)`. */
function readArguments(
  values: readonly unknown[],
  protocol: string,
): { options: Wanted; onResponse: Answered | undefined } {
  const rest = [...values]
  const last = rest.at(-1)
  const onResponse = typeof last === 'function' ? (rest.pop() as Answered) : undefined
  const [first, second] = rest
  const base: Wanted =
    typeof first === 'string' ? ofUrl(new URL(first)) : first instanceof URL ? ofUrl(first) : { ...(first as Wanted) }
  const options = { protocol, ...base, ...((second as Wanted | undefined) ?? {}) }
  return { options, onResponse }
}

const ofUrl = (url: URL): Wanted => ({
  protocol: url.protocol,
  hostname: url.hostname,
  ...(url.port === '' ? {} : { port: url.port }),
  path: `${url.pathname}${url.search}`,
  ...(url.username === '' ? {} : { auth: `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}` }),
})

function hostOf({ hostname, host, port, protocol }: Wanted): string {
  const name = hostname ?? host ?? 'localhost'
  const usual = protocol === 'http:' ? 80 : 443
  const isNamed = port == null || port === '' || Number(port) === usual || name.includes(`:${port}`)
  return isNamed ? name : `${name}:${port}`
}

function headerPairs(headers: RequestOptions['headers']): [string, string | number | readonly string[]][] {
  if (headers == null) return []
  if (Array.isArray(headers)) {
    const flat = headers.flat()
    return flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ''] as [string, string]] : []))
  }
  return Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
}

const NO_BODY = { text: '{}' }
const nothing = () => undefined
const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))
