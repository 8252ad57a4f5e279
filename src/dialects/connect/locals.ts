/** `ctx.locals`: what templates of pages in the product's frame need (protocol s. 6), all of it from verified data. */

import { inspect } from 'node:util'
import type { Authentication } from '../common/authentication.ts'
import type { ConnectSettings } from './options.ts'
import type { ConnectTenant } from './tenant.ts'

export type License = 'active' | 'none'

export class ConnectLocals {
  readonly title: string
  readonly addonKey: string
  readonly clientKey: string
  /** Of the app, with its prefix, without trailing slash. */
  readonly localBaseUrl: string
  /** Of the tenant's product, without trailing slash. */
  readonly hostBaseUrl: string
  /** For links that people follow. */
  readonly hostUrl: string
  readonly hostScriptUrl: string
  readonly hostStylesheetUrl: string
  /** The product's id of the user; `undefined` for an anonymous one. */
  readonly userAccountId: string | undefined
  /** `undefined` where the request says nothing of it. */
  readonly license: License | undefined
  readonly #authentication: Authentication

  constructor(
    tenant: ConnectTenant,
    authentication: Authentication,
    license: License | undefined,
    settings: ConnectSettings,
  ) {
    this.title = settings.name
    this.addonKey = settings.key
    this.clientKey = tenant.clientKey
    this.localBaseUrl = settings.baseUrl
    this.hostBaseUrl = tenant.baseUrl
    this.hostUrl = tenant.displayUrl
    this.hostScriptUrl = settings.hostScriptUrl
    this.hostStylesheetUrl = `${tenant.baseUrl}/atlassian-connect/all.css`
    this.userAccountId = authentication.userId
    this.license = license
    this.#authentication = authentication
    Object.freeze(this)
  }

  /** Even an inspection that calls getters gets the public fields alone. */
  [inspect.custom](): object {
    return { ...this }
  }

  /**
   * `authentication.token`, made when it is first read. No own field, so that copies and printers have it not.
   * @throws PartywallError ERR_SESSION_ENDED
   */
  get token(): string {
    return this.#authentication.token
  }
}
