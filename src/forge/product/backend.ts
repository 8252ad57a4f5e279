/** What stands behind `requestJira` and its likes, as types: a simulated site, a real one, or answers that were recorded. */

import type { GuestResponse, Site } from '../services.ts'

/** For whom a product is asked. `nobody`: without credentials, as a stranger. */
export type ActingAs = Principal | { readonly kind: 'nobody' }
/** Who has credentials. */
export type Principal = { readonly kind: 'app' } | { readonly kind: 'user'; readonly accountId: string }

export interface ProductRequest {
  readonly site: Site
  readonly product: Site['product']
  readonly appId: string
  readonly scopes: readonly string[]
  readonly as: ActingAs
  readonly method: string
  /** `/rest/api/3/myself?expand=groups`, checked: it stays below the site's address. */
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer | undefined
  readonly signal: AbortSignal
}

export interface ProductBackend {
  /** @returns the product's answer · `needs-authentication`: this person has not let the app act for them */
  request(request: ProductRequest): Promise<GuestResponse | 'needs-authentication'>
}
