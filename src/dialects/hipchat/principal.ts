/**
 * Who sends a request: finds the one token, the identity it names, and verifies it. Nothing is bound or stored here.
 *
 * The tenant is the issuer of the verified token and nothing else. An unknown issuer ends in the same error, after the same
 * work, as a wrong signature.
 */

import type { DialectDeps } from '../../core/dialect.ts'
import { PartywallError } from '../../core/errors.ts'
import { type IdentityKey, type IdentityRecord, isLive } from '../../core/tenant.ts'
import type { RequestView } from '../../http/view.ts'
import { type DecodedJws, decodeJws } from '../../wire/jws.ts'
import { claimedIssuer, verifyHostToken } from '../../wire/jwt.ts'
import { isSessionToken } from '../../wire/session-token.ts'
import { queryOf } from '../../wire/target.ts'
import { findToken, type TokenCarrier } from '../../wire/token-carrier.ts'
import type { Principal } from '../common/principal.ts'
import { keysOf, prove, proveSession } from '../common/prove.ts'
import type { AddonSettings } from './options.ts'

export type { Principal }

export interface PrincipalDeps extends Pick<DialectDeps, 'registry' | 'clock'> {
  readonly settings: AddonSettings
}

const CARRIERS: readonly TokenCarrier[] = ['query:signed_request', 'authorization:any', 'x-acpt']

export const identityKey = (settings: AddonSettings, externalId: string): IdentityKey => ({
  app: settings.key,
  environment: settings.environment,
  dialect: 'hipchat',
  externalId,
})

/**
 * Verifies a request of a page or webhook. Answers without waiting where the registry's cache may answer.
 *
 * @param options.hostOnly  refuses session tokens: only the host itself delivers webhooks
 * @throws PartywallError with status 401 and one public sentence, whatever is wrong; ERR_STORE_UNAVAILABLE
 */
export function authenticate(
  view: RequestView,
  deps: PrincipalDeps,
  options: { readonly hostOnly?: boolean } = {},
): Principal | Promise<Principal> {
  const { token } = findToken({ query: queryOf(view.target), headerValues: name => view.headerValues(name) }, CARRIERS)
  const jws = decodeJws(token)
  if (options.hostOnly && isSessionToken(jws)) throw new PartywallError('ERR_TOKEN_TYPE')
  const key = identityKey(deps.settings, claimedIssuer(jws.claims))
  return prove(jws, key, deps.registry, identity => verify(jws, identity, deps))
}

function verify(jws: DecodedJws, identity: IdentityRecord, deps: PrincipalDeps): Principal {
  const principal = isSessionToken(jws) ? proveSession(jws, identity, deps) : fromHost(jws, identity, deps)
  // After the signature, so that nobody without the secret learns which installations have ended.
  if (!isLive(identity)) throw new PartywallError('ERR_TENANT_DISABLED')
  return principal
}

function fromHost(jws: DecodedJws, identity: IdentityRecord, { settings, clock }: PrincipalDeps): Principal {
  const claims = verifyHostToken(
    jws,
    { algorithm: 'HS256', key: keysOf(identity).host },
    {
      now: clock.now() / 1000,
      maxAgeSeconds: settings.tokenTtlSeconds,
      subjectClaims: ['sub', 'prn'],
      allowNumericSubject: true,
    },
  )
  return {
    identity,
    token: jws.token,
    issuedAt: claims.issuedAt ?? claims.expiresAt,
    expiresAt: claims.expiresAt,
    tokenId: claims.tokenId,
    userId: claims.subject,
    context: claims.context,
    session: undefined,
  }
}
