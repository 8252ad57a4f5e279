/**
 * The client-credentials grant as an add-on uses it: the request, and what the host's answer means (RFC 6749 s. 4.4, 5).
 *
 * Every answer is outside input: it becomes a token or one of three kinds of trouble, never a surprise. Sending is the
 * outbound client's matter, keeping `core/tokens`'s; the host's side of the same exchange is `oauth2-server.ts`.
 */

import { type ErrorCode, PartywallError } from '../core/errors.ts'
import type { JsonRecord } from './jws.ts'
import { retryAfterSeconds } from './retry-after.ts'

export interface TokenRequest {
  readonly method: 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface HttpAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Has the shape of a stored token. */
export interface GrantedToken {
  readonly accessToken: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
  /** As granted; as asked for where the answer does not say (RFC 6749 s. 5.1). */
  readonly scope: string
  /** What else the host said, as far as it is flat: HipChat's `group_id`, `group_name`. No secrets. */
  readonly facts: Readonly<Record<string, null | boolean | number | string>>
}

export type TokenAnswer =
  | { readonly kind: 'token'; readonly token: GrantedToken }
  | {
      readonly kind: 'refused'
      readonly status: number
      /** The error code of RFC 6749 s. 5.2, where there is one. */
      readonly error: string | undefined
      /** True when the credentials are what was refused, not the scope or the form of the request. */
      readonly areCredentialsRefused: boolean
    }
  | { readonly kind: 'rate-limited'; readonly retryAfterSeconds: number }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly retryAfterSeconds: number | undefined }

/** The longest a token is kept, whatever the host says. */
export const MAX_TOKEN_SECONDS = 24 * 60 * 60
/** Life of a token whose `expires_in` says nothing usable: short, but long enough not to ask for each call. */
export const DEFAULT_TOKEN_SECONDS = 60
const MAX_ANSWER_BYTES = 65_536
const MAX_ACCESS_TOKEN_LENGTH = 8192
const MAX_SCOPE_LENGTH = 4096

/**
 * The request for a token with exactly these scopes; none asks for all that the descriptor declares.
 *
 * Host quirk: id and secret go into Basic as they are, without the form encoding of RFC 6749 s. 2.3.1; so the hosts have
 * it documented.
 * @throws ERR_INSTALL_INVALID the id holds a colon, or either a control character: Basic could not carry them apart
 */
export function clientCredentialsRequest(
  client: { readonly id: string; readonly secret: string },
  scopes: readonly string[],
): TokenRequest {
  if (client.id.includes(':') || /\p{Cc}|\p{Surrogate}/u.test(client.id + client.secret))
    throw new PartywallError('ERR_INSTALL_INVALID', { message: 'Client id or secret cannot be sent by Basic.' })
  const scope = scopes.length === 0 ? '' : `&scope=${encodeURIComponent(scopes.join(' ')).replaceAll('%20', '+')}`
  return {
    method: 'POST',
    headers: {
      accept: 'application/json',
      authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: `grant_type=client_credentials${scope}`,
  }
}

/**
 * What the answer of a token endpoint means. Never throws for what a host sends.
 *
 * @param options.now epoch milliseconds
 * @param options.requestedScope blank-separated, for answers that do not repeat it
 */
export function readTokenAnswer(
  answer: HttpAnswer,
  options: { readonly now: number; readonly requestedScope: string },
): TokenAnswer {
  const body = parseBody(answer.body)
  const retryAfter = retryAfterSeconds(answer.headers, options.now)
  if (answer.status === 200) return readGrant(body, options)
  if (answer.status === 429) return { kind: 'rate-limited', retryAfterSeconds: retryAfter ?? DEFAULT_TOKEN_SECONDS }
  if (answer.status === 400 || answer.status === 401 || answer.status === 403) return refusal(answer.status, body)
  return { kind: 'unavailable', reason: `status ${answer.status}`, retryAfterSeconds: retryAfter }
}

/**
 * The token of an answer, or its trouble as an error.
 * @throws ERR_HOST_TOKEN_REFUSED · ERR_HOST_RATE_LIMITED · ERR_HOST_RESPONSE
 */
export function requireToken(answer: TokenAnswer): GrantedToken {
  switch (answer.kind) {
    case 'token':
      return answer.token
    case 'refused':
      throw new PartywallError('ERR_HOST_TOKEN_REFUSED', {
        message: 'The token endpoint refused.',
        details: { status: answer.status, error: answer.error, areCredentialsRefused: answer.areCredentialsRefused },
      })
    case 'rate-limited':
      throw trouble('ERR_HOST_RATE_LIMITED', 'too many token requests', answer.retryAfterSeconds)
    case 'unavailable':
      throw trouble('ERR_HOST_RESPONSE', answer.reason, answer.retryAfterSeconds)
  }
}

function readGrant(
  body: JsonRecord | undefined,
  options: { readonly now: number; readonly requestedScope: string },
): TokenAnswer {
  if (body === undefined) return unexpected('no JSON object')
  const { access_token: accessToken, token_type: type, expires_in: life, scope, ...rest } = body
  if (!isVisibleAscii(accessToken)) return unexpected('no usable access_token')
  // Hosts of this family know no other type, and some leave it out.
  if (type !== undefined && !(typeof type === 'string' && type.toLowerCase() === 'bearer'))
    return unexpected('token_type is not bearer')
  if (scope !== undefined && !(typeof scope === 'string' && scope.length <= MAX_SCOPE_LENGTH))
    return unexpected('scope is not text')
  return {
    kind: 'token',
    token: {
      accessToken,
      expiresAt: options.now + Math.ceil(lifeSeconds(life) * 1000),
      scope: scope ?? options.requestedScope,
      facts: factsOf(rest),
    },
  }
}

/** Missing, zero, negative, not a number: the default. Digits as text count. Huge ones are cut. */
function lifeSeconds(value: unknown): number {
  const seconds = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof seconds !== 'number' || !(seconds > 0)) return DEFAULT_TOKEN_SECONDS
  return Math.min(seconds, MAX_TOKEN_SECONDS)
}

/**
 * Further credentials are not kept, since nothing uses them; nested values neither, since a host could nest them deeper
 * than whoever writes them down can follow.
 */
const factsOf = (rest: JsonRecord): GrantedToken['facts'] =>
  Object.fromEntries(
    Object.entries(rest).filter((entry): entry is [string, null | boolean | number | string] => {
      const [name, value] = entry
      return name !== 'refresh_token' && name !== 'id_token' && (value === null || typeof value !== 'object')
    }),
  )

function refusal(status: number, body: JsonRecord | undefined): TokenAnswer {
  const code = body?.error
  const error = typeof code === 'string' && /^[a-z_]{1,64}$/.test(code) ? code : undefined
  const areCredentialsRefused = status === 401 || error === 'invalid_client'
  return { kind: 'refused', status, error, areCredentialsRefused }
}

function parseBody(body: Buffer): JsonRecord | undefined {
  if (body.length > MAX_ANSWER_BYTES) return undefined
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    return isRecord(value) ? value : undefined
  } catch {
    // Not UTF-8 or not JSON: the caller says so in its own words; the parser's would quote the body.
    return undefined
  }
}

const isRecord = (value: unknown): value is JsonRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isVisibleAscii = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_ACCESS_TOKEN_LENGTH && /^[\x21-\x7e]+$/.test(value)

const unexpected = (reason: string): TokenAnswer => ({ kind: 'unavailable', reason, retryAfterSeconds: undefined })

const trouble = (code: ErrorCode, message: string, retryAfter: number | undefined) =>
  new PartywallError(code, {
    message: `The token endpoint: ${message}.`,
    ...(retryAfter === undefined ? {} : { retryAfterSeconds: retryAfter }),
  })
