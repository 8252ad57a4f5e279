/** The real clock and the real randomness. Tests give their own. */

import { randomBytes } from 'node:crypto'
import type { Clock, Random } from './ports.ts'

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() }
export const systemRandom: Random = { bytes: count => randomBytes(count) }
