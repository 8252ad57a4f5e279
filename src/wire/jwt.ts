/**
 * What the claims of a host's token must be: types, times, issuer, audience. Pure functions over decoded claims; `now` is
 * a parameter. Signatures are `jws.ts`'s matter, query hashes and the meaning of a context the dialect's.
 */

import { PartywallError } from '../core/errors.ts'
import { type DecodedJws, type JsonRecord, type JwsExpectation, verifyJws } from './jws.ts'

export interface ClaimRules {
  /** Epoch seconds. */
  readonly now: number
  /** How long past `exp` a token still counts, for hosts whose clocks are late: 0 to 120, default 30. */
  readonly leewaySeconds?: number
  /** Refuses tokens older than this by `iat`, which is then required. */
  readonly maxAgeSeconds?: number
  /** Names of the claim that holds the user, first one present wins; default `sub`. HipChat: `sub`, `prn`. */
  readonly subjectClaims?: readonly string[]
  /** HipChat's older hosts send user ids as numbers; default false. */
  readonly allowNumericSubject?: boolean
}

/** Claims whose types and times are right. Seconds are epoch seconds. */
export interface CheckedClaims {
  readonly issuer: string
  readonly subject: string | undefined
  readonly audience: readonly string[]
  readonly issuedAt: number | undefined
  readonly expiresAt: number
  readonly tokenId: string | undefined
  /** Query-string hash, hex, or `context-qsh`. */
  readonly qsh: string | undefined
  readonly context: JsonRecord | undefined
}

/** Bytes of an issuer in UTF-8: what the registry can store as an external id. */
const MAX_ISSUER_BYTES = 1024
/** How far ahead of ours a host's clock may be, for `iat` and `nbf`. */
const MAX_AHEAD_SECONDS = 60
const MAX_LEEWAY_SECONDS = 120
const DEFAULT_LEEWAY_SECONDS = 30
const MAX_TEXT_LENGTH = 1024
const MAX_AUDIENCES = 16
/** The last second a `Date` can hold: a number beyond it is no time. */
const LAST_SECOND = 8_640_000_000_000

/**
 * Everything that makes a token of a host good, in one call: type, pinned algorithm, signature, claims.
 *
 * @param jws from `decodeJws`, so that the caller could find the key by `claims.iss`
 * @returns the checked claims; the caller still compares audience and query hash where its route needs them
 * @throws ERR_TOKEN_TYPE a session token of ours, or another type · what `verifyJws` and `checkClaims` throw
 */
export function verifyHostToken(jws: DecodedJws, expectation: JwsExpectation, rules: ClaimRules): CheckedClaims {
  checkHostType(jws.header)
  verifyJws(jws, expectation)
  return checkClaims(jws.claims, rules)
}

/**
 * Refuses tokens that carry another purpose in their type. Hosts write `JWT` or nothing; our own session tokens never
 * count as a host's word.
 * @throws ERR_TOKEN_TYPE
 */
function checkHostType(header: JsonRecord): void {
  const { typ } = header
  const isHostType = typ === undefined || typ === 'JWT' || (typeof typ === 'string' && typ.toUpperCase() === 'JWT')
  if (!isHostType) throw new PartywallError('ERR_TOKEN_TYPE')
}

/**
 * Checks types first, then times.
 *
 * `exp` is required; `nbf` and `iat`, where present, are at most 60 s ahead. `iss` is required.
 * @throws ERR_TOKEN_CLAIMS wrong type, missing or out of bounds · ERR_TOKEN_EXPIRED · ERR_TOKEN_NOT_YET_VALID
 */
export function checkClaims(claims: JsonRecord, rules: ClaimRules): CheckedClaims {
  const checked = readClaims(claims, rules)
  checkTimes(checked, timeOf(claims, 'nbf'), rules)
  return checked
}

/**
 * @param accepted audiences any of which is enough, compared exactly
 * @throws ERR_TOKEN_AUDIENCE
 */
export function checkAudience(claims: Pick<CheckedClaims, 'audience'>, accepted: readonly string[]): void {
  if (!claims.audience.some(audience => accepted.includes(audience))) throw new PartywallError('ERR_TOKEN_AUDIENCE')
}

/**
 * The unverified issuer, for the look-up alone.
 * @throws ERR_TOKEN_CLAIMS
 */
export function claimedIssuer(claims: JsonRecord): string {
  const issuer = textOf(claims, 'iss', MAX_ISSUER_BYTES)
  if (issuer === undefined || Buffer.byteLength(issuer) > MAX_ISSUER_BYTES) throw wrongClaim('iss')
  return issuer
}

/**
 * A claim that is a non-empty text without U+0000 and lone surrogates (no database could look it up), or absent.
 * @throws ERR_TOKEN_CLAIMS
 */
export function textOf(claims: JsonRecord, name: string, maxLength: number = MAX_TEXT_LENGTH): string | undefined {
  const value = own(claims, name)
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '' || value.length > maxLength) throw wrongClaim(name)
  if (/[\0\p{Surrogate}]/u.test(value)) throw wrongClaim(name)
  return value
}

/**
 * A claim that is a time in epoch seconds, or absent.
 * @throws ERR_TOKEN_CLAIMS
 */
export function timeOf(claims: JsonRecord, name: string): number | undefined {
  const value = own(claims, name)
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !(value >= 0 && value <= LAST_SECOND)) throw wrongClaim(name)
  return value
}

/**
 * A claim that is a JSON object, or absent.
 * @throws ERR_TOKEN_CLAIMS
 */
export function recordOf(claims: JsonRecord, name: string): JsonRecord | undefined {
  const value = own(claims, name)
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongClaim(name)
  return value as JsonRecord
}

/** The error for a claim that is not what it must be; says which, never what it was. */
export const wrongClaim = (name: string) => new PartywallError('ERR_TOKEN_CLAIMS', { details: { claim: name } })

function readClaims(claims: JsonRecord, rules: ClaimRules): CheckedClaims {
  const expiresAt = timeOf(claims, 'exp')
  if (expiresAt === undefined) throw wrongClaim('exp')
  return {
    issuer: claimedIssuer(claims),
    subject: subjectOf(claims, rules),
    audience: audienceOf(claims),
    issuedAt: timeOf(claims, 'iat'),
    expiresAt,
    tokenId: textOf(claims, 'jti'),
    qsh: textOf(claims, 'qsh'),
    context: recordOf(claims, 'context'),
  }
}

function subjectOf(claims: JsonRecord, { subjectClaims = ['sub'], allowNumericSubject = false }: ClaimRules) {
  // Every one of the names is checked, also where an earlier one wins: a wrong type anywhere is a refusal.
  const subjects = subjectClaims.map(name => {
    const value = own(claims, name)
    return allowNumericSubject && Number.isSafeInteger(value) ? String(value) : textOf(claims, name)
  })
  return subjects.find(subject => subject !== undefined)
}

function audienceOf(claims: JsonRecord): readonly string[] {
  const value = own(claims, 'aud')
  if (!Array.isArray(value)) {
    const single = textOf(claims, 'aud')
    return single === undefined ? [] : [single]
  }
  const isTexts = value.length <= MAX_AUDIENCES && value.every(item => typeof item === 'string')
  if (!isTexts || value.some(item => item.length > MAX_TEXT_LENGTH)) throw wrongClaim('aud')
  return value
}

function checkTimes(claims: CheckedClaims, notBefore: number | undefined, rules: ClaimRules): void {
  const { now, leewaySeconds = DEFAULT_LEEWAY_SECONDS, maxAgeSeconds } = rules
  if (!(leewaySeconds >= 0 && leewaySeconds <= MAX_LEEWAY_SECONDS)) throw new TypeError('leewaySeconds is 0 to 120')
  if (!Number.isFinite(now)) throw new TypeError('now is a time in epoch seconds')
  const { issuedAt, expiresAt } = claims
  if (expiresAt + leewaySeconds <= now) throw expired('exp')
  if (notBefore !== undefined && notBefore > now + MAX_AHEAD_SECONDS) throw notYetValid('nbf')
  if (issuedAt !== undefined && issuedAt > now + MAX_AHEAD_SECONDS) throw notYetValid('iat')
  if (maxAgeSeconds === undefined) return
  if (issuedAt === undefined) throw wrongClaim('iat')
  if (issuedAt + maxAgeSeconds + leewaySeconds <= now) throw expired('iat')
}

/** Own members alone: `constructor` of an empty object is no claim. */
const own = (claims: JsonRecord, name: string): unknown => (Object.hasOwn(claims, name) ? claims[name] : undefined)
const expired = (claim: string) => new PartywallError('ERR_TOKEN_EXPIRED', { details: { claim } })
const notYetValid = (claim: string) => new PartywallError('ERR_TOKEN_NOT_YET_VALID', { details: { claim } })
