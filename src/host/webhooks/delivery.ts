/** One delivery of an event to one webhook, over all its attempts. */

import type { CallFailure } from '../addon-client.ts'
import type { HostRoom } from '../model.ts'
import type { Webhook, WebhookEvent } from './webhook.ts'

export interface Delivery {
  /** The token's `jti` in every attempt. */
  readonly id: string
  readonly event: WebhookEvent
  readonly webhook: Webhook
  readonly room: HostRoom
  readonly oauthId: string
  /** The JSON text sent; the same in every attempt. */
  readonly body: string
  /** `failed` after the last attempt; `dropped` when the installation or webhook went away first. */
  readonly status: 'pending' | 'delivered' | 'failed' | 'dropped'
  readonly attempts: readonly Attempt[]
  /** Epoch milliseconds on the host's clock; only while pending after a failed attempt. */
  readonly nextAttemptAt: number | undefined
  /** What the add-on answered with a 200, if it had the form of a notification. */
  readonly reply: 'posted' | 'ignored' | undefined
}

export interface Attempt {
  /** Epoch milliseconds on the host's clock. */
  readonly at: number
  /** `undefined` when no answer came. */
  readonly status: number | undefined
  readonly failure: CallFailure | undefined
}
