/**
 * Proves a signed lifecycle event of Jira or Confluence (protocol s. 3): `installed` and `uninstalled` carry RS256 tokens whose
 * keys the configured key servers publish. The token binds address and query, the body is bound by remembering the token.
 *
 * Everything that can be refused without a key is refused before one is fetched. Nothing is stored here.
 */

import { createHash } from 'node:crypto'
import type { DialectDeps } from '../../core/dialect.ts'
import { PartywallError } from '../../core/errors.ts'
import { type JsonBody, readJsonBody } from '../../core/json-body.ts'
import type { KeySource, UsedToken } from '../../core/ports.ts'
import type { RequestView } from '../../http/view.ts'
import { decodeJws, type JsonRecord } from '../../wire/jws.ts'
import { type CheckedClaims, checkAudience, checkClaims, textOf, verifyHostToken, wrongClaim } from '../../wire/jwt.ts'
import { queryOf } from '../../wire/target.ts'
import { findToken } from '../../wire/token-carrier.ts'
import type { ConnectSettings } from './options.ts'
import { checkQueryHash } from './principal.ts'

export interface SignedLifecycleDeps extends Pick<DialectDeps, 'clock'> {
  readonly settings: ConnectSettings
  readonly keys: KeySource
}

/** A lifecycle event whose sender, address, age and tenant are proved; what its body says is the next question. */
export interface SignedEvent {
  readonly body: JsonBody
  /** The `clientKey`, of token and body alike. */
  readonly clientKey: string
  /** Epoch milliseconds of the token, by which events are ordered. */
  readonly at: number
  readonly usedToken: UsedToken
}

const MAX_KEY_ID_LENGTH = 256

/**
 * @throws PartywallError with status 401 for everything that is not proved; ERR_BODY_INVALID (400), ERR_CONTENT_TYPE (415); 503 when
 *   no key server answers
 */
export async function readSignedEvent(view: RequestView, deps: SignedLifecycleDeps): Promise<SignedEvent> {
  const { settings, keys, clock } = deps
  const source = { query: queryOf(view.target), headerValues: (name: string) => view.headerValues(name) }
  const jws = decodeJws(findToken(source, ['authorization']).token)
  const keyId = keyIdOf(jws.header)
  const rules = { now: clock.now() / 1000, leewaySeconds: settings.leewaySeconds }
  const { issuer } = checkRequest(checkClaims(jws.claims, rules), view, settings)
  const body = await readJsonBody(view)
  if (issuer !== clientKeyOf(body.value)) throw new PartywallError('ERR_TENANT_MISMATCH')
  const key = await keys.find(keyId)
  if (key === undefined) throw new PartywallError('ERR_TOKEN_SIGNATURE', { message: 'no usable key of this id' })
  const claims = verifyHostToken(jws, { algorithm: 'RS256', key }, rules)
  return {
    body,
    clientKey: issuer,
    at: issuedAtOf(claims) * 1000,
    usedToken: usedTokenOf(jws.token, body, claims.expiresAt + settings.leewaySeconds),
  }
}

/** A token is good for one body until it has expired. */
export function usedTokenOf(token: string, body: Pick<JsonBody, 'bytes'>, expiresAt: number): UsedToken {
  return { tokenHash: sha256(token), bodyHash: sha256(body.bytes), expiresAt: Math.ceil(expiresAt) * 1000 }
}

/** @throws PartywallError ERR_TOKEN_ALGORITHM before any key is looked for · ERR_TOKEN_CLAIMS no usable key id */
function keyIdOf(header: JsonRecord): string {
  if (header.alg !== 'RS256') throw new PartywallError('ERR_TOKEN_ALGORITHM')
  const keyId = textOf(header, 'kid', MAX_KEY_ID_LENGTH)
  if (keyId === undefined) throw wrongClaim('kid')
  return keyId
}

function checkRequest(claims: CheckedClaims, view: RequestView, settings: ConnectSettings): CheckedClaims {
  issuedAtOf(claims)
  // Compared after cutting one trailing slash, which products add or leave out.
  const audience = claims.audience.map(one => one.replace(/\/$/, ''))
  checkAudience({ audience }, settings.audiences)
  checkQueryHash(claims, view, undefined, settings)
  return claims
}

function issuedAtOf({ issuedAt }: CheckedClaims): number {
  if (issuedAt === undefined) throw wrongClaim('iat')
  return issuedAt
}

function clientKeyOf(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'clientKey' in body ? body.clientKey : undefined
}

const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest()
