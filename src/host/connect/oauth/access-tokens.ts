/** Bearer tokens the host has issued: to whom, for which user, until when. */

import type { HostRandom } from '../../random.ts'
import type { HostClock } from '../../state.ts'
import type { ConnectInstallation } from '../apps/installation.ts'
import type { ConnectScopeName } from '../apps/scopes.ts'
import type { ConnectUser } from '../sites/user.ts'

export interface AccessToken {
  readonly installation: ConnectInstallation
  /** Whom calls act as; `undefined`: the app (Bitbucket). */
  readonly user: ConnectUser | undefined
  readonly scopes: readonly ConnectScopeName[]
  /** Epoch milliseconds on the host's clock. */
  readonly expiresAt: number
}

export interface AccessTokens {
  issue(token: Omit<AccessToken, 'expiresAt'>, seconds: number): string
  /** `undefined` for one that is unknown or too old. */
  find(text: string): AccessToken | undefined
  revokeAll(installation: ConnectInstallation): void
}

export function createAccessTokens(clock: HostClock, random: HostRandom): AccessTokens {
  const tokens = new Map<string, AccessToken>()
  return {
    issue: (token, seconds) => {
      const text = random.text(48)
      tokens.set(text, { ...token, expiresAt: clock.now() + seconds * 1000 })
      return text
    },
    find: text => {
      const token = tokens.get(text)
      return token !== undefined && token.expiresAt > clock.now() ? token : undefined
    },
    revokeAll: installation => {
      for (const [text, token] of tokens) if (token.installation === installation) tokens.delete(text)
    },
  }
}
