/**
 * Requests behind a proof, and the answers of their handlers: the same in every dialect. Who is proved how, and which headers its
 * pages have, the dialect says.
 */

import { runInContext } from '../../core/context.ts'
import type { Bound } from '../../core/dialect.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import { headerOf } from '../../core/header-list.ts'
import type { Logger } from '../../core/ports.ts'
import type { Answer, Guarded, RequestView, RoutedRequest } from '../../http/view.ts'
import { percentDecode } from '../../wire/percent.ts'
import { htmlAnswer, jsonAnswer, NO_CONTENT } from './answers.ts'
import { Authentication } from './authentication.ts'

/** What a handler finds of its request, besides the tenant. */
export interface RequestFacts {
  readonly view: RequestView
  readonly query: URLSearchParams
  readonly params: Readonly<Record<string, string>>
}

export interface Admitted<P extends object> extends Guarded<P> {
  readonly tenant: string
  readonly pageHeaders: readonly string[]
  readonly signal: () => AbortSignal
}

interface AdmittedParts<P extends object> {
  readonly properties: P & { readonly authentication: Authentication }
  readonly pageHeaders: readonly string[]
  /** Header in which a session token goes out, if somebody asked for one. */
  readonly tokenHeader: string
}

/** @param bound  released by whoever gets the result */
export function admit<P extends object>(bound: Bound, parts: AdmittedParts<P>): Admitted<P> {
  const { context, release } = bound
  const { properties, pageHeaders, tokenHeader } = parts
  return {
    properties,
    tenant: context.identity.externalId,
    pageHeaders,
    run: work => runInContext(context, work),
    ensureLive: () => context.ensureLive(),
    headers: () => {
      const token = Authentication.mintedOf(properties.authentication)
      return token === undefined ? [] : [tokenHeader, token]
    },
    release,
    signal: () => context.signal,
  }
}

/** What runs for a request: makes the handler's context of the tenant's properties and calls it. */
export type RunPage<P extends object> = (properties: P, request: RoutedRequest, signal: () => AbortSignal) => unknown

/**
 * Runs the handler as the proved tenant and answers what it returned.
 * @param complete  adds to the answer of a handler that came to its end
 */
export async function serveTenant<P extends object>(
  request: RoutedRequest,
  proved: Admitted<P> | Promise<Admitted<P>>,
  page: RunPage<P>,
  logger: Logger,
  complete: (answer: Answer, admitted: Admitted<P>) => Answer = answer => answer,
): Promise<Answer> {
  const admitted = proved instanceof Promise ? await proved : proved
  const { properties, signal } = admitted
  try {
    checkQuery(request)
    const answer = answerOf(await admitted.run(() => runHandler(() => page(properties, request, signal), logger)))
    const check = admitted.ensureLive()
    if (check !== undefined) await check
    return { ...complete(answer, admitted), tenant: admitted.tenant }
  } finally {
    admitted.release()
  }
}

/** A handler that anybody may ask. */
export async function servePublic(
  request: RoutedRequest,
  handler: (facts: RequestFacts) => unknown,
  logger: Logger,
): Promise<Answer> {
  checkQuery(request)
  const { view, query, params } = request
  return answerOf(await runHandler(() => handler({ view, query: new URLSearchParams(query), params }), logger))
}

/** A page, with the headers pages have: a session token where the handler asked for one, and who may show it in a frame. */
export function withPageHeaders<P extends object>(answer: Answer, admitted: Admitted<P>): Answer {
  const framed = withFraming(answer, admitted.pageHeaders)
  return { ...framed, headers: [...framed.headers, ...admitted.headers()] }
}

/** Adds to an HTML answer what of these headers it has not; an author's own policy stays. */
function withFraming(answer: Answer, pageHeaders: readonly string[]): Answer {
  const isHtml = headerOf(answer.headers, 'content-type')?.trimStart().toLowerCase().startsWith('text/html') === true
  if (!isHtml) return answer
  const isMissing = (index: number) => headerOf(answer.headers, pageHeaders[index - (index % 2)] ?? '') === undefined
  return { ...answer, headers: [...answer.headers, ...pageHeaders.filter((_, index) => isMissing(index))] }
}

/** @throws ERR_REQUEST_TARGET for a query that is no UTF-8: two broken spellings must not become one text */
function checkQuery({ query }: RoutedRequest): void {
  // Names and values decode as the whole does: the marks between them stand for themselves.
  if (percentDecode(query) === undefined) throw new PartywallError('ERR_REQUEST_TARGET')
}

async function runHandler(handler: () => unknown, logger: Logger): Promise<unknown> {
  try {
    return await handler()
  } catch (error) {
    if (isPartywallError(error)) throw error
    logger.error('page-failed', { error })
    throw new PartywallError('ERR_HANDLER_FAILED', { cause: error })
  }
}

function answerOf(result: unknown): Answer {
  if (result === undefined) return NO_CONTENT
  if (typeof result === 'string') return htmlAnswer(result)
  return isAnswer(result) ? result : jsonAnswer(result)
}

const isAnswer = (result: unknown): result is Answer =>
  typeof result === 'object' &&
  result !== null &&
  'status' in result &&
  'headers' in result &&
  typeof result.status === 'number' &&
  Array.isArray(result.headers)
