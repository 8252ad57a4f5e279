/**
 * From the identity that a token names to a proved principal, with one fresh look where the record at hand may be old.
 *
 * The same for every dialect whose tenants share a secret with their host; which claims count is the dialect's matter.
 * Nothing is bound or stored here.
 */

import { createSecretKey, type KeyObject } from 'node:crypto'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import type { Clock, Registry } from '../../core/ports.ts'
import type { IdentityKey, IdentityRecord } from '../../core/tenant.ts'
import { type DecodedJws, hs256Key, verifyJws } from '../../wire/jws.ts'
import { verifySession } from '../../wire/session-token.ts'
import { perRecord } from './per-record.ts'
import type { Principal } from './principal.ts'

/** How a token is checked against one record of the identity it names. @throws PartywallError with status 401 */
export type Verify<P> = (identity: IdentityRecord) => P

/**
 * Verifies against the identity of `key`; without waiting where the registry's cache may answer.
 *
 * An unknown identity ends in the same error, after the same work, as a wrong signature. A signature or state that fails
 * against a record costs one fresh read, which the registry limits per second: there may have been a re-install.
 *
 * @throws what `verify` throws · ERR_TOKEN_SIGNATURE unknown identity · ERR_STORE_UNAVAILABLE
 */
export function prove<P>(jws: DecodedJws, key: IdentityKey, registry: Registry, verify: Verify<P>): P | Promise<P> {
  const cached = registry.peek(key)
  if (cached === undefined) return look(jws, key, registry, verify)
  try {
    return verify(cached)
  } catch (error) {
    return lookAgain(key, cached, registry, verify, error)
  }
}

async function look<P>(jws: DecodedJws, key: IdentityKey, registry: Registry, verify: Verify<P>): Promise<P> {
  const identity = await registry.find(key)
  if (identity === undefined) throw refuseUnknown(jws)
  try {
    return verify(identity)
  } catch (error) {
    return lookAgain(key, identity, registry, verify, error)
  }
}

async function lookAgain<P>(
  key: IdentityKey,
  seen: IdentityRecord,
  registry: Registry,
  verify: Verify<P>,
  error: unknown,
): Promise<P> {
  if (!isPartywallError(error, 'ERR_TOKEN_SIGNATURE') && !isPartywallError(error, 'ERR_TENANT_DISABLED')) throw error
  const fresh = await registry.findFresh(key)
  if (fresh === undefined || fresh.version === seen.version) throw error
  return verify(fresh)
}

function refuseUnknown(jws: DecodedJws): PartywallError {
  try {
    verifyJws(jws, { algorithm: 'HS256', key: undefined })
  } catch (error) {
    if (isPartywallError(error)) return error
    throw error
  }
  return new PartywallError('ERR_TOKEN_SIGNATURE')
}

/**
 * The principal of one of our own session tokens.
 * @throws PartywallError with status 401
 */
export function proveSession(
  jws: DecodedJws,
  identity: IdentityRecord,
  { settings, clock }: { readonly settings: { readonly baseUrl: string }; readonly clock: Pick<Clock, 'now'> },
): Principal {
  const session = verifySession(jws, {
    key: keysOf(identity).session,
    issuer: identity.externalId,
    baseUrl: settings.baseUrl,
    now: clock.now() / 1000,
  })
  return {
    identity,
    token: jws.token,
    issuedAt: session.issuedAt,
    expiresAt: session.expiresAt,
    tokenId: undefined,
    userId: session.subject,
    context: session.context,
    session,
  }
}

export interface IdentityKeys {
  /** Of the secret shared with the host. */
  readonly host: KeyObject | undefined
  /** Of our own session tokens; changes with the secret version. */
  readonly session: KeyObject | undefined
}

/** Key objects live as long as the record they belong to. */
export const keysOf = perRecord(({ secrets }: IdentityRecord): IdentityKeys => {
  const { sessionKey } = secrets
  return { host: hs256Key(secrets.get('secret')), session: sessionKey && createSecretKey(sessionKey) }
})
