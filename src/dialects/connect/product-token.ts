/** The app's own word to a product (protocol s. 9.1): a token for one request, signed with the tenant's secret. */

import type { KeyObject } from 'node:crypto'
import { PartywallError } from '../../core/errors.ts'
import type { IdentityRecord } from '../../core/tenant.ts'
import { signHs256 } from '../../wire/jws.ts'
import { queryStringHash } from '../../wire/qsh.ts'
import { keysOf } from '../common/prove.ts'
import type { ConnectSettings } from './options.ts'
import { attributesOf } from './tenant.ts'

const LIFE_SECONDS = 180

export interface SignedCall {
  readonly method: string
  /** Exactly as it is sent. */
  readonly url: URL
  /** What the hash leaves out; default: the path of the tenant's base URL. */
  readonly basePath?: string
}

/**
 * @param now  epoch milliseconds
 * @throws PartywallError ERR_HOST_TOKEN_REFUSED the installation has no secret to sign with
 */
export function signCall(
  identity: IdentityRecord,
  settings: ConnectSettings,
  { method, url, basePath }: SignedCall,
  now: number,
): string {
  const key = keysOf(identity).host
  if (key === undefined)
    throw new PartywallError('ERR_HOST_TOKEN_REFUSED', { message: 'the installation has no secret' })
  const signer = { clientKey: identity.externalId, key }
  const below = basePath ?? new URL(attributesOf(identity).baseUrl).pathname
  return signAs(signer, settings, { method, url, basePath: below }, now)
}

/** The same for an installation that is not in the registry (yet). */
export function signAs(
  { clientKey, key }: { readonly clientKey: string; readonly key: KeyObject },
  settings: ConnectSettings,
  { method, url, basePath }: Required<SignedCall>,
  now: number,
): string {
  const iat = Math.floor(now / 1000)
  const claims = {
    iss: settings.key,
    aud: [clientKey],
    ...(settings.family === 'bitbucket' ? { sub: clientKey } : {}),
    iat,
    exp: iat + LIFE_SECONDS,
    qsh: queryStringHash({ method, target: url.pathname + url.search, basePath }),
  }
  return signHs256({ typ: 'JWT' }, claims, key)
}
