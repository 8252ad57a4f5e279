/** Listeners of the host: what tests and tools hear of requests and deliveries. */

import type { Delivery } from './webhooks/delivery.ts'

/** One answered request to the host. Carries no token and no body. */
export interface HostRequest {
  readonly method: string
  /** Path without query; where the path itself holds a secret, the route's pattern. */
  readonly path: string
  /** 0 when a fault cut the connection or never answered. */
  readonly status: number
  /** Whose credentials came with it, if they were good. */
  readonly oauthId: string | undefined
  /** Epoch milliseconds on the host's clock. */
  readonly at: number
}

export interface HostEvents {
  /** After a request has been answered. */
  readonly request: HostRequest
  /** After each attempt of a delivery, whatever came of it. */
  readonly delivery: Delivery
}

export interface Hooks {
  /** @returns the way to stop listening */
  on<K extends keyof HostEvents>(event: K, listener: (value: HostEvents[K]) => void): () => void
  emit<K extends keyof HostEvents>(event: K, value: HostEvents[K]): void
}

export function createHooks(): Hooks {
  const listeners: { [K in keyof HostEvents]: Set<(value: HostEvents[K]) => void> } = {
    request: new Set(),
    delivery: new Set(),
  }
  return {
    on: (event, listener) => {
      listeners[event].add(listener)
      return () => listeners[event].delete(listener)
    },
    emit: (event, value) => {
      for (const listener of listeners[event]) listener(value)
    },
  }
}
