/**
 * Work that waits in memory, taken in turns: one of this tenant, then one of the next. At most `perTenant` of one tenant
 * and `total` of all run at a time, so that a tenant with a long backlog never keeps another waiting. Knows no database.
 */

export interface FairQueue<T, Tenant extends string = string> {
  /** A place in memory for an item of this tenant that is still on its way; `undefined` when the tenant has its share. */
  reserve(tenant: Tenant): Place<T> | undefined
  push(tenant: Tenant, item: T): void
  readonly running: number
  readonly waiting: number
  /** Items of this tenant that wait, or have a place. */
  waitingOf(tenant: Tenant): number
  /** Resolves when nothing runs and nothing waits. */
  drained(): Promise<void>
  /** Gives up what has not started; returns it. */
  clear(): readonly T[]
}

/** Use one of both, once. */
export interface Place<T> {
  fill(item: T): void
  cancel(): void
}

export interface FairQueueOptions<T, Tenant extends string = string> {
  /** Runs one item; never rejects. */
  readonly run: (item: T) => Promise<void>
  readonly total: number
  readonly perTenant: number
  /** Items of one tenant that may wait in memory besides those that run. */
  readonly waitingPerTenant: number
  /** Called after an item of this tenant has ended: there is room again. */
  readonly onRoom?: (tenant: Tenant) => void
}

/** Items that may wait in memory, in times of `total`. */
export const WAITING_FACTOR = 16

interface Lane<T, Tenant> {
  readonly tenant: Tenant
  readonly items: T[]
  running: number
  reserved: number
}

export function createFairQueue<T, Tenant extends string = string>(
  options: FairQueueOptions<T, Tenant>,
): FairQueue<T, Tenant> {
  const lanes = new Map<Tenant, Lane<T, Tenant>>()
  /** Lanes that have something to start and may start it, in turn. */
  const turns: Lane<T, Tenant>[] = []
  const idle: (() => void)[] = []
  let running = 0
  let waiting = 0
  let reserved = 0

  const laneOf = (tenant: Tenant): Lane<T, Tenant> => {
    const lane = lanes.get(tenant) ?? { tenant, items: [], running: 0, reserved: 0 }
    lanes.set(tenant, lane)
    return lane
  }
  const forget = (lane: Lane<T, Tenant>): void => {
    if (lane.items.length === 0 && lane.running === 0 && lane.reserved === 0) lanes.delete(lane.tenant)
  }
  const mayStart = (lane: Lane<T, Tenant>) => lane.items.length > 0 && lane.running < options.perTenant

  const pump = (): void => {
    while (running < options.total) {
      const lane = turns.shift()
      if (lane === undefined) return
      const item = lane.items.shift()
      if (item === undefined) continue
      waiting -= 1
      lane.running += 1
      running += 1
      if (mayStart(lane)) turns.push(lane)
      void options.run(item).finally(() => ended(lane))
    }
  }

  const ended = (lane: Lane<T, Tenant>): void => {
    lane.running -= 1
    running -= 1
    if (lane.items.length > 0 && !turns.includes(lane)) turns.push(lane)
    forget(lane)
    pump()
    options.onRoom?.(lane.tenant)
    if (running === 0 && waiting === 0) for (const resolve of idle.splice(0)) resolve()
  }

  const push = (lane: Lane<T, Tenant>, item: T): void => {
    lane.items.push(item)
    waiting += 1
    if (mayStart(lane) && !turns.includes(lane)) turns.push(lane)
    pump()
  }

  return {
    reserve(tenant) {
      const lane = laneOf(tenant)
      if (
        lane.items.length + lane.reserved >= options.waitingPerTenant ||
        waiting + reserved >= options.total * WAITING_FACTOR
      ) {
        forget(lane)
        return undefined
      }
      lane.reserved += 1
      reserved += 1
      const giveBack = () => {
        lane.reserved -= 1
        reserved -= 1
      }
      return {
        fill(item) {
          giveBack()
          push(laneOf(tenant), item)
        },
        cancel() {
          giveBack()
          forget(lane)
        },
      }
    },
    push: (tenant, item) => push(laneOf(tenant), item),
    get running() {
      return running
    },
    get waiting() {
      return waiting
    },
    waitingOf(tenant) {
      const lane = lanes.get(tenant)
      return lane === undefined ? 0 : lane.items.length + lane.reserved
    },
    drained: () => (running === 0 && waiting === 0 ? Promise.resolve() : new Promise(resolve => idle.push(resolve))),
    clear() {
      const given = [...lanes.values()].flatMap(lane => lane.items.splice(0))
      waiting = 0
      turns.length = 0
      if (running === 0) for (const resolve of idle.splice(0)) resolve()
      return given
    },
  }
}
