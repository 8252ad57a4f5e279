/**
 * The tenant as handlers see it: ids and links to look at, secrets only to whom asks for them by name.
 *
 * `secret` and `webhookToken` are getters of the class over private fields, so that spread, JSON, inspect, `structuredClone`
 * and logs show neither.
 */

import { inspect } from 'node:util'
import * as z from 'zod'
import type { IdentityRecord, JsonObject } from '../../core/tenant.ts'
import { perRecord } from '../common/per-record.ts'

export interface TenantLinks {
  readonly capabilities: string
  readonly base: string
  /** Without trailing slash. */
  readonly api: string
  readonly token: string
}

/** What an installation leaves in the registry for us; everything public. */
export interface HipchatAttributes {
  readonly group: number
  readonly room?: number | undefined
  readonly links: TenantLinks
  /** Scopes the host granted a token for at install. */
  readonly scopes: readonly string[]
}

const attributesShape = z.object({
  group: z.number(),
  room: z.number().optional(),
  links: z.object({ capabilities: z.string(), base: z.string(), api: z.string(), token: z.string() }),
  scopes: z.array(z.string()),
})

const readAttributes = perRecord(
  (attributes: JsonObject): HipchatAttributes => Object.freeze(attributesShape.parse(attributes)),
)

/** The attributes of one of our identities, checked once per record. */
export const attributesOf = (identity: IdentityRecord): HipchatAttributes => readAttributes(identity.attributes)

export class HipchatTenant {
  /** The `oauthId` the host gave this installation. */
  readonly id: string
  readonly group: number
  /** `undefined` when installed for the whole group. */
  readonly room: number | undefined
  readonly links: TenantLinks
  readonly #identity: IdentityRecord

  constructor(identity: IdentityRecord) {
    const attributes = attributesOf(identity)
    this.id = identity.externalId
    this.group = attributes.group
    this.room = attributes.room
    this.links = attributes.links
    this.#identity = identity
    Object.freeze(this)
  }

  /** Even an inspection that calls getters gets the public fields alone. */
  [inspect.custom](): object {
    return { ...this }
  }

  /** Shared with the host: signs its tokens. */
  get secret(): string | undefined {
    return this.#identity.secrets.get('secret')
  }

  /** Proves the webhooks this tenant registered at run time; made at first install, kept over updates. */
  get webhookToken(): string | undefined {
    return this.#identity.secrets.get('webhookToken')
  }
}

/** The view of a record; it is frozen, so one serves every request. */
export const tenantOf = perRecord((identity: IdentityRecord) => new HipchatTenant(identity))
