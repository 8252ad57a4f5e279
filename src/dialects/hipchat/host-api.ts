/**
 * One call of the tenant's REST API: confined to its own base address, with a token for exactly the scopes needed.
 *
 * A token the host refuses is fetched anew once; a short rate limit is waited out once. Addresses, tokens and answers have
 * files of their own in `rest/`; which calls exist is the matter of the `rest/*-api.ts` files.
 */

import type { TenantContext } from '../../core/context.ts'
import type { OutboundResponse } from '../../core/ports.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { retryAfterSeconds } from '../../wire/retry-after.ts'
import { describePath } from '../common/address.ts'
import { ensureUsable, pause } from '../common/usable.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { type AccessTokens, createAccessTokens } from './rest/access-tokens.ts'
import { addressOf, type Query } from './rest/address.ts'
import { readAnswer } from './rest/answer.ts'
import { readLimits, type SeenLimits } from './rest/rate-limit.ts'
import { hostSpelling } from './rest/spelling.ts'
import { attributesOf } from './tenant.ts'

/** A body that is sent as it is. */
export interface HostContent {
  readonly type: string
  readonly bytes: Buffer
}

export interface HostRequest {
  /** camelCase names become kebab-case (`maxResults` -> `max-results`). */
  readonly query?: Query | undefined
  /** camelCase names become snake_case, top level only. `undefined` members are left out. */
  readonly body?: Readonly<Record<string, unknown>> | undefined
  /** In place of `body`. */
  readonly content?: HostContent | undefined
  /** Scopes of the token; each must be declared in the descriptor. Default: none, which sends no token. */
  readonly scopes?: readonly string[]
  /** Statuses that are success; default 200, 201, 202, 204. */
  readonly expect?: readonly number[]
  /** Sent as it is, in place of a token of ours: for calls about that very token. */
  readonly accessToken?: string
  /** Default 10,000. */
  readonly timeoutMs?: number
}

export type HostCall = (method: string, path: string, request?: HostRequest) => Promise<JsonValue>

/** What the calls of `rest/` are made of. */
export interface HostApi {
  /**
   * `path` starts with `/` and is appended to the API base, or is an address below it (as the host's own links are); the result
   * is the JSON body, `null` when there is none.
   * @throws PartywallError ERR_SCOPE_UNDECLARED, ERR_OUTBOUND_URL, ERR_OUTBOUND_REFUSED before anything leaves;
   *   ERR_TENANT_REVOKED, ERR_TENANT_READ_ONLY; ERR_HOST_TOKEN_REFUSED, ERR_HOST_RATE_LIMITED, ERR_HOST_RESPONSE, ERR_OUTBOUND_*
   */
  readonly call: HostCall
  readonly tokens: AccessTokens
  /** The newest of all answers so far. */
  limits(): SeenLimits
}

const SUCCESS: readonly number[] = [200, 201, 202, 204]
const MAX_WAIT_SECONDS = 2

export function createHostApi(context: TenantContext, deps: LifecycleDeps): HostApi {
  const { identity } = context
  const ours = createAccessTokens(identity, deps)
  const tokens: AccessTokens = {
    ...ours,
    async get(scopes) {
      await ensureUsable(context)
      const token = await ours.get(scopes)
      // The token may have taken a while: the tenant may have gone meanwhile.
      await ensureUsable(context)
      return token
    },
  }
  let seen: SeenLimits = { rate: undefined, flood: undefined }
  const note = ({ headers }: OutboundResponse) => {
    const { rate, flood } = readLimits(headers)
    seen = { rate: rate ?? seen.rate, flood: flood ?? seen.flood }
  }
  return {
    tokens,
    limits: () => seen,
    async call(method, path, request = {}) {
      const url = addressOf(attributesOf(identity).links.api, path, request.query ?? {})
      const answer = await send({ context, deps, tokens, note, method, url, request })
      await ensureUsable(context)
      return readAnswer(
        answer,
        { method, path: describePath(url), expect: request.expect ?? SUCCESS },
        deps.clock.now(),
      )
    },
  }
}

interface Call {
  readonly context: TenantContext
  readonly deps: LifecycleDeps
  readonly tokens: AccessTokens
  readonly note: (answer: OutboundResponse) => void
  readonly method: string
  readonly url: URL
  readonly request: HostRequest
}

async function send(call: Call): Promise<OutboundResponse> {
  let { answer, token } = await attempt(call)
  if (answer.status === 401 && token !== undefined) {
    await call.tokens.forget(token)
    answer = (await attempt(call)).answer
  }
  const wait = answer.status === 429 ? retryAfterSeconds(answer.headers, call.deps.clock.now()) : undefined
  if (wait === undefined || wait > MAX_WAIT_SECONDS) return answer
  await pause(wait * 1000, call.context.signal)
  return (await attempt(call)).answer
}

async function attempt(call: Call): Promise<{ answer: OutboundResponse; token: string | undefined }> {
  const { context, deps, method, url, request } = call
  const { scopes = [], timeoutMs } = request
  await ensureUsable(context)
  const token = scopes.length === 0 ? undefined : await call.tokens.get(scopes)
  const bearer = request.accessToken ?? token
  const content = request.content ?? jsonContent(request.body)
  const answer = await deps.outbound.request({
    url: url.href,
    method,
    headers: {
      accept: 'application/json',
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(content === undefined ? {} : { 'content-type': content.type }),
    },
    ...(content === undefined ? {} : { body: content.bytes }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    allowedOrigins: [url.origin],
    signal: context.signal,
  })
  call.note(answer)
  return { answer, token }
}

function jsonContent(body: HostRequest['body']): HostContent | undefined {
  if (body === undefined) return undefined
  return exactJson(hostSpelling(body, '_'))
}

/** JSON whose names are the host's already. */
export const exactJson = (value: object): HostContent => ({
  type: 'application/json',
  bytes: Buffer.from(JSON.stringify(value)),
})
