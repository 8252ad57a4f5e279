/** What users allowed add-ons to do in their name: authorization codes, good once, and refresh tokens. */

import type { UserRecord } from '../model.ts'
import type { HostRandom } from '../random.ts'
import type { HostClock } from '../state.ts'
import type { Installation } from './installation.ts'
import type { TokenRights } from './tokens.ts'

export interface Grant extends TokenRights {
  readonly user: UserRecord
}

export interface GrantTable {
  /** @param redirectUri must be repeated when the code is used */
  issueCode(grant: Grant, redirectUri: string): string
  /** Ends the code, whatever comes of it. `undefined` when it is not good for this installation and address. */
  useCode(installation: Installation, code: string, redirectUri: string | undefined): Grant | undefined
  issueRefreshToken(grant: Grant): string
  findRefreshToken(installation: Installation, value: string): Grant | undefined
  revokeAll(installation: Installation): void
}

/** RFC 6749 s. 4.1.2 recommends ten minutes at most. */
const CODE_MS = 600_000

export function createGrants(clock: HostClock, random: HostRandom): GrantTable {
  const codes = new Map<string, { grant: Grant; redirectUri: string; expiresAt: number }>()
  const refreshTokens = new Map<string, Grant>()
  const usable = (installation: Installation, grant: Grant | undefined): Grant | undefined =>
    grant?.installation === installation && !grant.user.isDeleted ? grant : undefined
  return {
    issueCode: (grant, redirectUri) => {
      const code = random.text(32)
      codes.set(code, { grant, redirectUri, expiresAt: clock.now() + CODE_MS })
      return code
    },
    useCode: (installation, code, redirectUri) => {
      const known = codes.get(code)
      codes.delete(code)
      if (known === undefined || known.redirectUri !== redirectUri || known.expiresAt <= clock.now()) return undefined
      return usable(installation, known.grant)
    },
    issueRefreshToken: grant => {
      const value = random.text(40)
      refreshTokens.set(value, grant)
      return value
    },
    findRefreshToken: (installation, value) => usable(installation, refreshTokens.get(value)),
    revokeAll: installation => {
      for (const [code, { grant }] of codes) if (grant.installation === installation) codes.delete(code)
      for (const [value, grant] of refreshTokens) if (grant.installation === installation) refreshTokens.delete(value)
    },
  }
}
