/**
 * Access tokens of one tenant for its client: which scopes may be asked for, and what a refusal of the token endpoint means.
 * Keeping and sharing tokens is `core/tokens`'s matter.
 */

import { PartywallError } from '../../../core/errors.ts'
import type { StoredToken } from '../../../core/ports.ts'
import type { IdentityRecord } from '../../../core/tenant.ts'
import { requireToken } from '../../../wire/oauth2.ts'
import { endInstallation, type LifecycleDeps } from '../lifecycle.ts'
import { attributesOf } from '../tenant.ts'
import { askForToken, provesRemoval } from '../token-endpoint.ts'

export interface AccessTokens {
  /** @throws PartywallError ERR_SCOPE_UNDECLARED before anything leaves; ERR_HOST_TOKEN_REFUSED, ERR_HOST_*, ERR_OUTBOUND_* */
  get(scopes: readonly string[]): Promise<string>
  /** Forgets a token that `get` gave, wherever it is kept; others are unknown here and nothing happens. */
  forget(accessToken: string): Promise<void>
}

export function createAccessTokens(identity: IdentityRecord, deps: LifecycleDeps): AccessTokens {
  const scopesOfToken = new Map<string, readonly string[]>()
  return {
    async get(scopes) {
      checkScopes(scopes, deps)
      const { accessToken } = await deps.tokens.get(identity, { scopes }, () => requestToken(identity, scopes, deps))
      scopesOfToken.set(accessToken, scopes)
      return accessToken
    },
    async forget(accessToken) {
      const scopes = scopesOfToken.get(accessToken)
      if (scopes === undefined) return
      await deps.tokens.refuse(identity, { scopes }, accessToken)
      scopesOfToken.delete(accessToken)
    },
  }
}

/** @throws PartywallError ERR_SCOPE_UNDECLARED */
function checkScopes(scopes: readonly string[], { settings }: LifecycleDeps): void {
  const undeclared = scopes.find(scope => !settings.scopes.includes(scope))
  if (undeclared === undefined) return
  throw new PartywallError('ERR_SCOPE_UNDECLARED', {
    message: `the descriptor does not declare the scope ${undeclared}; add it to the add-on's scopes and re-install`,
    details: { scope: undeclared },
  })
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
