/** The authorization page, without its button: a user lets an add-on act in their name. */

import { groupRecord } from '../groups/group.ts'
import type { HostUser } from '../model.ts'
import type { HostState } from '../state.ts'
import { userRecord } from '../users/user.ts'
import type { Installation } from './installation.ts'
import { isScope, type Scope } from './scopes.ts'

export interface AuthorizeOptions {
  readonly user: HostUser
  /** One of the descriptor's `oauth2Consumer.redirectionUrls`. */
  readonly redirectUri: string
  /** Default: all of the descriptor's. */
  readonly scopes?: readonly string[]
  /** Comes back in the address. */
  readonly state?: string
}

/**
 * @returns where the browser is sent: the redirect URI with `code` and `state`
 * @throws TypeError for an address or scope that the descriptor does not name, or a user of another group
 */
export function authorize(state: HostState, installation: Installation, options: AuthorizeOptions): string {
  const { redirectUri } = options
  if (installation.state !== 'installed') throw new TypeError(`the installation is ${installation.state}`)
  if (!installation.descriptor.redirectionUrls.includes(redirectUri)) {
    throw new TypeError('the descriptor does not name this redirect URI')
  }
  const user = userRecord(groupRecord(state, installation.group), options.user)
  const scopes = scopesWithin(options.scopes, installation.descriptor.scopes)
  if (scopes === undefined) throw new TypeError('the descriptor does not declare one of these scopes')
  const url = new URL(redirectUri)
  url.searchParams.set('code', state.grants.issueCode({ installation, user, scopes }, redirectUri))
  if (options.state !== undefined) url.searchParams.set('state', options.state)
  return url.href
}

/** @returns all when none is wanted; `undefined` when one is not among the declared */
export function scopesWithin(
  wanted: readonly string[] | undefined,
  declared: readonly Scope[],
): readonly Scope[] | undefined {
  const scopes = (wanted ?? declared).filter(scope => isScope(scope)).filter(scope => declared.includes(scope))
  return scopes.length === (wanted ?? declared).length ? scopes : undefined
}
