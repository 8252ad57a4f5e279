/** `ctx.locals`: what templates of pages in the host's frame need (protocol A6). */

import { inspect } from 'node:util'
import type { Authentication } from '../common/authentication.ts'
import type { AddonSettings } from './options.ts'
import type { HipchatTenant } from './tenant.ts'

export class Locals {
  /** Of the add-on, with its prefix, without trailing slash. */
  readonly localBaseUrl: string
  /** Of the tenant's host, without trailing slash. */
  readonly tenantBaseUrl: string
  /** The host's script for pages in its frame; the one for debugging in the environment `development`. */
  readonly tenantScriptUrl: string
  readonly tenantStylesheetUrl: string
  readonly #authentication: Authentication

  constructor(tenant: HipchatTenant, authentication: Authentication, settings: AddonSettings) {
    const assets = `${tenant.links.base}/atlassian-connect/all${settings.environment === 'development' ? '-debug' : ''}`
    this.localBaseUrl = settings.baseUrl
    this.tenantBaseUrl = tenant.links.base
    this.tenantScriptUrl = `${assets}.js`
    this.tenantStylesheetUrl = `${assets}.css`
    this.#authentication = authentication
    Object.freeze(this)
  }

  /** Even an inspection that calls getters gets the addresses alone. */
  [inspect.custom](): object {
    return { ...this }
  }

  /**
   * `authentication.token`, made when it is first read. No own field, so that copies and printers have it not.
   * @throws PartywallError ERR_SESSION_ENDED
   */
  get authToken(): string {
    return this.#authentication.token
  }
}
