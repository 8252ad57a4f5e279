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
}

interface AdmittedParts<P extends object> {
  readonly properties: P & { readonly authentication: Authentication }
  readonly pageHeaders: readonly string[]
  /** Header in which a session token goes out, if somebody asked for one. */
  readonly tokenHeader: string
}

/** @param bound  released by whoever gets the result */
export const admit = <P extends object>(bound: Bound, parts: AdmittedParts<P>): Admitted<P> =>
  new AdmittedRequest(bound, parts)

const NO_HEADERS: readonly string[] = Object.freeze([])

class AdmittedRequest<P extends object> implements Admitted<P> {
  readonly properties: P & { readonly authentication: Authentication }
  readonly pageHeaders: readonly string[]
  readonly tenant: string
  readonly #tokenHeader: string
  readonly #bound: Bound

  constructor(bound: Bound, { properties, pageHeaders, tokenHeader }: AdmittedParts<P>) {
    this.properties = properties
    this.pageHeaders = pageHeaders
    this.tenant = bound.context.identity.externalId
    this.#tokenHeader = tokenHeader
    this.#bound = bound
  }

  run<T>(work: () => T): T {
    return runInContext(this.#bound.context, work)
  }
  ensureLive(): void | Promise<void> {
    return this.#bound.context.ensureLive()
  }
  headers(): readonly string[] {
    const token = Authentication.mintedOf(this.properties.authentication)
    return token === undefined ? NO_HEADERS : [this.#tokenHeader, token]
  }
  release(): void {
    this.#bound.release()
  }
}

/**
 * Runs the handler as the proved tenant and answers what it returned; at once where nothing has to be waited for, since each
 * promise of a request costs as much as a check of its token.
 * @param complete  adds to the answer of a handler that came to its end
 */
export function serveTenant<P extends object>(
  request: RoutedRequest,
  proved: Admitted<P> | Promise<Admitted<P>>,
  page: (properties: P) => unknown,
  logger: Logger,
  complete: (answer: Answer, admitted: Admitted<P>) => Answer = answer => answer,
): Answer | Promise<Answer> {
  return proved instanceof Promise ? proved.then(serve) : serve(proved)

  function serve(admitted: Admitted<P>): Answer | Promise<Answer> {
    let pending: Promise<Answer> | undefined
    try {
      checkQuery(request)
      const result = admitted.run(() => page(admitted.properties))
      const check = isThenable(result) ? undefined : admitted.ensureLive()
      if (!isThenable(result) && check === undefined) return finish(admitted, result)
      pending = settle(admitted, result).finally(() => admitted.release())
      return pending
    } catch (error) {
      throw refusalOf(error, logger)
    } finally {
      if (pending === undefined) admitted.release()
    }
  }

  /** What starts its work when it is waited for does so inside the context. */
  async function settle(admitted: Admitted<P>, result: unknown): Promise<Answer> {
    try {
      const value = await admitted.run(async () => result)
      const check = admitted.ensureLive()
      if (check !== undefined) await check
      return finish(admitted, value)
    } catch (error) {
      throw refusalOf(error, logger)
    }
  }

  function finish(admitted: Admitted<P>, result: unknown): Answer {
    return { ...complete(answerOf(result), admitted), tenant: admitted.tenant }
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
  try {
    return answerOf(await handler({ view, query: new URLSearchParams(query), params }))
  } catch (error) {
    throw refusalOf(error, logger)
  }
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

/** What a handler threw, as an error of ours. */
function refusalOf(error: unknown, logger: Logger): PartywallError {
  if (isPartywallError(error)) return error
  logger.error('page-failed', { error })
  return new PartywallError('ERR_HANDLER_FAILED', { cause: error })
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

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
