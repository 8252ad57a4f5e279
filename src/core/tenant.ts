/**
 * The tenant model: a tenant owns data, an identity is how a host names a tenant.
 *
 * State, order of events, secrets, links, group and room belong to the identity; region, hold and the date of erasure to
 * the tenant. Nothing here knows a protocol or a database.
 */

import { inspect } from 'node:util'
import type { IdentityUid, TenantUid } from './ids.ts'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue }
export type JsonObject = { readonly [key: string]: JsonValue }

export type DialectId = 'hipchat' | 'connect' | 'forge'
export type IdentityState = 'installed' | 'enabled' | 'disabled' | 'uninstalled' | 'retired'
export type TenantHold = 'none' | 'frozen' | 'moving' | 'erasing'

/** Unique over all identities; `app` is known from the route, `externalId` from a verified token or lifecycle event. */
export interface IdentityKey {
  readonly app: string
  readonly environment: string
  readonly dialect: DialectId
  /** HipChat `oauthId`, Connect `clientKey`, Forge `installationId`. */
  readonly externalId: string
}

/**
 * What the registry knows of an identity. Immutable; every change makes a new one with a higher `version`.
 * The secrets stand behind `secrets`, which no spread, JSON, inspect, clone or log reaches.
 */
export interface IdentityRecord extends IdentityKey {
  readonly uid: IdentityUid
  readonly tenantUid: TenantUid
  /** `host[:port]`, fixed at first install; the same id from another host is refused. */
  readonly host: string
  readonly state: IdentityState
  /** Grows by one with every change. */
  readonly version: number
  /** Grows by one whenever the shared secret changes. */
  readonly secretVersion: number
  /** Time of the newest accepted lifecycle event, epoch milliseconds. */
  readonly orderedAt: number
  /** Public facts of the dialect (links, group, room ...), as the dialect wrote them. */
  readonly attributes: JsonObject
  readonly region: string
  readonly hold: TenantHold
  readonly secrets: IdentitySecrets
}

/** Opened secrets of an identity, by name (`secret`, `webhookToken`), kept out of every printer. */
export class IdentitySecrets {
  readonly #values: ReadonlyMap<string, string>
  readonly #sessionKey: Uint8Array | undefined

  /** @param sessionKey 32 bytes from which session tokens of this identity are keyed; changes with the secret version */
  constructor(values: ReadonlyMap<string, string>, sessionKey?: Uint8Array) {
    this.#values = values
    this.#sessionKey = sessionKey
  }

  get(name: string): string | undefined {
    return this.#values.get(name)
  }

  get sessionKey(): Uint8Array | undefined {
    return this.#sessionKey
  }

  /** Shows nothing. */
  toJSON(): undefined {
    return undefined
  }

  /** Shows nothing, also where getters are asked for. */
  [inspect.custom](): string {
    return 'IdentitySecrets {}'
  }
}

/** True where requests, jobs and calls of this identity may run. `installed` is HipChat's and Forge's running state. */
export const isLive = (identity: Pick<IdentityRecord, 'state' | 'hold'>): boolean =>
  (identity.state === 'installed' || identity.state === 'enabled') && identity.hold === 'none'
