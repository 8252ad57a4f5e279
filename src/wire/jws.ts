/**
 * Strict compact JWS (RFC 7515) on `node:crypto`: take apart, verify with a pinned algorithm, sign. Synchronous throughout.
 *
 * Exactly one spelling of a token is accepted: three parts of canonical unpadded base64url, header and claims as JSON
 * objects in valid UTF-8. Nothing in the token chooses algorithm or key. What claims mean is `jwt.ts`'s matter.
 */

import { isUtf8 } from 'node:buffer'
import { createHmac, createSecretKey, KeyObject, randomBytes, sign, timingSafeEqual, verify } from 'node:crypto'
import { PartywallError } from '../core/errors.ts'

export type JsonRecord = Readonly<Record<string, unknown>>
export type JwsAlgorithm = 'HS256' | 'RS256'
/** HS256: a secret `KeyObject` (fastest), bytes, or text taken as UTF-8. RS256: a public RSA `KeyObject`. */
export type JwsKey = KeyObject | Uint8Array | string

/** A token in its three parts. Nothing of it is proved until `verifyJws` returned. */
export interface CompactJws {
  readonly token: string
  readonly header: JsonRecord
  /** `header.payload` as received: what the signature covers. */
  readonly signedText: string
  readonly signature: Buffer
}

/** A token whose payload is a JSON object. `claims` are unverified: good for finding the issuer's key, nothing else. */
export interface DecodedJws extends CompactJws {
  readonly claims: JsonRecord
}

export interface JwsExpectation {
  /** Fixed by the route, never read from the token. */
  readonly algorithm: JwsAlgorithm
  /**
   * A missing or empty key never verifies anything, at the cost of a real HS256 check. For a token whose issuer
   * nobody knows, `undefined` is the right key: error, status and time are those of a wrong signature.
   */
  readonly key: JwsKey | undefined
}

/** Characters of a whole token. */
export const MAX_TOKEN_LENGTH = 8192
/**
 * Bytes of an HS256 secret. A host chooses its secrets, and refusing a weak one would lock its tenant out without making
 * it any stronger; an empty one is none.
 */
const MIN_HS256_KEY_BYTES = 1
const MIN_RSA_BITS = 2048
// A larger modulus or exponent would let whoever publishes a key choose how long a check takes.
const MAX_RSA_BITS = 8192
const MAX_RSA_EXPONENT = 0xffffffffn

/**
 * Takes a token apart and reads header and claims, without any proof: to find the issuer, then verify.
 *
 * A repeated member counts as its last value, as RFC 7515 s. 4 and RFC 7519 s. 4 allow; look-up and check read the same
 * object, so the two cannot disagree. A member `__proto__` is an ordinary own property.
 * @throws ERR_TOKEN_MALFORMED
 */
export function decodeJws(token: string): DecodedJws {
  const parts = cut(token)
  const { header, signedText, signature } = openParts(token, parts)
  return { token, header, signedText, signature, claims: parseObject(parts.payload) }
}

/**
 * Takes a token apart whatever its payload is: RFC 7515 lets it be any bytes.
 * @throws ERR_TOKEN_MALFORMED
 */
export function splitJws(token: string): CompactJws {
  const parts = cut(token)
  decodeToScratch(parts.payload)
  return openParts(token, parts)
}

/**
 * Returns when the signature is right; header members `jwk`, `jku`, `x5u`, `x5c` are never read.
 * @throws ERR_TOKEN_ALGORITHM the token names another algorithm · ERR_TOKEN_SIGNATURE wrong signature or unusable key ·
 *   ERR_TOKEN_MALFORMED not a strict compact JWS, or its header has `crit`
 * @example verifyJws(decodeJws(token), { algorithm: 'HS256', key: hs256Key(secret) })
 */
export function verifyJws(jws: CompactJws | string, { algorithm, key }: JwsExpectation): void {
  const compact = typeof jws === 'string' ? splitJws(jws) : jws
  checkHeader(compact.header, algorithm)
  const isRight = algorithm === 'HS256' ? isRightHmac(compact, key) : isRightRsa(compact, key)
  if (!isRight) throw new PartywallError('ERR_TOKEN_SIGNATURE')
}

/**
 * The key of an HS256 secret, to be kept with the tenant; `undefined` when the secret can be none: missing, empty, or
 * the text that a missing value prints as.
 */
export function hs256Key(secret: unknown): KeyObject | undefined {
  if (secret === 'undefined' || secret === 'null' || secret === '[object Object]') return undefined
  const bytes = typeof secret === 'string' ? Buffer.from(secret, 'utf8') : secret
  if (!(bytes instanceof Uint8Array) || bytes.length < MIN_HS256_KEY_BYTES) return undefined
  return createSecretKey(bytes)
}

/**
 * Signs with HS256. `alg` is set here; the caller's header adds `typ` and the like.
 * @throws ERR_TOKEN_MALFORMED the token would be too long for anyone to accept · TypeError unusable key
 */
export function signHs256(header: JsonRecord, claims: JsonRecord, key: JwsKey): string {
  const usable = usableHmacKey(key)
  if (usable === undefined) throw new TypeError(`an HS256 key has at least ${MIN_HS256_KEY_BYTES} bytes`)
  const text = signedTextOf({ ...header, alg: 'HS256' }, claims)
  return fits(`${text}.${createHmac('sha256', usable).update(text).digest('base64url')}`)
}

/**
 * Signs with RS256: what a host does.
 * @param key private RSA key of 2048 bits or more
 * @throws ERR_TOKEN_MALFORMED the token would be too long for anyone to accept · TypeError unusable key
 */
export function signRs256(header: JsonRecord, claims: JsonRecord, key: KeyObject): string {
  if (!isUsableRsaKey(key, 'private')) throw new TypeError('an RS256 key is a private RSA key of 2048 bits or more')
  const text = signedTextOf({ ...header, alg: 'RS256' }, claims)
  return fits(`${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`)
}

interface Parts {
  readonly header: string
  readonly payload: string
  readonly signature: string
  readonly signedText: string
}

function cut(token: string): Parts {
  if (typeof token !== 'string') throw malformed('not text')
  if (token.length > MAX_TOKEN_LENGTH) throw malformed('too long')
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first < 0 || second < 0 || token.includes('.', second + 1)) throw malformed('not three parts')
  return {
    header: token.slice(0, first),
    payload: token.slice(first + 1, second),
    signature: token.slice(second + 1),
    signedText: token.slice(0, second),
  }
}

function openParts(token: string, parts: Parts): CompactJws {
  const signature = Buffer.from(scratch.subarray(0, decodeToScratch(parts.signature)))
  const header = commonHeaders.get(parts.header) ?? parseObject(parts.header)
  return { token, header, signedText: parts.signedText, signature }
}

// One buffer for all decoding: everything here is synchronous, and nothing that is returned points into it.
const scratch = Buffer.allocUnsafeSlow(MAX_TOKEN_LENGTH)

/** Decodes into the scratch buffer and returns the number of bytes. */
function decodeToScratch(segment: string): number {
  const size = scratch.write(segment, 0, 'base64url')
  // Node decodes leniently. Only the canonical spelling comes back the same: no padding, no `+` or `/`, no blanks, no
  // left-over bits, no length that four does not allow.
  if (scratch.toString('base64url', 0, size) !== segment) throw malformed('not canonical base64url')
  return size
}

function parseObject(segment: string): JsonRecord {
  const size = decodeToScratch(segment)
  if (!isUtf8(scratch.subarray(0, size))) throw malformed('not UTF-8')
  const value = parseJson(scratch.toString('utf8', 0, size))
  if (!isRecord(value)) throw malformed('not a JSON object')
  return value
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, and the text is part of a token: it must not become a `cause`.
    throw malformed('not JSON')
  }
}

const isRecord = (value: unknown): value is JsonRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

// Headers that nearly every token has: found by their segment instead of being decoded each time. Fixed, so that no
// flood of odd tokens can push them out.
const commonHeaders: ReadonlyMap<string, JsonRecord> = new Map(
  [
    '{"typ":"JWT","alg":"HS256"}',
    '{"alg":"HS256","typ":"JWT"}',
    '{"alg":"HS256"}',
    '{"typ":"pw-session+jwt","alg":"HS256"}',
  ].map(text => [Buffer.from(text).toString('base64url'), Object.freeze(JSON.parse(text) as JsonRecord)]),
)

function checkHeader(header: JsonRecord, algorithm: JwsAlgorithm): void {
  if (header.alg !== algorithm) throw new PartywallError('ERR_TOKEN_ALGORITHM')
  // We implement no extension, so every critical one is one too many (RFC 7515 s. 4.1.11); `"crit": null` as well.
  if (Object.hasOwn(header, 'crit')) throw malformed('has critical header members')
  // RFC 7797: an unencoded payload is another signed text than the one we check.
  if (Object.hasOwn(header, 'b64')) throw malformed('has the header member b64')
}

// Stands in where there is no key, so that "no such tenant" costs what "wrong signature" costs. Nothing is signed with it.
const nobodysKey = createSecretKey(randomBytes(32))

function isRightHmac(jws: CompactJws, key: JwsKey | undefined): boolean {
  const usable = usableHmacKey(key)
  const expected = createHmac('sha256', usable ?? nobodysKey)
    .update(jws.signedText)
    .digest()
  const isEqual = jws.signature.length === expected.length && timingSafeEqual(jws.signature, expected)
  return isEqual && usable !== undefined
}

function usableHmacKey(key: JwsKey | undefined): KeyObject | undefined {
  if (!(key instanceof KeyObject)) return hs256Key(key)
  return key.type === 'secret' && (key.symmetricKeySize ?? 0) >= MIN_HS256_KEY_BYTES ? key : undefined
}

// No stand-in here: which public keys exist is no secret.
function isRightRsa(jws: CompactJws, key: JwsKey | undefined): boolean {
  if (!isUsableRsaKey(key, 'public')) return false
  return verify('sha256', Buffer.from(jws.signedText), key, jws.signature)
}

/** True for an RSA key of a size and exponent that protect something and cost a bounded time. */
function isUsableRsaKey(key: unknown, type: 'public' | 'private'): key is KeyObject {
  if (!(key instanceof KeyObject) || key.type !== type || key.asymmetricKeyType !== 'rsa') return false
  const { modulusLength: bits = 0, publicExponent: exponent = 0n } = key.asymmetricKeyDetails ?? {}
  const isSizeRight = bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS
  return isSizeRight && exponent >= 3n && exponent <= MAX_RSA_EXPONENT
}

function signedTextOf(header: JsonRecord, claims: JsonRecord): string {
  const encode = (value: JsonRecord) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode(header)}.${encode(claims)}`
}

function fits(token: string): string {
  if (token.length > MAX_TOKEN_LENGTH) throw malformed('too long')
  return token
}

const malformed = (why: string) => new PartywallError('ERR_TOKEN_MALFORMED', { message: `The token is ${why}.` })
