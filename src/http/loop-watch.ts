/** Measures how far the event loop is behind. One long pause is no overload; being late several times in a row is. */

import type { Clock } from '../core/ports.ts'

export interface LoopWatch {
  /** Milliseconds by which the loop has been late in each of the last looks. */
  lagMs(): number
  stop(): void
}

const INTERVAL_MS = 50
const LOOKS = 3

export function watchLoop(clock: Clock): LoopWatch {
  const lags = new Array<number>(LOOKS).fill(0)
  let next = 0
  let expected = clock.monotonic() + INTERVAL_MS
  const timer = setInterval(() => {
    const now = clock.monotonic()
    lags[next] = Math.max(0, now - expected)
    next = (next + 1) % LOOKS
    expected = now + INTERVAL_MS
  }, INTERVAL_MS)
  timer.unref()
  return {
    lagMs: () => Math.min(...lags),
    stop: () => clearInterval(timer),
  }
}
