/** Webhooks that an app made by REST, of one installation: at most 100, each for 30 days by the host's clock. */

import type { ConnectDelivery } from './delivery.ts'

export const MAX_DYNAMIC_WEBHOOKS = 100
const LIFE_MS = 30 * 24 * 3600 * 1000
const FAILURES_KEPT_MS = 72 * 3600 * 1000

export interface DynamicWebhookSpec {
  readonly events: readonly string[]
  /** Absolute, below the app's base URL. */
  readonly url: string
  readonly jqlFilter: string
  readonly fieldIdsFilter: readonly string[] | undefined
  readonly issuePropertyKeysFilter: readonly string[] | undefined
}

export interface DynamicWebhook extends DynamicWebhookSpec {
  readonly id: number
  /** Epoch milliseconds. */
  expiresAt: number
}

export interface FailedWebhook {
  readonly delivery: ConnectDelivery
  /** Epoch milliseconds. */
  readonly failedAt: number
}

export class DynamicWebhooks {
  readonly #webhooks = new Map<number, DynamicWebhook>()
  #failures: FailedWebhook[] = []

  add(id: number, spec: DynamicWebhookSpec, now: number): void {
    this.#webhooks.set(id, { ...spec, id, expiresAt: now + LIFE_MS })
  }
  /** Those that have not expired. */
  list(now: number): readonly DynamicWebhook[] {
    return [...this.#webhooks.values()].filter(({ expiresAt }) => expiresAt > now)
  }
  delete(ids: readonly number[]): void {
    for (const id of ids) this.#webhooks.delete(id)
  }
  /** Expired ones are gone. @returns epoch milliseconds of the new end */
  refresh(ids: readonly number[], now: number): number {
    const expiresAt = now + LIFE_MS
    for (const webhook of this.list(now)) if (ids.includes(webhook.id)) webhook.expiresAt = expiresAt
    return expiresAt
  }
  noteFailure(delivery: ConnectDelivery, failedAt: number): void {
    this.#failures.push({ delivery, failedAt })
  }
  /** The last 72 hours', oldest first. */
  failures(now: number): readonly FailedWebhook[] {
    this.#failures = this.#failures.filter(({ failedAt }) => failedAt > now - FAILURES_KEPT_MS)
    return this.#failures
  }
  clear(): void {
    this.#webhooks.clear()
    this.#failures = []
  }
}
