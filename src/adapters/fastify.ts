/**
 * Fastify: plugins that add a hook to the scope they are registered in. The hook runs before Fastify reads a body, so that the raw
 * one is there and parsers of the app's own stay as they are. No Fastify at run time; it is described by what is used here.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerOwn, attach } from '../http/admission.ts'
import { checkServer, guardExchange } from '../http/node-guard.ts'
import { createNodeView } from '../http/node-view.ts'
import type { Answer, Guarding, GuardOptions, Mountable, RequestView } from '../http/view.ts'
import { hasLargeUnreadBody, writeAnswer } from '../http/write-answer.ts'
import { type FastifyErrorHandler, hideErrors } from './fastify-errors.ts'

/** What we use of Fastify's request. */
export interface FastifyRequestParts {
  readonly raw: IncomingMessage
  readonly originalUrl: string
}
/** What we use of Fastify's reply. */
export interface FastifyReplyParts {
  readonly raw: ServerResponse
  code(status: number): unknown
  header(name: string, value: string): unknown
  send(payload?: unknown): unknown
  hijack(): unknown
}
/** What we use of a Fastify instance. */
export interface FastifyScope {
  readonly prefix: string
  readonly errorHandler: { readonly name: string }
  addHook(
    name: 'onRequest',
    hook: (request: FastifyRequestParts, reply: FastifyReplyParts, done: (error?: Error) => void) => void,
  ): unknown
  setErrorHandler(handler: FastifyErrorHandler): unknown
}
export type FastifyPlugin = (scope: FastifyScope, options: object, done: (error?: Error) => void) => void

/**
 * Plugin that answers the app's own routes and leaves every other request to Fastify.
 *
 * Registering it fails with a TypeError below a prefix: requests that match no route are seen in the outermost scope alone.
 *
 * @example await server.register(mount(app))
 */
export function mount(app: Mountable): FastifyPlugin {
  return inScopeOfCaller(scope => {
    if (scope.prefix !== '') return new TypeError('mount(app) must be registered in the outermost scope')
    scope.addHook('onRequest', (request, reply, done) => {
      checkServer(request.raw)
      const answer = answerOwn(app, viewOf(request))
      if (answer === undefined) done()
      else if (answer instanceof Promise) answer.then(made => send(request, reply, made)).catch(done)
      else send(request, reply, answer)
    })
    return undefined
  })
}

/**
 * Plugin that lets only requests with a proved tenant pass in its scope, and runs everything behind it inside that tenant's context:
 * hooks, parsers, handlers, error handlers. The tenant's properties stand on `request` as read-only, non-enumerable getters.
 * Without an error handler of the app's own, errors are answered without their text.
 *
 * @example
 * await server.register(async scope => {
 *   await scope.register(authenticate(addon))
 *   scope.get('/me', async request => ({ tenant: request.tenant.id }))
 * })
 */
export function authenticate(addon: Guarding<object>, options?: GuardOptions): FastifyPlugin {
  const guard = addon.guard(options)
  return inScopeOfCaller(scope => {
    if (scope.errorHandler.name === 'defaultErrorHandler') scope.setErrorHandler(hideErrors)
    scope.addHook('onRequest', (request, reply, done) => {
      const exchange = { request: request.raw, response: reply.raw, view: viewOf(request) }
      const refuse = (answer: Answer) => send(request, reply, answer)
      const proceed = guardExchange(guard, exchange, refuse, guarded => {
        attach(request, guarded.properties)
        guarded.run(done)
      })
      proceed?.catch(done)
    })
    return undefined
  })
}

/** The target as it arrived: `rewriteUrl` may have made another of it. */
const viewOf = (request: FastifyRequestParts): RequestView =>
  createNodeView(request.raw, { target: request.originalUrl })

/** Through Fastify, so that hooks of the app's own see the answer; past it where the client still sends a large body. */
function send(request: FastifyRequestParts, reply: FastifyReplyParts, answer: Answer): void {
  if (hasLargeUnreadBody(request.raw)) {
    reply.hijack()
    writeAnswer(request.raw, reply.raw, answer)
    return
  }
  reply.code(answer.status)
  for (let index = 0; index < answer.headers.length; index += 2) {
    reply.header(answer.headers[index] ?? '', answer.headers[index + 1] ?? '')
  }
  reply.send(answer.body)
}

/** Fastify gives a plugin a scope of its own unless this mark is on it, and takes no error but through `done`. */
function inScopeOfCaller(add: (scope: FastifyScope) => Error | undefined): FastifyPlugin {
  const plugin: FastifyPlugin = (scope, _options, done) => done(add(scope))
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true })
}
