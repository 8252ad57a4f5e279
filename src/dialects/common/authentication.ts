/**
 * `ctx.authentication`: what the token of a request says, and a session token for the page's own next requests. The same in every
 * dialect; how a dialect reads the token's context is its own matter.
 */

import { inspect } from 'node:util'
import type { Clock } from '../../core/ports.ts'
import { mintSession, refreshSession } from '../../wire/session-token.ts'
import type { Principal } from './principal.ts'
import { keysOf } from './prove.ts'

/** `context` of the token, as the dialect reads it. */
export interface AuthenticationContext {
  readonly [name: string]: unknown
}

export interface SessionSettings {
  readonly baseUrl: string
  readonly sessionSeconds: number
  readonly sessionMaxSeconds: number
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

  constructor(principal: Principal, context: AuthenticationContext, mint: () => string) {
    this.issuer = principal.identity.externalId
    this.issued = principal.issuedAt
    this.userId = principal.userId
    this.expiry = principal.expiresAt
    this.context = Object.freeze(context)
    this.#mint = mint
    Object.freeze(this)
  }

  /** Even an inspection that calls getters gets the public fields alone. */
  [inspect.custom](): object {
    return { ...this }
  }

  /**
   * A session token for this user, made at first use; the response then carries it in a header too (HipChat `JWT`, Connect
   * `X-acpt`). The page sends it back as `Authorization: JWT ...` or `X-acpt`, in HipChat also as `signed_request`.
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

export function createAuthentication(
  principal: Principal,
  context: AuthenticationContext,
  settings: SessionSettings,
  clock: Clock,
): Authentication {
  return new Authentication(principal, context, () => {
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
