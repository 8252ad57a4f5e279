/** Everything one running Connect host knows; handed to every part, shared by none with another host. */

import type { AddonClient } from '../addon-client.ts'
import type { FaultTable } from '../faults/faults.ts'
import type { Hooks } from '../hooks.ts'
import type { ViewTable } from '../pages/views.ts'
import type { HostRandom } from '../random.ts'
import type { Route } from '../server/reply.ts'
import type { HostClock } from '../state.ts'
import type { ConnectInstallation } from './apps/installation.ts'
import type { ForgeEvent } from './forge/events.ts'
import type { ForgeTokens } from './forge/tokens.ts'
import type { KeyRing } from './keys/key-ring.ts'
import type { AccessTokens } from './oauth/access-tokens.ts'
import type { AppView } from './pages/frame.ts'
import type { Site } from './sites/site.ts'
import type { ConnectDeliveries } from './webhooks/deliveries.ts'
import type { ConnectDelivery } from './webhooks/delivery.ts'

/** Where a Connect host can be told to fail: key server, token endpoint, product APIs. A fault's `oauthId` is a client key. */
export type ConnectFaultPoint = 'keys' | 'token' | 'rest'
export type ConnectRoute = Route<ConnectInstallation>

/** One answered request to the host. Carries no token and no body. */
export interface ConnectRequest {
  readonly method: string
  /** Path without query. */
  readonly path: string
  /** 0 when a fault cut the connection or never answered. */
  readonly status: number
  /** Whose credentials came with it, if they were good. */
  readonly clientKey: string | undefined
  readonly appKey: string | undefined
  /** Epoch milliseconds on the host's clock. */
  readonly at: number
}

export interface ConnectEvents {
  /** After a request has been answered. */
  readonly request: ConnectRequest
  /** After each attempt of a delivery, whatever came of it. */
  readonly delivery: ConnectDelivery
  /** Something happened in a product: what a Forge app that is installed there hears of it. */
  readonly forge: ForgeEvent
}

export interface ConnectState {
  /** Origin without trailing slash. */
  readonly url: string
  readonly clock: HostClock
  readonly random: HostRandom
  readonly settings: ConnectHostSettings
  readonly keys: KeyRing
  /** By the name they have now. */
  readonly sites: Map<string, Site>
  /** Every installation ever tried, oldest first. */
  readonly installs: ConnectInstallation[]
  readonly accessTokens: AccessTokens
  readonly forge: ForgeTokens
  /** Pages that users have open in the host's own page. */
  readonly views: ViewTable<AppView>
  readonly deliveries: ConnectDeliveries
  readonly faults: FaultTable<ConnectFaultPoint>
  readonly hooks: Hooks<ConnectEvents>
  readonly apps: AddonClient
  /** Aborted when the host closes. */
  readonly closing: AbortSignal
}

export interface ConnectHostSettings {
  /** Seconds that a token of the host lives. */
  readonly tokenSeconds: number
  /** How long an app may take to answer the descriptor or a lifecycle call. */
  readonly callbackTimeoutMs: number
  /** How long an app may take to answer a webhook. */
  readonly webhookTimeoutMs: number
  /** Waits between the attempts of a Jira webhook; one attempt more than entries. Confluence makes one attempt. */
  readonly retryDelaysMs: readonly number[]
  /** Retry by timer; else only `host.retryPending()` does. */
  readonly automaticRetries: boolean
}
