/**
 * A guarded request where handlers return a WHATWG `Response`: the tenant's context holds until its body has been read to the
 * end, also in what the body's stream calls.
 */

import { isPartywallError, PartywallError } from '../core/errors.ts'
import { admit } from './admission.ts'
import { errorAnswer, PRIVATE_HEADERS } from './answers.ts'
import { respond } from './fetch-answer.ts'
import { createFetchView, nodePartsOf } from './fetch-view.ts'
import { bindEvents, checkServer } from './node-guard.ts'
import { headersOfFetch, headersOfNode, keepPrivate, setHeaders } from './response-headers.ts'
import type { Guard, Guarded } from './view.ts'

export interface FetchExchange {
  readonly request: Request
  /** What the server handed over beside the request. */
  readonly environment: unknown
  /** What a body parser before us kept of the raw body. */
  readonly rawBody?: unknown
}

/** @param handle  runs inside the tenant's context; what it throws is reported and answered */
export function guardFetch<Properties extends object>(
  guard: Guard<Properties>,
  exchange: FetchExchange,
  handle: (guarded: Guarded<Properties>) => Response | Promise<Response>,
): Promise<Response> {
  const { request, environment, rawBody } = exchange
  const node = nodePartsOf(environment)
  if (node !== undefined) checkServer(node.incoming)
  const view = createFetchView(request, environment, rawBody)
  const refuse = async (error: unknown) => respond(errorAnswer(error), request, environment)
  return Promise.resolve(
    admit(
      guard,
      view,
      guarded => serve(guarded, exchange, handle),
      async answer => respond(answer, request, environment),
    ),
  ).catch(refuse)
}

async function serve<Properties extends object>(
  guarded: Guarded<Properties>,
  { request, environment }: FetchExchange,
  handle: (guarded: Guarded<Properties>) => Response | Promise<Response>,
): Promise<Response> {
  const ending = watchEnd(guarded, request, environment)
  let response: Response
  try {
    response = await guarded.run(() => handle(guarded))
  } catch (error) {
    guarded.report?.(error)
    const known = isPartywallError(error) ? error : new PartywallError('ERR_HANDLER_FAILED', { cause: error })
    response = respond(errorAnswer(known), request, environment)
  }
  try {
    await guarded.ensureLive()
  } catch (error) {
    await response.body?.cancel(error)
    response = respond(errorAnswer(error), request, environment)
  }
  // A protocol switch has no headers of ours, and cannot be copied.
  if (response.status < 200) return response
  const headers = new Headers(response.headers)
  keepPrivate(headersOfFetch(headers))
  setHeaders(headersOfFetch(headers), guarded.headers())
  const body = response.body === null ? null : inContext(response.body, guarded, () => ending.over(response.status))
  if (body === null) ending.over(response.status)
  return new Response(body, { status: response.status, statusText: response.statusText, headers })
}

/** The context ends with Node's response where there is one, else with the body, or when the client goes. */
function watchEnd(guarded: Guarded<object>, request: Request, environment: unknown): { over(status: number): void } {
  const node = nodePartsOf(environment)
  if (node === undefined) {
    const release = () => guarded.release()
    request.signal.addEventListener('abort', release, { once: true })
    return { over: status => guarded.release(status) }
  }
  const { incoming, outgoing } = node
  const release = () => guarded.release(outgoing.statusCode)
  if (outgoing.destroyed || outgoing.closed) release()
  else outgoing.once('close', release)
  bindEvents(incoming, guarded)
  bindEvents(outgoing, guarded)
  // For what the server answers itself when a body breaks before its first byte.
  setHeaders(headersOfNode(outgoing), PRIVATE_HEADERS)
  return { over: () => undefined }
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
