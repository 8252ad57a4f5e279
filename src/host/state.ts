/** Everything one running host knows; handed to every part, shared by none with another host. */

import type { Clock } from '../core/ports.ts'
import type { AddonClient } from './addon-client.ts'
import type { GrantTable } from './clients/grants.ts'
import type { Installation } from './clients/installation.ts'
import type { TokenTable } from './clients/tokens.ts'
import type { Emoticon } from './emoticons/emoticon.ts'
import type { ExtensionTable } from './extensions/table.ts'
import type { FaultTable } from './faults/faults.ts'
import type { FileTable } from './files/files.ts'
import type { GlanceTable } from './glances/table.ts'
import type { Hooks } from './hooks.ts'
import type { GroupRecord, RoomRecord, UserRecord } from './model.ts'
import type { ViewTable } from './pages/views.ts'
import type { HostRandom } from './random.ts'
import type { Deliveries } from './webhooks/deliveries.ts'

export type HostClock = Pick<Clock, 'now'>

export interface HostState {
  /** Origin without trailing slash. */
  readonly url: string
  readonly clock: HostClock
  readonly random: HostRandom
  readonly settings: HostSettings
  readonly groups: Map<number, GroupRecord>
  readonly rooms: Map<number, RoomRecord>
  readonly users: Map<number, UserRecord>
  /** OAuth clients by id: being installed, or installed. */
  readonly clients: Map<string, Installation>
  readonly tokens: TokenTable
  readonly grants: GrantTable
  /** Installation documents of the browser flow, by their one-time ticket. */
  readonly tickets: Map<string, unknown>
  /** Add-ons that install links may name by key: where their descriptors are. */
  readonly catalog: Map<string, string | object>
  /** Whose browser opens the host's own pages. */
  readonly session: { user: UserRecord | undefined }
  readonly extensions: ExtensionTable
  readonly glances: GlanceTable
  readonly views: ViewTable
  readonly files: FileTable
  /** Those of every group. */
  readonly emoticons: readonly Emoticon[]
  readonly deliveries: Deliveries
  readonly faults: FaultTable
  readonly hooks: Hooks
  readonly addons: AddonClient
  /** Aborted when the host closes. */
  readonly closing: AbortSignal
}

export interface HostSettings {
  /** Seconds that an access token lives. */
  readonly tokenSeconds: number
  /** How long an add-on may take to answer a lifecycle call or the descriptor. */
  readonly callbackTimeoutMs: number
  /** How long an add-on may take to answer a webhook. */
  readonly webhookTimeoutMs: number
  /** Calls per token and window; `false` switches the limit and its headers off. */
  readonly rateLimit: Limit | false
  /** Messages per token and target; `false` switches the limit and its headers off. */
  readonly floodControl: Limit | false
  /** Waits between the attempts of a delivery; one attempt more than entries. */
  readonly retryDelaysMs: readonly number[]
  /** Retry by timer; else only `host.retryPending()` does. */
  readonly automaticRetries: boolean
}
export interface Limit {
  readonly calls: number
  readonly windowSeconds: number
}
