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

/** @typeParam Events what a host tells, by name */
export interface Hooks<Events = HostEvents> {
  /** @returns the way to stop listening */
  on<K extends keyof Events>(event: K, listener: (value: Events[K]) => void): () => void
  emit<K extends keyof Events>(event: K, value: Events[K]): void
}

export function createHooks<Events = HostEvents>(): Hooks<Events> {
  const listeners: { [K in keyof Events]?: Set<(value: Events[K]) => void> } = {}
  return {
    on: (event, listener) => {
      const heard = listeners[event] ?? new Set()
      listeners[event] = heard
      heard.add(listener)
      return () => heard.delete(listener)
    },
    emit: (event, value) => {
      for (const listener of listeners[event] ?? []) listener(value)
    },
  }
}
