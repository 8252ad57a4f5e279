/**
 * One call of the tenant's REST API: confined to its own base address, with a token for exactly the scopes needed.
 *
 * A token the host refuses is fetched anew once; a short rate limit is waited out once. Errors carry the host's status and
 * message, cut and without credentials. Which calls exist is `tenant-client.ts`'s matter.
 */

import type { TenantContext } from '../../core/context.ts'
import { PartywallError } from '../../core/errors.ts'
import type { OutboundResponse, StoredToken } from '../../core/ports.ts'
import type { IdentityRecord, JsonValue } from '../../core/tenant.ts'
import { checkWebUrl } from '../../core/url.ts'
import { requireToken } from '../../wire/oauth2.ts'
import { retryAfterSeconds } from '../../wire/retry-after.ts'
import { endInstallation, type LifecycleDeps } from './lifecycle.ts'
import { attributesOf } from './tenant.ts'
import { askForToken, provesRemoval } from './token-endpoint.ts'

export type QueryValue = string | number | boolean | readonly string[] | undefined

export interface HostRequest {
  /** camelCase names become kebab-case (`maxResults` -> `max-results`). */
  readonly query?: Readonly<Record<string, QueryValue>>
  /** camelCase names become snake_case, top level only. `undefined` members are left out. */
  readonly body?: Readonly<Record<string, unknown>>
  /** Scopes of the token; each must be declared in the descriptor. Default: none, which sends no token. */
  readonly scopes?: readonly string[]
  /** Statuses that are success; default 200, 201, 202, 204. */
  readonly expect?: readonly number[]
  /** Sent as it is, in place of a token of ours: for calls about that very token. */
  readonly accessToken?: string
}

export type HostCall = (method: string, path: string, request?: HostRequest) => Promise<JsonValue>

const SUCCESS: readonly number[] = [200, 201, 202, 204]
const MAX_WAIT_SECONDS = 2
const MAX_MESSAGE_LENGTH = 200

/**
 * @returns the caller of one context's host. `path` starts with `/` and is appended to the API base, or is an address below it
 *   (as the host's own links are); the result is the JSON body, `null` when there is none
 * @throws PartywallError (from the call) ERR_SCOPE_UNDECLARED, ERR_OUTBOUND_URL, ERR_OUTBOUND_REFUSED before anything leaves;
 *   ERR_TENANT_REVOKED, ERR_TENANT_READ_ONLY; ERR_HOST_TOKEN_REFUSED, ERR_HOST_RATE_LIMITED, ERR_HOST_RESPONSE, ERR_OUTBOUND_*
 */
export function createHostCall(context: TenantContext, deps: LifecycleDeps): HostCall {
  return async (method, path, request = {}) => {
    const { identity } = context
    const scopes = checkScopes(request.scopes ?? [], deps)
    const url = addressOf(attributesOf(identity).links.api, path, request.query ?? {})
    const answer = await send({ context, deps, identity, scopes, method, url, request })
    await ensureUsable(context)
    return readAnswer(answer, method, url, request, deps)
  }
}

interface Call {
  readonly context: TenantContext
  readonly deps: LifecycleDeps
  readonly identity: IdentityRecord
  readonly scopes: readonly string[]
  readonly method: string
  readonly url: URL
  readonly request: HostRequest
}

/** A segment of a path: an id, a name, an e-mail address. @throws PartywallError ERR_OUTBOUND_URL for what no segment can hold */
export function segment(value: string | number): string {
  const text = String(value)
  if (text === '' || text === '.' || text === '..' || /\p{Surrogate}/u.test(text)) {
    throw new PartywallError('ERR_OUTBOUND_URL', { message: 'an id or name in a path must not be empty or dots' })
  }
  return encodeURIComponent(text)
}

async function send(call: Call): Promise<OutboundResponse> {
  let { answer, token } = await attempt(call)
  if (answer.status === 401 && token !== undefined) {
    await call.deps.tokens.refuse(call.identity, { scopes: call.scopes }, token)
    answer = (await attempt(call)).answer
  }
  const wait = answer.status === 429 ? retryAfterSeconds(answer.headers, call.deps.clock.now()) : undefined
  if (wait === undefined || wait > MAX_WAIT_SECONDS) return answer
  await sleep(wait * 1000, call.context.signal)
  return (await attempt(call)).answer
}

async function attempt(call: Call): Promise<{ answer: OutboundResponse; token: string | undefined }> {
  const { context, deps, method, url, request } = call
  await ensureUsable(context)
  const token = call.scopes.length === 0 ? undefined : await tokenFor(call)
  const bearer = request.accessToken ?? token
  // The token may have taken a while: the tenant may have gone meanwhile.
  await ensureUsable(context)
  const answer = await deps.outbound.request({
    url: url.href,
    method,
    headers: {
      accept: 'application/json',
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(request.body === undefined ? {} : { body: JSON.stringify(renamed(request.body, '_')) }),
    allowedOrigins: [url.origin],
    signal: context.signal,
  })
  return { answer, token }
}

async function tokenFor({ identity, scopes, deps }: Call): Promise<string> {
  const token = await deps.tokens.get(identity, { scopes }, () => requestToken(identity, scopes, deps))
  return token.accessToken
}

/** Runs for every caller that waits for this token, so it belongs to no context. */
async function requestToken(
  identity: IdentityRecord,
  scopes: readonly string[],
  deps: LifecycleDeps,
): Promise<StoredToken> {
  const credentials = {
    id: identity.externalId,
    secret: identity.secrets.get('secret') ?? '',
    tokenUrl: attributesOf(identity).links.token,
  }
  const answer = await askForToken(credentials, scopes, deps)
  if (provesRemoval(answer)) {
    if (await deps.registry.noteRefusal(identity)) await endInstallation(identity, 'host-revoked', deps)
  } else if (answer.kind === 'token') await deps.registry.clearRefusal(identity)
  return requireToken(answer)
}

function checkScopes(scopes: readonly string[], { settings }: LifecycleDeps): readonly string[] {
  const undeclared = scopes.find(scope => !settings.scopes.includes(scope))
  if (undeclared === undefined) return scopes
  throw new PartywallError('ERR_SCOPE_UNDECLARED', {
    message: `the descriptor does not declare the scope ${undeclared}; add it to the add-on's scopes and re-install`,
    details: { scope: undeclared },
  })
}

function addressOf(api: string, path: string, query: Readonly<Record<string, QueryValue>>): URL {
  const base = new URL(api)
  const url = checkWebUrl(path.startsWith('/') ? api + path : path)
  // After parsing, so that dot segments and other spellings have been resolved.
  const isInside =
    url.origin === base.origin &&
    `${url.pathname}/`.startsWith(base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`)
  if (!isInside) {
    throw new PartywallError('ERR_OUTBOUND_REFUSED', {
      message: "the address is not below the API of this tenant's host",
    })
  }
  url.hash = ''
  for (const [name, value] of Object.entries(renamed(query, '-'))) {
    if (value !== undefined) url.searchParams.append(name, Array.isArray(value) ? value.join(',') : String(value))
  }
  return url
}

function readAnswer(
  answer: OutboundResponse,
  method: string,
  url: URL,
  request: HostRequest,
  { clock }: LifecycleDeps,
): JsonValue {
  const { status } = answer
  const body = parse(answer.body)
  if ((request.expect ?? SUCCESS).includes(status)) {
    if (body !== undefined) return body
    throw new PartywallError('ERR_HOST_RESPONSE', {
      message: 'the host answered something that is not JSON',
      details: { status },
    })
  }
  const hostMessage = messageOf(body, answer)
  const message = `unexpected status ${status} of ${method} ${url.pathname}${hostMessage === '' ? '' : `: ${hostMessage}`}`
  const details = { status, method, hostMessage }
  if (status === 401) throw new PartywallError('ERR_HOST_TOKEN_REFUSED', { message, details })
  if (status !== 429) throw new PartywallError('ERR_HOST_RESPONSE', { message, details })
  const wait = retryAfterSeconds(answer.headers, clock.now()) ?? 60
  throw new PartywallError('ERR_HOST_RATE_LIMITED', { message, details, retryAfterSeconds: wait })
}

/** `null` for an empty body, `undefined` for one that is not JSON. */
function parse(body: Buffer): JsonValue | undefined {
  if (body.length === 0) return null
  try {
    return JSON.parse(body.toString('utf8')) as JsonValue
  } catch {
    // The caller decides whether that matters: on an error status it does not.
    return undefined
  }
}

function messageOf(body: JsonValue | undefined, answer: OutboundResponse): string {
  if (body === undefined || answer.body.length === 0) return ''
  const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : undefined
  if (typeof message !== 'string') return ''
  // A host may repeat what it was sent; anything long without blanks could be a credential.
  return message.replace(/[\w.~+/=-]{24,}/g, '[removed]').slice(0, MAX_MESSAGE_LENGTH)
}

function renamed<T>(values: Readonly<Record<string, T>>, separator: '_' | '-'): Record<string, T> {
  const entries = Object.entries(values).map(([name, value]): [string, T] => [
    name.replace(/(?<=[a-z0-9])[A-Z]/g, letter => separator + letter.toLowerCase()),
    value,
  ])
  return Object.fromEntries(entries)
}

async function ensureUsable(context: TenantContext): Promise<void> {
  if (context.mode === 'read-only') throw new PartywallError('ERR_TENANT_READ_ONLY')
  const check = context.ensureLive()
  if (check !== undefined) await check
}

async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(new PartywallError('ERR_TENANT_REVOKED'))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
