/**
 * What crosses the wall between a guest and the platform, as types. JSON only. No tenant is part of it: the platform knows the
 * installation from the channel that a message came by.
 */

import type { JsonValue } from '../../core/tenant.ts'

/** One function call, from the platform to the guest. */
export interface GuestCall {
  /** `file.export`, as the manifest writes it. */
  readonly handler: string
  readonly payload: JsonValue
  /** The second argument of the function. */
  readonly context: GuestContext
  readonly runtime: RuntimeFacts
  /** Run-time variables of the environment; they are `process.env` of the function. */
  readonly variables: Readonly<Record<string, string>>
  /** Milliseconds that the function has from now on. */
  readonly timeoutMs: number
}

export interface GuestContext {
  /** ARI of the site that the installation is on. */
  readonly installContext: string
  readonly principal?: { readonly accountId: string }
  readonly license?: JsonValue
  readonly workspaceId?: string
  readonly installation: { readonly id: string; readonly contexts: readonly InstallationPlace[] }
}
export interface InstallationPlace {
  readonly ari: string
  readonly cloudId?: string
  readonly workspaceId?: string
}

/** What `__forge_runtime__` is made of; ids are bare UUIDs, the SDK makes ARIs of them. */
export interface RuntimeFacts {
  readonly appId: string
  readonly appVersion: string
  readonly environmentId: string
  readonly environmentType: 'DEVELOPMENT' | 'STAGING' | 'PRODUCTION'
  readonly invocationId: string
  readonly functionKey: string
  readonly moduleType: string
  readonly moduleKey: string
  readonly permissions: { readonly scopes: readonly string[]; readonly external: JsonValue }
  readonly trace: { readonly traceId: string; readonly spanId: string }
}

/** How a call ended, from the guest to the platform. */
export type GuestOutcome =
  /** `value` is left out where the function returned nothing that JSON knows. */
  { readonly ok: true; readonly value?: JsonValue } | { readonly ok: false; readonly error: GuestError }
export interface GuestError {
  readonly name: string
  readonly message: string
  readonly stack?: string
  /** HTTP status that the SDK's own errors carry. */
  readonly status?: number
  /** Of `NEEDS_AUTHENTICATION_ERR`. */
  readonly serviceKey?: string
}

/** Name of the one thing a guest asks of the platform. */
export const FETCH = 'fetch'

/** A request of the guest: to a product, to the platform's own services, or out into the world. What it is for says `meta`. */
export interface GuestRequest {
  /** As the SDK sends it; `{ type: 'egress' }` for a request into the world. */
  readonly meta: Readonly<Record<string, JsonValue>>
  /** Path at the target, or an absolute URL (egress). */
  readonly path: string
  readonly method: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body?: WireBody
  readonly redirect?: 'follow' | 'manual' | 'error'
}
export interface GuestResponse {
  readonly status: number
  readonly statusText: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body?: WireBody
  /** Where the answer came from after redirects. */
  readonly url?: string
  readonly redirected?: boolean
}

/** Bytes: as text where they are UTF-8, else in base64. */
export type WireBody = { readonly text: string } | { readonly base64: string }
