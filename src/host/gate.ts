/** Lets only so many pieces of work of one name run at once; the others wait their turn. */

export type Gate = <T>(name: string, work: () => Promise<T>) => Promise<T>

export function createGate(limit: number): Gate {
  const lanes = new Map<string, { running: number; readonly waiting: (() => void)[] }>()
  return async (name, work) => {
    const lane = lanes.get(name) ?? { running: 0, waiting: [] }
    lanes.set(name, lane)
    if (lane.running < limit) lane.running += 1
    else await new Promise<void>(resolve => lane.waiting.push(resolve))
    try {
      return await work()
    } finally {
      // The place goes to the next in line without being given back in between.
      const next = lane.waiting.shift()
      if (next !== undefined) next()
      else lane.running -= 1
      if (lane.running === 0) lanes.delete(name)
    }
  }
}
