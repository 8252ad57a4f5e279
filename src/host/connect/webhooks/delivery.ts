/** One delivery of an event to one webhook of an app, over all its attempts. */

import type { Attempt } from '../../webhooks/delivery.ts'
import type { ConnectInstallation } from '../apps/installation.ts'
import type { Product } from '../sites/product.ts'

export interface ConnectDelivery {
  /** `X-Atlassian-Webhook-Identifier`, the same in every attempt. */
  readonly id: string
  readonly event: string
  readonly product: Product
  readonly installation: ConnectInstallation
  /** Of a webhook made by REST. */
  readonly webhookId: number | undefined
  /** As posted to, variables filled. */
  readonly url: string
  /** The JSON text sent; empty for a webhook that leaves it out. */
  readonly body: string
  readonly status: 'pending' | 'delivered' | 'failed' | 'dropped'
  readonly attempts: readonly Attempt[]
  /** Epoch milliseconds on the host's clock; only while pending after a failed attempt. */
  readonly nextAttemptAt: number | undefined
}
