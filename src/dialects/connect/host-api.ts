/**
 * One call of a tenant's product: confined to the tenant's own base URL, within its budget, with a token made for this very
 * request, tried again where that may help. What signs is handed in: the app itself, or an app that acts as a user.
 */

import type { TenantContext } from '../../core/context.ts'
import type { DialectDeps } from '../../core/dialect.ts'
import type { OutboundResponse } from '../../core/ports.ts'
import { describePath } from '../common/address.ts'
import { ensureUsable } from '../common/usable.ts'
import type { CallPace } from './call-pace.ts'
import {
  type Content,
  contentOf,
  headersOf,
  methodOf,
  type ProductMethod,
  type ProductRequest,
  productUrl,
} from './call-request.ts'
import { MAX_TRIES, MAX_WAIT_MS, type Outcome, waitBeforeNextTry } from './call-retry.ts'
import type { ConnectSettings } from './options.ts'
import { type ProductAnswer, readProductAnswer, SUCCESS } from './product-answer.ts'
import { checkMethodScope } from './scopes.ts'
import { attributesOf } from './tenant.ts'

export interface ClientDeps extends DialectDeps {
  readonly settings: ConnectSettings
  /** One for all tenants of the app: `createCallPace(clock)`. */
  readonly pace: CallPace
}

/** Who speaks to the product. */
export interface Signer {
  /** Value of the header `Authorization`; asked for each try. */
  authorize(call: { readonly method: string; readonly url: URL }): Promise<string>
  /** The product refused it with 401; true when another one may be honoured. */
  refused(authorization: string): Promise<boolean>
}

/**
 * `path` starts with `/` and is appended to the product's base URL, or is an address below it.
 * @throws PartywallError ERR_SCOPE_UNDECLARED, ERR_CALL_INVALID, ERR_OUTBOUND_URL, ERR_OUTBOUND_REFUSED before anything leaves;
 *   ERR_RATE_LIMITED over the tenant's own budget; ERR_TENANT_REVOKED, ERR_TENANT_READ_ONLY; ERR_HOST_TOKEN_REFUSED,
 *   ERR_HOST_RATE_LIMITED, ERR_HOST_RESPONSE, ERR_OUTBOUND_*
 */
export type Exchange = (method: string, path: string, request?: ProductRequest) => Promise<ProductAnswer>

const MAX_ANSWER_BYTES = 8 * 1024 * 1024

export function createExchange(context: TenantContext, signer: Signer, deps: ClientDeps): Exchange {
  return async (given, path, request = {}) => {
    const method = methodOf(given)
    const url = productUrl(attributesOf(context.identity).baseUrl, path, request.query)
    checkMethodScope(deps.settings, method, url, request.scope)
    const call: Call = {
      context,
      deps,
      signer: request.as === 'anonymous' ? undefined : signer,
      method,
      url,
      headers: headersOf(request.headers),
      content: contentOf(method, request, deps.random),
      timeoutMs: request.timeoutMs,
    }
    const answer = await send(call, Math.min(Math.max(request.tries ?? MAX_TRIES, 1), MAX_TRIES))
    await ensureUsable(context)
    const asked = { method, path: describePath(url), expect: request.expect ?? SUCCESS }
    return readProductAnswer(answer, asked, deps.clock.now())
  }
}

interface Call {
  readonly context: TenantContext
  readonly deps: ClientDeps
  readonly signer: Signer | undefined
  readonly method: ProductMethod
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly content: Content | undefined
  readonly timeoutMs: number | undefined
}

async function send(call: Call, maxTries: number): Promise<OutboundResponse> {
  const { context, deps, method } = call
  let left = MAX_WAIT_MS
  let mayRenew = true
  for (let tries = 1; ; tries += 1) {
    const { outcome, authorization } = await attempt(call)
    if (isUnauthorized(outcome) && mayRenew && authorization !== undefined) {
      mayRenew = false
      if (await call.signer?.refused(authorization)) continue
    }
    const wait = tries < maxTries ? waitBeforeNextTry(outcome, method, tries, at(deps)) : undefined
    if (wait === undefined || wait > left) return settle(outcome)
    left -= wait
    await deps.pace.pause(wait, context.signal)
  }
}

async function attempt(call: Call): Promise<{ outcome: Outcome; authorization: string | undefined }> {
  const { context, deps, method, url, content, timeoutMs } = call
  await ensureUsable(context)
  await deps.pace.take(context.identity, MAX_WAIT_MS, context.signal)
  const authorization = await call.signer?.authorize({ method, url })
  // The token and the wait may have taken a while: the tenant may have gone meanwhile.
  await ensureUsable(context)
  try {
    const answer = await deps.outbound.request({
      url: url.href,
      method,
      headers: {
        accept: 'application/json',
        'user-agent': `Partywall ${deps.settings.key}`,
        ...call.headers,
        ...(authorization === undefined ? {} : { authorization }),
        ...(content === undefined ? {} : { 'content-type': content.type }),
      },
      ...(content === undefined ? {} : { body: content.bytes }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      maxBytes: MAX_ANSWER_BYTES,
      // Where the token goes, and no redirect is followed with it.
      allowedOrigins: [url.origin],
      maxRedirects: 0,
      signal: context.signal,
    })
    deps.pace.note(context.identity, answer)
    return { outcome: { kind: 'answer', answer }, authorization }
  } catch (error) {
    return { outcome: { kind: 'failure', error }, authorization }
  }
}

const isUnauthorized = (outcome: Outcome): boolean => outcome.kind === 'answer' && outcome.answer.status === 401

const at = ({ clock, random }: ClientDeps) => ({ now: clock.now(), random })

function settle(outcome: Outcome): OutboundResponse {
  if (outcome.kind === 'answer') return outcome.answer
  throw outcome.error
}
