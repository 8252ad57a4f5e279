/** Tokens by which Forge apps call the products: as themselves, or as a person of the site. */

import type { HostRandom } from '../../random.ts'
import type { ConnectScopeName } from '../apps/scopes.ts'
import type { Site } from '../sites/site.ts'
import type { ConnectUser } from '../sites/user.ts'
import type { ConnectState } from '../state.ts'

export interface ForgeToken {
  readonly site: Site
  readonly appId: string
  readonly scopes: readonly ConnectScopeName[]
  readonly user: ConnectUser | undefined
}

/** As a Forge platform asks. */
export interface ForgeCredentialRequest {
  readonly site: { readonly url: string }
  readonly appId: string
  readonly scopes: readonly string[]
  readonly as: { readonly kind: 'app' } | { readonly kind: 'user'; readonly accountId: string }
}

export interface ForgeTokens {
  /** Value of an `authorization` header; `undefined` for another site, and for a person who is not on it. */
  credentials(request: ForgeCredentialRequest): string | undefined
  find(text: string): ForgeToken | undefined
}

export function createForgeTokens(host: () => ConnectState, random: HostRandom): ForgeTokens {
  const tokens = new Map<string, ForgeToken>()
  const texts = new Map<string, string>()
  return {
    find: text => tokens.get(text),
    credentials({ site: { url }, appId, scopes, as }) {
      const site = [...host().sites.values()].find(one => [one.url, one.bitbucket.baseUrl].includes(url))
      if (site === undefined) return undefined
      const user = as.kind === 'user' ? site.users.get(as.accountId) : undefined
      if (as.kind === 'user' && user?.accountStatus !== 'active') return undefined
      const name = JSON.stringify([site.cloudId, appId, user?.accountId ?? null, scopes])
      const text = texts.get(name) ?? random.text(48)
      texts.set(name, text)
      tokens.set(text, { site, appId, scopes: productScopes(scopes), user })
      return `Bearer ${text}`
    },
  }
}

/** What this host asks of callers, as far as Forge's scopes speak of it. */
function productScopes(scopes: readonly string[]): readonly ConnectScopeName[] {
  const some = (pattern: RegExp) => scopes.some(scope => pattern.test(scope))
  return [
    ...(some(/^read:/) ? (['READ'] as const) : []),
    ...(some(/^write:/) ? (['WRITE'] as const) : []),
    ...(some(/^(?:delete:|write:[\w-]+$)/) ? (['DELETE'] as const) : []),
    ...(some(/^(?:manage|admin):/) ? (['ADMIN'] as const) : []),
    ...(some(/email-address/) ? (['ACCESS_EMAIL_ADDRESSES'] as const) : []),
  ]
}
