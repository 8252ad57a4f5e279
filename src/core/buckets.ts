/** Token buckets by key: a rate with a burst, on the monotonic clock, in bounded memory. */

import type { Clock } from './ports.ts'

export interface Buckets<K> {
  /** Takes one; returns 0, or the milliseconds until there is one again. */
  take(key: K): number
  /** Whether nothing is left now, without taking. */
  isEmpty(key: K): boolean
}

interface Bucket {
  tokens: number
  filledAt: number
}

const SWEEP_AT = 10_000

export function createBuckets<K>(
  clock: Clock,
  rate: { readonly perSecond: number; readonly burst: number },
): Buckets<K> {
  const buckets = new Map<K, Bucket>()
  const perMs = rate.perSecond / 1000
  let sweepAt = SWEEP_AT

  const fill = (bucket: Bucket, now: number) => {
    bucket.tokens = Math.min(rate.burst, bucket.tokens + Math.max(0, now - bucket.filledAt) * perMs)
    bucket.filledAt = now
  }
  // A bucket that is full again says nothing that a new one would not say.
  const sweep = (now: number) => {
    for (const [key, bucket] of buckets) {
      fill(bucket, now)
      if (bucket.tokens >= rate.burst) buckets.delete(key)
    }
    sweepAt = Math.max(SWEEP_AT, buckets.size * 2)
  }
  return {
    take(key) {
      const now = clock.monotonic()
      let bucket = buckets.get(key)
      if (bucket === undefined) {
        if (buckets.size >= sweepAt) sweep(now)
        bucket = { tokens: rate.burst, filledAt: now }
        buckets.set(key, bucket)
      } else fill(bucket, now)
      if (bucket.tokens < 1) return (1 - bucket.tokens) / perMs
      bucket.tokens -= 1
      return 0
    },
    isEmpty(key) {
      const bucket = buckets.get(key)
      if (bucket === undefined) return false
      fill(bucket, clock.monotonic())
      return bucket.tokens < 1
    },
  }
}
