/** One product of a site: to an app, a tenant with a client key of its own. */

import type { ConnectInstallation } from '../apps/installation.ts'
import type { Site } from './site.ts'

export type ProductType = 'jira' | 'confluence' | 'bitbucket'

/** Path below the site, as the real products have it; Bitbucket has no sites, so its place is ours. */
const PATHS: Readonly<Record<ProductType, string>> = { jira: '', confluence: '/wiki', bitbucket: '/bitbucket' }

export class Product {
  readonly type: ProductType
  readonly site: Site
  /** The same for every app on this product, over re-installs and renames. */
  readonly clientKey: string
  /** The newest of each app, by its key: also those that ended. */
  readonly installations = new Map<string, ConnectInstallation>()
  constructor(type: ProductType, site: Site, clientKey: string) {
    this.type = type
    this.site = site
    this.clientKey = clientKey
  }
  /** `cp` of page addresses. */
  get contextPath(): string {
    return PATHS[this.type]
  }
  /** Without trailing slash. */
  get baseUrl(): string {
    return `${this.site.url}${this.contextPath}`
  }
}
