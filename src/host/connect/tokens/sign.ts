/** Signs the host's tokens for one installation. */

import { signHs256 } from '../../../wire/jws.ts'
import type { ConnectInstallation } from '../apps/installation.ts'
import type { ConnectState } from '../state.ts'
import { baseClaims, type Claims, type Place, placeClaims, requestHash } from './claims.ts'

export interface SignedTarget {
  readonly method: string
  /** Absolute, without the token. */
  readonly url: string
}

/** HS256 with the secret the app has now, or the one given. Further claims win, so that a test can make odd tokens. */
export function signRequest(
  state: ConnectState,
  installation: ConnectInstallation,
  { method, url }: SignedTarget,
  {
    place = {},
    claims = {},
    secret,
  }: { readonly place?: Place; readonly claims?: Claims; readonly secret?: string } = {},
): string {
  const all = {
    ...baseClaims(state, installation),
    ...placeClaims(installation, place),
    qsh: requestHash(installation, method, url),
    ...claims,
  }
  return sign(all, secret ?? installation.sharedSecret)
}

/** What `AP.context.getToken` gives: of a user and place, for any address of the app. */
export function signContext(
  state: ConnectState,
  installation: ConnectInstallation,
  place: Place,
  claims: Claims = {},
): string {
  const all = {
    ...baseClaims(state, installation),
    ...placeClaims(installation, place),
    qsh: 'context-qsh',
    ...claims,
  }
  return sign(all, installation.sharedSecret)
}

/** RS256, for this app alone. */
export const signInstall = (
  state: ConnectState,
  installation: ConnectInstallation,
  { method, url }: SignedTarget,
): Promise<string> =>
  state.keys.sign({
    ...baseClaims(state, installation),
    aud: installation.appUrl,
    qsh: requestHash(installation, method, url),
  })

const sign = (claims: Claims, secret: string): string =>
  signHs256({ typ: 'JWT' }, JSON.parse(JSON.stringify(claims)), secret)
