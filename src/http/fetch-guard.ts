/**
 * A guarded request where handlers return a WHATWG `Response`: the tenant's context holds until its body has been read to the
 * end, also in what the body's stream calls.
 */

import { isPartywallError, PartywallError } from '../core/errors.ts'
import { admit } from './admission.ts'
import { errorAnswer, PRIVATE_HEADERS } from './answers.ts'
import { respond } from './fetch-answer.ts'
import { createFetchView, nodePartsOf } from './fetch-view.ts'
import { bindEvents, checkServer, releaseWithResponse } from './node-guard.ts'
import { headersOfFetch, headersOfNode, keepPrivate, setHeaders, setMissing } from './response-headers.ts'
import type { Guard, Guarded } from './view.ts'

/** As many logs have it: nobody was left to answer. */
const CLIENT_GONE = 499

export interface FetchExchange {
  readonly request: Request
  /** What the server handed over beside the request. */
  readonly environment: unknown
  /** What a body parser before us kept of the raw body. */
  readonly rawBody?: unknown
}

/** @param handle  runs inside the tenant's context; what it throws is reported and answered; not called when the client has gone */
export async function guardFetch<Properties extends object>(
  guard: Guard<Properties>,
  exchange: FetchExchange,
  handle: (guarded: Guarded<Properties>) => Response | Promise<Response>,
): Promise<Response> {
  const { request, environment, rawBody } = exchange
  const node = nodePartsOf(environment)
  if (node !== undefined) checkServer(node.incoming)
  return admit<Properties, Response | Promise<Response>>(
    guard,
    createFetchView(request, environment, rawBody),
    guarded => serve(guarded, exchange, handle),
    answer => respond(answer, request, environment),
  )
}

async function serve<Properties extends object>(
  guarded: Guarded<Properties>,
  { request, environment }: FetchExchange,
  handle: (guarded: Guarded<Properties>) => Response | Promise<Response>,
): Promise<Response> {
  const end = watchEnd(guarded, request, environment)
  if (end === undefined) return new Response(null, { status: CLIENT_GONE })
  let made: Response | undefined
  try {
    made = await guarded.run(() => handle(guarded))
    const check = guarded.ensureLive()
    if (check !== undefined) await check
    return finish(made, guarded, end)
  } catch (error) {
    guarded.report?.(error)
    const answer = errorAnswer(
      isPartywallError(error) ? error : new PartywallError('ERR_HANDLER_FAILED', { cause: error }),
    )
    end(answer.status)
    // Nobody will read it.
    made?.body?.cancel(error).catch(reason => guarded.report?.(reason))
    return respond(answer, request, environment)
  }
}

function finish(made: Response, guarded: Guarded<object>, end: (status: number) => void): Response {
  const { status } = made
  if (status >= 200 && isLight(made)) {
    end(status)
    complete(made.headers, guarded)
    return made
  }
  const { statusText, body } = made
  if (body === null) end(status)
  // A protocol switch has no headers of ours, and cannot be copied.
  if (status < 200) return made
  const headers = new Headers(made.headers)
  complete(headers, guarded)
  const bound = body === null ? null : inContext(body, guarded, () => end(status))
  return new Response(bound, { status, statusText, headers })
}

function complete(headers: Headers, guarded: Guarded<object>): void {
  const target = headersOfFetch(headers)
  keepPrivate(target)
  setMissing(target, guarded.pageHeaders ?? [])
  setHeaders(target, guarded.headers())
}

/**
 * The server of `@hono/node-server` (1 and 2) gives handlers a `Response` that is none until somebody asks for its body: three quarters
 * of a request's time. Its symbol `cache` holds `[status, body, headers]`; nothing of the author's runs when a text or bytes are sent.
 * What does not look like that takes the way of all others.
 */
function isLight(response: Response): boolean {
  const symbol = Object.getOwnPropertySymbols(response).find(({ description }) => description === 'cache')
  const parts: unknown = symbol === undefined ? undefined : Reflect.get(response, symbol)
  return Array.isArray(parts) && (typeof parts[1] === 'string' || parts[1] instanceof Uint8Array)
}

/**
 * The context ends with Node's response where there is one, else with the body, or when the client goes.
 *
 * @returns what to call when the body has ended; `undefined` when the client has gone already
 */
function watchEnd(
  guarded: Guarded<object>,
  request: Request,
  environment: unknown,
): ((status: number) => void) | undefined {
  const node = nodePartsOf(environment)
  if (node !== undefined) {
    const { incoming, outgoing } = node
    if (!releaseWithResponse(outgoing, guarded)) return undefined
    bindEvents(incoming, guarded)
    bindEvents(outgoing, guarded)
    // For what the server answers itself when a body breaks before its first byte.
    setHeaders(headersOfNode(outgoing), PRIVATE_HEADERS)
    return () => undefined
  }
  if (request.signal.aborted) {
    guarded.release(CLIENT_GONE)
    return undefined
  }
  request.signal.addEventListener('abort', () => guarded.release(CLIENT_GONE), { once: true })
  return status => guarded.release(status)
}

/** Whoever reads a body does so for the server, outside the context; what the stream calls to fill it belongs inside. */
function inContext(
  body: ReadableStream<Uint8Array>,
  guarded: Guarded<object>,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await guarded
          .run(() => reader.read())
          .catch(cause => {
            onEnd()
            guarded.report?.(cause)
            // Servers may send the text of what breaks a body.
            throw new PartywallError('ERR_HANDLER_FAILED', { cause })
          })
        if (!done) return controller.enqueue(value)
        onEnd()
        controller.close()
      },
      cancel(reason) {
        onEnd()
        return guarded.run(() => reader.cancel(reason))
      },
    },
    { highWaterMark: 0 },
  )
}
