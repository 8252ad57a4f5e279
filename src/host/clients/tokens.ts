/** Access tokens: issuing, finding, revoking. Every token belongs to one installation, and to one user if it acts for one. */

import type { UserRecord } from '../model.ts'
import type { HostRandom } from '../random.ts'
import type { HostClock } from '../state.ts'
import type { Installation } from './installation.ts'
import type { Scope } from './scopes.ts'

/** What a token is good for. */
export interface TokenRights {
  readonly installation: Installation
  readonly scopes: readonly Scope[]
  /** `undefined`: the add-on acts in its own name. */
  readonly user: UserRecord | undefined
}

export interface AccessToken {
  readonly value: string
  readonly installation: Installation
  readonly user: UserRecord | undefined
  readonly scopes: ReadonlySet<Scope>
  /** Epoch milliseconds. */
  readonly expiresAt: number
  /** Calls counted per limit; see `rest/limits`. */
  readonly counters: Map<string, { startedAt: number; calls: number }>
}

export interface TokenTable {
  issue(rights: TokenRights, seconds: number): AccessToken
  /** `undefined` when unknown, expired, revoked, or of a user who was deleted. */
  find(value: string): AccessToken | undefined
  revoke(value: string): void
  revokeAll(installation: Installation): void
}

export function createTokens(clock: HostClock, random: HostRandom): TokenTable {
  const byValue = new Map<string, AccessToken>()
  const byInstallation = new Map<Installation, Set<AccessToken>>()
  const drop = (token: AccessToken) => {
    byValue.delete(token.value)
    byInstallation.get(token.installation)?.delete(token)
  }
  return {
    issue: ({ installation, scopes, user }, seconds) => {
      const own = byInstallation.get(installation) ?? new Set()
      byInstallation.set(installation, own)
      for (const token of own) if (token.expiresAt <= clock.now()) drop(token)
      const token: AccessToken = {
        value: random.text(40),
        installation,
        user,
        scopes: new Set(scopes),
        expiresAt: clock.now() + seconds * 1000,
        counters: new Map(),
      }
      byValue.set(token.value, token)
      own.add(token)
      return token
    },
    find: value => {
      const token = byValue.get(value)
      if (token === undefined || token.expiresAt <= clock.now()) return undefined
      return token.user?.isDeleted === true ? undefined : token
    },
    revoke: value => {
      const token = byValue.get(value)
      if (token !== undefined) drop(token)
    },
    revokeAll: installation => {
      for (const token of byInstallation.get(installation) ?? []) drop(token)
      byInstallation.delete(installation)
    },
  }
}
