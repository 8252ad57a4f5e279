/**
 * Bitbucket's token swap (protocol s. 4.7): the app's own signed word is exchanged for a bearer token, which its REST API takes
 * where it takes no signed requests. Keeping and sharing tokens is `core/tokens`'s matter.
 */

import type { StoredToken } from '../../core/ports.ts'
import type { IdentityRecord } from '../../core/tenant.ts'
import { readTokenAnswer, requireToken } from '../../wire/oauth2.ts'
import { invalidField } from '../common/check.ts'
import { createBearerSigner } from './bearer-signer.ts'
import type { ClientDeps, Signer } from './host-api.ts'
import { signCall } from './product-token.ts'

export interface BitbucketTokenOptions {
  /** Bitbucket's names, such as `repository:write`; left out: all that the app has. */
  readonly scopes?: readonly string[]
  /** `{workspace}/{repository}` the token is good for; left out: all of the tenant's. */
  readonly repository?: string
}

/** Below the authorization server. */
export const TOKEN_PATH = '/site/oauth2/access_token'
export const GRANT = 'urn:bitbucket:oauth2:jwt'
const SUBJECT = 'the token swap'

/** @throws PartywallError ERR_CALL_INVALID another family than Bitbucket, or an odd scope or repository */
export function createBitbucketSigner(
  identity: IdentityRecord,
  { scopes = [], repository }: BitbucketTokenOptions,
  deps: ClientDeps,
): Signer {
  if (deps.settings.family !== 'bitbucket') throw invalidField('family', 'bitbucket alone has it', SUBJECT)
  if (!scopes.every(scope => /^[a-z][a-z:_-]{0,63}$/.test(scope)))
    throw invalidField('scopes', 'Bitbucket’s names', SUBJECT)
  if (repository !== undefined && !/^[\w.{}-]{1,100}\/[\w.{}-]{1,100}$/.test(repository)) {
    throw invalidField('repository', '{workspace}/{repository}', SUBJECT)
  }
  const wanted = { subject: `repository:${repository ?? ''}`, scopes }
  return createBearerSigner(identity, wanted, () => swap(identity, scopes, repository, deps), deps)
}

async function swap(
  identity: IdentityRecord,
  scopes: readonly string[],
  repository: string | undefined,
  deps: ClientDeps,
): Promise<StoredToken> {
  const url = new URL(deps.settings.authorizationServer + TOKEN_PATH)
  const basePath = new URL(deps.settings.authorizationServer).pathname
  const token = signCall(identity, deps.settings, { method: 'POST', url, basePath }, deps.clock.now())
  const scope = [...new Set(scopes)].sort().join(' ')
  const form = new URLSearchParams({
    grant_type: GRANT,
    ...(scope === '' ? {} : { scope }),
    ...(repository === undefined ? {} : { bitbucket_repository: repository }),
  })
  const answer = await deps.outbound.request({
    url: url.href,
    method: 'POST',
    headers: {
      accept: 'application/json',
      authorization: `JWT ${token}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: form.toString(),
    allowedOrigins: [url.origin],
  })
  return requireToken(readTokenAnswer(answer, { now: deps.clock.now(), requestedScope: scope }))
}
