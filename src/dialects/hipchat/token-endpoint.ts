/**
 * The host's token endpoint as this dialect uses it: one question with one installation's credentials, and what the answer
 * proves. Keeping tokens is `core/tokens`'s matter.
 */

import type { DialectDeps } from '../../core/dialect.ts'
import { clientCredentialsRequest, readTokenAnswer, type TokenAnswer } from '../../wire/oauth2.ts'

const TIMEOUT_MS = 4_000
const MAX_BYTES = 65_536

export interface Credentials {
  readonly id: string
  readonly secret: string
  /** Absolute, already known to be on the bound host's origin. */
  readonly tokenUrl: string
}

/**
 * Asks for a token.
 * @param scopes  exactly these
 * @throws PartywallError ERR_OUTBOUND_* when the host cannot be reached; every answer of it is a value
 */
export async function askForToken(
  credentials: Credentials,
  scopes: readonly string[],
  deps: Pick<DialectDeps, 'outbound' | 'clock'>,
): Promise<TokenAnswer> {
  const answer = await deps.outbound.request({
    url: credentials.tokenUrl,
    ...clientCredentialsRequest(credentials, scopes),
    allowedOrigins: [new URL(credentials.tokenUrl).origin],
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
  })
  return readTokenAnswer(answer, { now: deps.clock.now(), requestedScope: scopes.join(' ') })
}

/** Errors of the protocol (RFC 6749 s. 5.2) that speak of the request, not of the client. */
const ABOUT_THE_REQUEST: ReadonlySet<string | undefined> = new Set([
  'invalid_request',
  'invalid_scope',
  'unsupported_grant_type',
])

/** True when the answer proves that the host no longer honours these credentials: 401, or 400 that is not about the request. */
export const provesRemoval = (answer: TokenAnswer): boolean =>
  answer.kind === 'refused' &&
  (answer.areCredentialsRefused || (answer.status === 400 && !ABOUT_THE_REQUEST.has(answer.error)))
