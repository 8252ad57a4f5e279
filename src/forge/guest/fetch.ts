/**
 * `fetch` of a guest, in two forms: the SDK's `__forge_fetch__(meta, path, init)` and the global `fetch(url, init)`. Both make a
 * message of the request, and a standard `Response` of the answer. Nothing here decides what is allowed: the platform does.
 */

import { PassThrough } from 'node:stream'
import type { JsonValue } from '../../core/tenant.ts'
import type { Send } from './channel.ts'
import type { GuestRequest, GuestResponse } from './protocol.ts'
import { fromWire, toWire } from './wire-body.ts'

export type ForgeFetch = (meta: Record<string, JsonValue>, path: unknown, init?: RequestInit) => Promise<Response>

/** Any base will do for reading `init` by the rules of `Request`: the path is taken from the caller, untouched. */
const ANY_URL = 'http://guest.invalid/'
const BODILESS = new Set([204, 205, 304])

export const createForgeFetch =
  (send: Send): ForgeFetch =>
  async (meta, path, init) => {
    const request = new Request(ANY_URL, withDuplex(init))
    return exchange(send, request, { meta: plain(meta), path: String(path) })
  }

export const createGlobalFetch =
  (send: Send): typeof globalThis.fetch =>
  async (input, init) => {
    const request = new Request(input, withDuplex(init))
    const response = await exchange(send, request, { meta: { type: 'egress' }, path: request.url })
    const refusal = response.headers.get('forge-proxy-error')
    if (refusal !== null) throw refusalError(refusal, response.status, (await response.json()) as { message?: unknown })
    return response
  }

/** As the platform's own `fetch` fails: with a name, and a status where the address was not allowed. */
export const refusalError = (name: string, status: number, { message }: { readonly message?: unknown }): Error =>
  Object.assign(new Error(String(message)), { name, status })

async function exchange(send: Send, request: Request, target: Pick<GuestRequest, 'meta' | 'path'>): Promise<Response> {
  request.signal.throwIfAborted()
  const body = request.body === null ? undefined : toWire(Buffer.from(await request.arrayBuffer()))
  const sent = send({
    ...target,
    method: request.method,
    headers: [...request.headers],
    redirect: request.redirect,
    ...(body === undefined ? {} : { body }),
  })
  return responseOf(await untilAborted(sent, request.signal))
}

/** A `Response` that says where it came from, which the constructor cannot be told. */
export function responseOf(answer: GuestResponse): Response {
  const body = answer.body === undefined || BODILESS.has(answer.status) ? null : fromWire(answer.body)
  const response = new Response(body, {
    status: answer.status,
    statusText: answer.statusText,
    headers: answer.headers.map(([name, value]): [string, string] => [name, value]),
  })
  Object.defineProperties(response, {
    url: { value: answer.url ?? '', configurable: true },
    redirected: { value: answer.redirected ?? false, configurable: true },
  })
  return response
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/**
 * The standard wants to be told that a streamed body is sent before the answer is read; node-fetch's users do not know. Nor that streams
 * of the oldest kind, such as those of the package form-data, are none to it: it would send their name.
 */
function withDuplex(init: RequestInit | undefined): RequestInit & { duplex?: 'half' } {
  const body: unknown = init?.body
  if (body === undefined || body === null) return { ...init }
  return {
    duplex: 'half',
    ...init,
    body: (isOldStream(body) ? body.pipe(new PassThrough()) : body) as RequestInit['body'],
  }
}

const isOldStream = (body: unknown): body is { pipe(to: PassThrough): PassThrough } =>
  typeof body === 'object' &&
  body !== null &&
  !(Symbol.asyncIterator in body) &&
  'pipe' in body &&
  typeof body.pipe === 'function'

/** Without members that are not there: JSON would leave them out too. */
const plain = (meta: Record<string, JsonValue | undefined>): Record<string, JsonValue> =>
  Object.fromEntries(Object.entries(meta).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined))
