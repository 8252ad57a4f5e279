/**
 * Acting as a user (protocol s. 9.2): an assertion signed with the tenant's secret is exchanged for a bearer token of that user.
 * Keeping and sharing tokens is `core/tokens`'s matter; its key names tenant, secret version and user, in a digest.
 */

import { PartywallError } from '../../core/errors.ts'
import type { StoredToken } from '../../core/ports.ts'
import type { IdentityRecord } from '../../core/tenant.ts'
import { signHs256 } from '../../wire/jws.ts'
import { readTokenAnswer, requireToken } from '../../wire/oauth2.ts'
import { keysOf } from '../common/prove.ts'
import { checkAccountId } from './account-id.ts'
import { createBearerSigner } from './bearer-signer.ts'
import type { ClientDeps, Signer } from './host-api.ts'
import type { ConnectScope } from './options.ts'
import { requireScope } from './scopes.ts'
import { attributesOf } from './tenant.ts'

const ASSERTION_SECONDS = 60
/** A token is not used in its last seconds: the call has to arrive as well. */
const MARGIN_MS = 30_000
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/**
 * Speaks to the product as `accountId`.
 * @param scopes  of the token; left out: all that the app has
 * @throws PartywallError ERR_CALL_INVALID, ERR_SCOPE_UNDECLARED the descriptor lacks ACT_AS_USER or a named scope,
 *   ERR_ACT_AS_USER_UNAVAILABLE the installation brought no OAuth client id
 */
export function createUserSigner(
  identity: IdentityRecord,
  accountId: string,
  scopes: readonly ConnectScope[],
  deps: ClientDeps,
): Signer {
  checkAccountId(accountId)
  requireScope(deps.settings, 'ACT_AS_USER')
  for (const scope of scopes) requireScope(deps.settings, scope)
  const clientId = attributesOf(identity).oauthClientId
  if (clientId === undefined) throw new PartywallError('ERR_ACT_AS_USER_UNAVAILABLE')
  const wanted = { subject: `user:${accountId}`, scopes }
  return createBearerSigner(identity, wanted, () => exchange({ identity, clientId, accountId, scopes }, deps), deps)
}

interface Wanted {
  readonly identity: IdentityRecord
  readonly clientId: string
  readonly accountId: string
  readonly scopes: readonly ConnectScope[]
}

async function exchange(wanted: Wanted, deps: ClientDeps): Promise<StoredToken> {
  const server = deps.settings.authorizationServer
  const scope = [...new Set(wanted.scopes)].sort().join(' ')
  const form = new URLSearchParams({
    grant_type: GRANT,
    assertion: assertionFor(wanted, server, deps.clock.now()),
    ...(scope === '' ? {} : { scope }),
  })
  const answer = await deps.outbound.request({
    url: `${server}/oauth2/token`,
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
    allowedOrigins: [new URL(server).origin],
  })
  const token = requireToken(readTokenAnswer(answer, { now: deps.clock.now(), requestedScope: scope }))
  return { ...token, expiresAt: token.expiresAt - MARGIN_MS }
}

function assertionFor({ identity, clientId, accountId }: Wanted, server: string, now: number): string {
  const key = keysOf(identity).host
  if (key === undefined) throw new PartywallError('ERR_ACT_AS_USER_UNAVAILABLE')
  const iat = Math.floor(now / 1000)
  const claims = {
    iss: `urn:atlassian:connect:clientid:${clientId}`,
    sub: `urn:atlassian:connect:useraccountid:${accountId}`,
    tnt: attributesOf(identity).baseUrl,
    aud: server,
    iat,
    exp: iat + ASSERTION_SECONDS,
  }
  return signHs256({ typ: 'JWT' }, claims, key)
}
