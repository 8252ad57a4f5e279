/** Deliveries with several attempts: who waits, timers, background work. What an attempt does is each kind of host's matter. */

const MAX_KEPT = 10_000

/** The part of a delivery that the queue reads and writes. */
export interface Retried {
  /** `failed` after the last attempt; `dropped` when the receiver went away first. */
  status: 'pending' | 'delivered' | 'failed' | 'dropped'
  /** Epoch milliseconds on the host's clock; only while pending after a failed attempt. */
  nextAttemptAt: number | undefined
}

export interface RetryQueueOptions<Item extends Retried> {
  now(): number
  /** Retry by timer; else only `retryPending` does. */
  isAutomatic(): boolean
  /** One attempt: leaves `status`, and `nextAttemptAt` where there is to be another. */
  attempt(item: Item): Promise<void>
  /** After each attempt. */
  onAttempt(item: Item): void
}

export interface RetryQueue<Item extends Retried> {
  /** The newest 10,000, oldest first. */
  readonly list: readonly Item[]
  /** @returns when each has had its first attempt */
  send(items: readonly Item[]): Promise<readonly Item[]>
  /** Lets `idle` wait for this work. */
  inBackground(work: Promise<unknown>): void
  /** Another attempt now for what waits for one. */
  retryPending(options: { readonly onlyDue?: boolean }): Promise<readonly Item[]>
  /** Gives up what has not been delivered. */
  drop(isGone: (item: Item) => boolean): void
  /** Resolves when no attempt is under way; throws what went wrong in the background. */
  idle(): Promise<void>
  /** Ends all timers. */
  stop(): void
}

export function createRetryQueue<Item extends Retried>(options: RetryQueueOptions<Item>): RetryQueue<Item> {
  const list: Item[] = []
  const timers = createTimers<Item>()
  const background = createBackground()
  const attempt = async (item: Item): Promise<void> => {
    timers.clear(item)
    item.nextAttemptAt = undefined
    await options.attempt(item)
    if (item.status === 'pending' && options.isAutomatic()) {
      const waitMs = (item.nextAttemptAt ?? 0) - options.now()
      timers.set(item, waitMs, () => background.add(attempt(item)))
    }
    options.onAttempt(item)
  }
  return {
    list,
    inBackground: background.add,
    send: items => {
      list.push(...items)
      if (list.length > MAX_KEPT) list.splice(0, list.length - MAX_KEPT)
      return background.track(Promise.all(items.map(attempt)).then(() => items))
    },
    retryPending: ({ onlyDue = false }) => {
      const now = options.now()
      const waiting = list.filter(({ nextAttemptAt: at }) => at !== undefined && (!onlyDue || at <= now))
      return background.track(Promise.all(waiting.map(attempt)).then(() => waiting))
    },
    drop: isGone => {
      // What has left the list may still wait for its turn.
      for (const item of new Set([...list, ...timers.waiting()])) {
        if (item.status !== 'pending' || !isGone(item)) continue
        timers.clear(item)
        item.status = 'dropped'
        item.nextAttemptAt = undefined
      }
    },
    idle: background.idle,
    stop: timers.clearAll,
  }
}

function createTimers<Item>() {
  const timers = new Map<Item, NodeJS.Timeout>()
  return {
    set: (item: Item, waitMs: number, work: () => void) => {
      timers.set(item, setTimeout(work, Math.max(0, waitMs)).unref())
    },
    clear: (item: Item) => {
      clearTimeout(timers.get(item))
      timers.delete(item)
    },
    clearAll: () => {
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
    },
    waiting: () => timers.keys(),
  }
}

function createBackground() {
  const running = new Set<Promise<unknown>>()
  /** Errors of background work, which has no caller: `idle` throws them. */
  const failures: unknown[] = []
  const track = <T>(work: Promise<T>): Promise<T> => {
    const tracked = work.finally(() => running.delete(tracked))
    running.add(tracked)
    return tracked
  }
  return {
    track,
    add: (work: Promise<unknown>): void => {
      track(work).catch((error: unknown) => failures.push(error))
    },
    idle: async (): Promise<void> => {
      while (running.size > 0) await Promise.allSettled(running)
      if (failures.length > 0) throw failures.shift()
    },
  }
}
