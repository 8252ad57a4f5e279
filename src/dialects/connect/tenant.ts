/**
 * The tenant as handlers see it: what the product said at its last install, secrets only to whom asks for them by name.
 *
 * `secret` is a getter of the class over a private field, so that spread, JSON, inspect, `structuredClone` and logs do not show it.
 */

import { inspect } from 'node:util'
import * as z from 'zod'
import type { IdentityRecord, JsonObject } from '../../core/tenant.ts'
import { perRecord } from '../common/per-record.ts'

/** What an installation leaves in the registry for us; everything public. */
const attributesShape = z.object({
  /** Of the product, for API calls; Confluence's ends in `/wiki`. Without trailing slash. */
  baseUrl: z.string(),
  /** Custom domain for links; the base URL where there is none. */
  displayUrl: z.string(),
  productType: z.string(),
  description: z.string().optional(),
  serverVersion: z.string().optional(),
  pluginsVersion: z.string().optional(),
  serviceEntitlementNumber: z.string().optional(),
  entitlementId: z.string().optional(),
  entitlementNumber: z.string().optional(),
  /** For acting as a user. */
  oauthClientId: z.string().optional(),
  cloudId: z.string().optional(),
  /** Of Connect on Forge. */
  installationId: z.string().optional(),
  /** The last install did not repeat the installation id that an earlier one had. */
  isInstallationIdUnconfirmed: z.boolean().optional(),
  /** Until when the secret before the last install verifies; epoch milliseconds. */
  previousSecretUntil: z.number().optional(),
  /** Fields of the body that we give no meaning, without the secret. */
  further: z.record(z.string(), z.unknown()).optional(),
})
export type ConnectAttributes = z.output<typeof attributesShape>

const readAttributes = perRecord(
  (attributes: JsonObject): ConnectAttributes => Object.freeze(attributesShape.parse(attributes)),
)

/** The attributes of one of our identities, checked once per record. */
export const attributesOf = (identity: IdentityRecord): ConnectAttributes => readAttributes(identity.attributes)

export interface ConnectTenantLinks {
  /** Product, for API calls. */
  readonly base: string
  /** REST API that comes with the product: below the base. */
  readonly api: string
  /** For people. */
  readonly display: string
}

export class ConnectTenant {
  /** The `clientKey`. */
  readonly id: string
  /** Key of the app this is an installation of. */
  readonly key: string
  readonly clientKey: string
  readonly baseUrl: string
  readonly displayUrl: string
  /** `jira`, `confluence`, `bitbucket`. */
  readonly productType: string
  readonly description: string | undefined
  readonly serverVersion: string | undefined
  readonly pluginsVersion: string | undefined
  readonly serviceEntitlementNumber: string | undefined
  readonly cloudId: string | undefined
  readonly installationId: string | undefined
  readonly links: ConnectTenantLinks
  readonly #identity: IdentityRecord

  constructor(identity: IdentityRecord) {
    const attributes = attributesOf(identity)
    this.id = identity.externalId
    this.clientKey = identity.externalId
    this.key = identity.app
    this.baseUrl = attributes.baseUrl
    this.displayUrl = attributes.displayUrl
    this.productType = attributes.productType
    this.description = attributes.description
    this.serverVersion = attributes.serverVersion
    this.pluginsVersion = attributes.pluginsVersion
    this.serviceEntitlementNumber = attributes.serviceEntitlementNumber
    this.cloudId = attributes.cloudId
    this.installationId = attributes.installationId
    this.links = Object.freeze({
      base: attributes.baseUrl,
      api: `${attributes.baseUrl}/rest/api`,
      display: attributes.displayUrl,
    })
    this.#identity = identity
    Object.freeze(this)
  }

  /** Even an inspection that calls getters gets the public fields alone. */
  [inspect.custom](): object {
    return { ...this }
  }

  /** Shared with the product: signs its tokens and ours. */
  get secret(): string | undefined {
    return this.#identity.secrets.get('secret')
  }
}

/** The view of a record; it is frozen, so one serves every request. */
export const tenantOf = perRecord((identity: IdentityRecord) => new ConnectTenant(identity))
