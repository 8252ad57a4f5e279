/**
 * Session tokens: what the app gives its own pages after a host's token was verified; one scheme for all dialects.
 *
 * Their type, audience and key differ from every host token's, so neither passes as the other. Refreshing moves the
 * expiry, never the absolute end. Pure: key and time are parameters (docs/decisions/0001-session-tokens-in-wire.md).
 */

import { KeyObject } from 'node:crypto'
import { PartywallError } from '../core/errors.ts'
import { type CompactJws, type DecodedJws, decodeJws, type JsonRecord, signHs256, verifyJws } from './jws.ts'
import { checkClaims, recordOf, textOf, timeOf, wrongClaim } from './jwt.ts'

/** 32 bytes derived for one identity and secret version; a `KeyObject` of them saves work. */
type SessionKey = KeyObject | Uint8Array

/** A verified session; times in epoch seconds. */
export interface Session {
  /** External id of the identity. */
  readonly issuer: string
  readonly subject: string | undefined
  readonly context: JsonRecord | undefined
  readonly issuedAt: number
  readonly expiresAt: number
  /** Absolute end: no refresh passes it. */
  readonly endsAt: number
}

export interface SessionScope {
  /** 32 bytes of the identity. */
  readonly key: SessionKey | undefined
  /** External id of the identity. */
  readonly issuer: string
  /** Public URL of the app, without trailing slash. */
  readonly baseUrl: string
  /** Epoch seconds. */
  readonly now: number
}

export interface SessionLifetime {
  /** From now until expiry; default 900. */
  readonly lifetimeSeconds?: number
  /** From the first token until the absolute end; default 8 hours. Counts when minting, not when refreshing. */
  readonly absoluteSeconds?: number
}

/** `typ` of the header. */
export const SESSION_TOKEN_TYPE = 'pw-session+jwt'
const KEY_BYTES = 32
const DEFAULT_LIFETIME_SECONDS = 15 * 60
const DEFAULT_ABSOLUTE_SECONDS = 8 * 60 * 60
/** Holds the absolute end, epoch seconds. */
const END_CLAIM = 'pw_end'

/** True for a token that says it is one of ours; nothing is proved by that, it only chooses the check. */
export const isSessionToken = (jws: Pick<CompactJws, 'header'>): boolean => jws.header.typ === SESSION_TOKEN_TYPE

/**
 * Begins a session for what a host's token has proved.
 * @returns the compact token
 * @throws TypeError no key of 32 bytes · ERR_TOKEN_MALFORMED subject and context are too large for a token
 */
export function mintSession(
  who: Pick<Session, 'subject' | 'context'>,
  scope: SessionScope,
  lifetime: SessionLifetime = {},
): string {
  const now = Math.floor(scope.now)
  return write(who, scope, now + (lifetime.absoluteSeconds ?? DEFAULT_ABSOLUTE_SECONDS), lifetime)
}

/**
 * The next token of a verified session: same user, same context, same absolute end.
 * @param session from `verifySession`, never built by hand
 * @throws ERR_SESSION_ENDED the absolute end is reached · what `mintSession` throws
 */
export function refreshSession(
  session: Session,
  scope: SessionScope,
  lifetime: Pick<SessionLifetime, 'lifetimeSeconds'> = {},
): string {
  if (session.issuer !== scope.issuer) throw new PartywallError('ERR_TENANT_MISMATCH')
  if (session.endsAt <= scope.now) throw new PartywallError('ERR_SESSION_ENDED')
  return write(session, scope, session.endsAt, lifetime)
}

/**
 * @param token compact, or decoded where the issuer had to be found first
 * @throws ERR_TOKEN_TYPE not a session token · ERR_TOKEN_SIGNATURE · ERR_TOKEN_AUDIENCE another app's ·
 *   ERR_TENANT_MISMATCH another identity's · ERR_TOKEN_EXPIRED · ERR_SESSION_ENDED past the absolute end ·
 *   ERR_TOKEN_CLAIMS, ERR_TOKEN_NOT_YET_VALID, ERR_TOKEN_MALFORMED, ERR_TOKEN_ALGORITHM
 */
export function verifySession(token: DecodedJws | string, scope: SessionScope): Session {
  const jws = typeof token === 'string' ? decodeJws(token) : token
  if (!isSessionToken(jws)) throw new PartywallError('ERR_TOKEN_TYPE')
  verifyJws(jws, { algorithm: 'HS256', key: usableKey(scope.key) })
  return readSession(jws.claims, scope)
}

function readSession(claims: JsonRecord, scope: SessionScope): Session {
  // No leeway: it was our own clock that set the expiry.
  const checked = checkClaims(claims, { now: scope.now, leewaySeconds: 0 })
  const endsAt = timeOf(claims, END_CLAIM)
  if (endsAt === undefined) throw wrongClaim(END_CLAIM)
  if (checked.issuedAt === undefined) throw wrongClaim('iat')
  if (textOf(claims, 'aud') !== audienceOf(scope.baseUrl)) throw new PartywallError('ERR_TOKEN_AUDIENCE')
  if (checked.issuer !== scope.issuer) throw new PartywallError('ERR_TENANT_MISMATCH')
  if (endsAt <= scope.now) throw new PartywallError('ERR_SESSION_ENDED')
  return {
    issuer: checked.issuer,
    subject: checked.subject,
    context: recordOf(claims, 'context'),
    issuedAt: checked.issuedAt,
    expiresAt: checked.expiresAt,
    endsAt,
  }
}

function write(
  who: Pick<Session, 'subject' | 'context'>,
  scope: SessionScope,
  endsAt: number,
  { lifetimeSeconds = DEFAULT_LIFETIME_SECONDS }: SessionLifetime,
): string {
  const key = usableKey(scope.key)
  if (key === undefined) throw new TypeError(`a session key has ${KEY_BYTES} bytes`)
  const issuedAt = Math.floor(scope.now)
  const claims = {
    iss: scope.issuer,
    aud: audienceOf(scope.baseUrl),
    ...(who.subject === undefined ? {} : { sub: who.subject }),
    ...(who.context === undefined ? {} : { context: who.context }),
    iat: issuedAt,
    exp: Math.min(issuedAt + lifetimeSeconds, endsAt),
    [END_CLAIM]: endsAt,
  }
  return signHs256({ typ: SESSION_TOKEN_TYPE }, claims, key)
}

// The fragment keeps it apart from the audience of a host's token, which is the base URL itself.
const audienceOf = (baseUrl: string): string => `${baseUrl}/#session`

function usableKey(key: SessionKey | undefined): SessionKey | undefined {
  const size = key instanceof KeyObject ? (key.type === 'secret' ? key.symmetricKeySize : 0) : key?.length
  return size === KEY_BYTES ? key : undefined
}
