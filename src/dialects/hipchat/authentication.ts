/**
 * `ctx.authentication`: what the token of a page request says, and a session token for the page's own next requests.
 */

import { inspect } from 'node:util'
import type { Clock } from '../../core/ports.ts'
import { mintSession, refreshSession } from '../../wire/session-token.ts'
import { keysOf } from '../common/prove.ts'
import type { AddonSettings } from './options.ts'
import type { Principal } from './principal.ts'

/** `context` of the token, with the time zone under one name. */
export interface AuthenticationContext {
  readonly room_id?: number
  /** IANA zone of the user. */
  readonly tz?: string
  readonly [name: string]: unknown
}

export class Authentication {
  /** Id of the tenant. */
  readonly issuer: string
  /** Epoch seconds. */
  readonly issued: number
  /** The host's id of the user, as text; `undefined` when the host named none. */
  readonly userId: string | undefined
  /** Epoch seconds. */
  readonly expiry: number
  readonly context: AuthenticationContext
  readonly #mint: () => string
  #token: string | undefined

  constructor(principal: Principal, mint: () => string) {
    this.issuer = principal.identity.externalId
    this.issued = principal.issuedAt
    this.userId = principal.userId
    this.expiry = principal.expiresAt
    this.context = contextOf(principal)
    this.#mint = mint
    Object.freeze(this)
  }

  /** Even an inspection that calls getters gets the public fields alone. */
  [inspect.custom](): object {
    return { ...this }
  }

  /**
   * A session token for this user, made at first use; the response then carries it in the header `JWT` too. The page sends it
   * back as `Authorization: JWT token=...`, `X-acpt` or `signed_request`.
   * @throws PartywallError ERR_SESSION_ENDED when the chain of sessions has reached its end
   */
  get token(): string {
    this.#token ??= this.#mint()
    return this.#token
  }

  /** The token if somebody asked for one. */
  static mintedOf(authentication: Authentication): string | undefined {
    return authentication.#token
  }
}

export function createAuthentication(principal: Principal, settings: AddonSettings, clock: Clock): Authentication {
  return new Authentication(principal, () => {
    const scope = {
      key: keysOf(principal.identity).session,
      issuer: principal.identity.externalId,
      baseUrl: settings.baseUrl,
      now: clock.now() / 1000,
    }
    const lifetime = { lifetimeSeconds: settings.sessionSeconds, absoluteSeconds: settings.sessionMaxSeconds }
    if (principal.session) return refreshSession(principal.session, scope, lifetime)
    return mintSession({ subject: principal.userId, context: principal.context }, scope, lifetime)
  })
}

function contextOf({ context }: Principal): AuthenticationContext {
  if (context === undefined) return Object.freeze({})
  const zone = context.user_tz ?? context.tz
  return Object.freeze(typeof zone === 'string' ? { ...context, tz: zone } : { ...context })
}
