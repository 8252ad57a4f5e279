/**
 * A guarded request on Node's own request and response: what the adapters of frameworks on `node:http` share. The tenant's
 * context lives as long as the response, and holds in the events of both streams.
 */

import type { EventEmitter } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { admit } from './admission.ts'
import { holdResponse } from './held-response.ts'
import { warnOnWiderLimits } from './server.ts'
import type { Answer, Guard, Guarded, RequestView } from './view.ts'

export interface NodeExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly view: RequestView
}

/**
 * @param refuse   writes the answer to a request without tenant
 * @param proceed  runs the handlers with `guarded.run`; not called when the client has gone meanwhile
 */
export function guardExchange<Properties extends object>(
  guard: Guard<Properties>,
  { request, response, view }: NodeExchange,
  refuse: (answer: Answer) => void,
  proceed: (guarded: Guarded<Properties>) => void,
): void | Promise<void> {
  checkServer(request)
  return admit(
    guard,
    view,
    guarded => {
      if (!releaseWithResponse(response, guarded)) return
      bindEvents(request, guarded)
      bindEvents(response, guarded)
      holdResponse(request, response, guarded)
      proceed(guarded)
    },
    refuse,
  )
}

/** False when the client has gone already: nobody is left to work for, and no event would release the context. */
export function releaseWithResponse(response: ServerResponse, guarded: Guarded<object>): boolean {
  if (response.destroyed || response.closed) {
    guarded.release(response.statusCode)
    return false
  }
  response.once('close', () => guarded.release(response.statusCode))
  return true
}

const GUARDED = Symbol('partywall.guarded')
type Bound = EventEmitter & { readonly [GUARDED]?: Guarded<object> }

/** Node emits from the connection, which belongs to no tenant: listeners would find no context. */
export function bindEvents(emitter: EventEmitter, guarded: Guarded<object>): void {
  // Not enumerable, so that no printing shows it.
  Object.defineProperty(emitter, GUARDED, { value: guarded, configurable: true })
  if (!Object.hasOwn(emitter, 'emit')) emitter.emit = emitInContext
  else if (emitter.emit !== emitInContext) bindOwnEmit(emitter, guarded)
}

/** Somebody's `emit` on this very object is kept. */
function bindOwnEmit(emitter: EventEmitter, guarded: Guarded<object>): void {
  const emit = emitter.emit.bind(emitter)
  emitter.emit = (name: string | symbol, ...values: unknown[]) =>
    emitter.listenerCount(name) === 0 ? emit(name, ...values) : guarded.run(() => emit(name, ...values))
}

/** One function for all: made anew for each request, it cost more than it does. */
function emitInContext(this: Bound, name: string | symbol, ...values: unknown[]): boolean {
  const emit = Object.getPrototypeOf(this).emit as EventEmitter['emit']
  const guarded = this[GUARDED]
  // Most events of most requests have no listener: then there is nothing to enter the context for.
  if (guarded === undefined || this.listenerCount(name) === 0) return emit.call(this, name, ...values)
  return guarded.run(() => emit.call(this, name, ...values))
}

/** A body that the framework will read after the handlers: what fills it belongs inside the context. */
export function bindStream(stream: Readable, guarded: Guarded<object>): void {
  bindEvents(stream, guarded)
  const read = stream.read.bind(stream)
  stream.read = size => guarded.run(() => read(size))
}

const checked = new WeakSet<Server>()

/** Warns once per server that somebody else made with limits wider than ours. */
export function checkServer(request: IncomingMessage): void {
  const { server } = request.socket as { server?: Server }
  if (server === undefined || checked.has(server)) return
  checked.add(server)
  warnOnWiderLimits(server)
}
