/** What an orderly end needs: counting work that runs, and waiting for it no longer than allowed. */

export interface InFlight {
  readonly count: number
  /** Counts this work until it has settled. */
  track(work: Promise<unknown>): void
}

export function createInFlight(): InFlight {
  let count = 0
  return {
    get count() {
      return count
    },
    track(work) {
      count += 1
      const leave = () => {
        count -= 1
      }
      void work.then(leave, leave)
    },
  }
}

const LOOK_MS = 10

/** Resolves when `isIdle` holds, or after `limitMs`. */
export async function untilIdle(isIdle: () => boolean, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!isIdle() && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, LOOK_MS))
}

/** Resolves when the work has settled, or after `limitMs`: the work then goes on alone. Rejects when it rejects in time. */
export async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>(resolve => {
    timer = setTimeout(resolve, limitMs)
  })
  try {
    await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}
