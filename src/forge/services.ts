/**
 * The services that stand behind a guest's requests, as types: storage, products, the world outside, queues. Each gets the tenant
 * context of the calling installation from the platform, never from the request.
 */

import type { TenantContext } from '../core/context.ts'
import type { GuestRequest, GuestResponse } from './guest/protocol.ts'
import type { Manifest } from './manifest/types.ts'

/** An installation as a request of its code sees it: facts of the registry, nothing that the code said. */
export interface Caller {
  readonly context: TenantContext
  readonly manifest: Manifest
  readonly appId: string
  /** `development`, `staging`, `production`, or a name of the developer's. */
  readonly environment: string
  readonly environmentId: string
  readonly environmentType: 'DEVELOPMENT' | 'STAGING' | 'PRODUCTION'
  readonly appVersion: string
  readonly installationId: string
  readonly site: Site
  /** Account that the call is made for; left out for events, schedules, web triggers and queues. */
  readonly accountId?: string
  /** Module and function that run. */
  readonly moduleKey: string
  readonly functionKey: string
  /** Of a queue's event: how many pushes led to it. */
  readonly chain?: number
  readonly signal: AbortSignal
}

/** Where an installation is: one product of one site. */
export interface Site {
  readonly product: 'jira' | 'confluence' | 'bitbucket'
  /** `ari:cloud:jira::site/<cloudId>`. */
  readonly contextAri: string
  readonly cloudId: string
  /** `https://example.atlassian.net`, without a slash at the end. */
  readonly url: string
}

/** One of the platform's services; refusals are answers with a status, as the SDK expects them. */
export interface GuestService {
  handle(caller: Caller, request: GuestRequest): Promise<GuestResponse>
}

export type { GuestRequest, GuestResponse }
