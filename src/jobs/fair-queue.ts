/**
 * Work that waits in memory, taken in turns: one of this tenant, then one of the next. At most `perTenant` of one tenant
 * and `total` of all run at a time, so that a tenant with a long backlog never keeps another waiting. Knows no database.
 */

export interface FairQueue<T> {
  /** Room for more of this tenant in memory: false sends the row to the database as due instead. */
  hasRoom(tenant: string): boolean
  push(tenant: string, item: T): void
  /** How many more of any tenant may be taken over now. */
  readonly room: number
  readonly running: number
  readonly waiting: number
  /** Resolves when nothing runs and nothing waits. */
  drained(): Promise<void>
  /** Gives up what has not started; returns it. */
  clear(): readonly T[]
}

export interface FairQueueOptions<T> {
  /** Runs one item; never rejects. */
  readonly run: (item: T) => Promise<void>
  readonly total: number
  readonly perTenant: number
  /** Items of one tenant that may wait in memory besides those that run. */
  readonly waitingPerTenant: number
  /** Called after an item has ended: there is room again. */
  readonly onRoom?: () => void
}

interface Lane<T> {
  readonly tenant: string
  readonly items: T[]
  running: number
}

export function createFairQueue<T>(options: FairQueueOptions<T>): FairQueue<T> {
  const lanes = new Map<string, Lane<T>>()
  /** Lanes that have something to start and may start it, in turn. */
  const turns: Lane<T>[] = []
  const idle: (() => void)[] = []
  let running = 0
  let waiting = 0

  const mayStart = (lane: Lane<T>) => lane.items.length > 0 && lane.running < options.perTenant

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

  const ended = (lane: Lane<T>): void => {
    lane.running -= 1
    running -= 1
    if (lane.items.length > 0 && !turns.includes(lane)) turns.push(lane)
    if (lane.items.length === 0 && lane.running === 0) lanes.delete(lane.tenant)
    pump()
    options.onRoom?.()
    if (running === 0 && waiting === 0) for (const resolve of idle.splice(0)) resolve()
  }

  return {
    hasRoom: tenant =>
      (lanes.get(tenant)?.items.length ?? 0) < options.waitingPerTenant && waiting < options.total * 16,
    push(tenant, item) {
      const lane = lanes.get(tenant) ?? { tenant, items: [], running: 0 }
      lanes.set(tenant, lane)
      lane.items.push(item)
      waiting += 1
      if (mayStart(lane) && !turns.includes(lane)) turns.push(lane)
      pump()
    },
    get room() {
      return Math.max(0, options.total * 2 - running - waiting)
    },
    get running() {
      return running
    },
    get waiting() {
      return waiting
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
