/**
 * What the benches share: interleaved rounds, ratios, spreads, times. Every round runs every variant, forward and backward in
 * turn, and a ratio is the median of the rounds' own ratios, so that a slow minute of the machine hits both sides of it.
 *
 * Knows nothing of what is measured.
 */

export interface BenchOptions {
  readonly rounds: number
  /** Operations of a round; left out: what suits the family. */
  readonly operations?: number
  /** Told of progress. */
  readonly note: (line: string) => void
  /** Installs the libraries to compare with where they are missing; left out: those that are there take part. */
  readonly installPeers?: boolean
}

/** Work per second against a base of the same rounds. */
export interface RatioRow {
  readonly kind: 'ratio'
  readonly row: string
  readonly base: string
  readonly ratio: number
  /** Lowest and highest ratio of a round. */
  readonly spread: readonly [number, number]
  /** Medians, operations per second on this machine. */
  readonly perSecond: number
  readonly basePerSecond: number
  /** `undefined`: shown for what it tells. */
  readonly goal: string | undefined
  readonly met: boolean
  readonly n: string
}

/** Percentiles of all rounds' samples, milliseconds. */
export interface TimeRow {
  readonly kind: 'time'
  readonly row: string
  readonly p50Ms: number
  readonly p99Ms: number
  /** Lowest and highest p99 of a round. */
  readonly spreadMs: readonly [number, number]
  readonly goal: string
  readonly met: boolean
  readonly n: string
}

export type Row = RatioRow | TimeRow

/** One round of one variant: operations per second, by the name of the row they belong to. */
export type Variant = (operations: number) => Promise<Readonly<Record<string, number>>>

/** Operations per second by row, one number per round. */
export type Rates = ReadonlyMap<string, readonly number[]>

export interface RatioGoal {
  readonly row: string
  readonly base: string
  /** Left out: no goal. */
  readonly least?: number
}

export interface TimeGoal {
  readonly row: string
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Runs all variants `rounds` times, after one round that warms up: connections, plans, pages, compiled code. */
export async function measureInterleaved(
  variants: readonly Variant[],
  operations: number,
  { rounds, note }: BenchOptions,
): Promise<Rates> {
  const rates = new Map<string, number[]>()
  for (let round = -1; round < rounds; round++) {
    for (const variant of round % 2 === 0 ? variants : [...variants].reverse()) {
      const found = await variant(operations)
      if (round < 0) continue
      for (const [row, rate] of Object.entries(found)) rates.set(row, [...(rates.get(row) ?? []), rate])
    }
    if (round >= 0) note(`round ${round + 1} of ${rounds}`)
  }
  return rates
}

/** `count` calls, at most `limit` of them under way. @returns calls per second until the last one has ended */
export async function callsPerSecond(
  count: number,
  limit: number,
  call: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < count) await call(next++)
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: Math.max(1, limit) }, work))
  return perSecond(count, start)
}

/** Calls `call` `count` times, one each `gapMs`, whatever became of the earlier ones; waits for all. */
export async function paced(count: number, gapMs: number, call: (index: number) => Promise<unknown>): Promise<void> {
  const start = performance.now()
  const running: Promise<unknown>[] = []
  for (let index = 0; index < count; index++) {
    const waitMs = start + index * gapMs - performance.now()
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
    running.push(call(index))
  }
  await Promise.all(running)
}

/** @param start as `performance.now()` gave it */
export const perSecond = (count: number, start: number): number => (count * 1_000) / (performance.now() - start)

export function ratioRow({ row, base, least }: RatioGoal, rates: Rates, n: string): RatioRow {
  const own = rates.get(row) ?? []
  const bases = rates.get(base) ?? []
  const ratios = ascending(own.map((rate, index) => rate / (bases[index] ?? Number.NaN)))
  const ratio = quantile(ratios, 0.5)
  return {
    kind: 'ratio',
    row,
    base,
    ratio: round(ratio, 2),
    spread: [round(ratios[0], 2), round(ratios.at(-1), 2)],
    perSecond: Math.round(quantile(ascending(own), 0.5)),
    basePerSecond: Math.round(quantile(ascending(bases), 0.5)),
    goal: least === undefined ? undefined : `>= ${least}`,
    met: least === undefined || ratio >= least,
    n,
  }
}

/** @param samplesMs one list per round */
export function timeRow(goal: TimeGoal, samplesMs: readonly (readonly number[])[]): TimeRow {
  const all = ascending(samplesMs.flat())
  const [p50Ms, p99Ms] = [quantile(all, 0.5), quantile(all, 0.99)]
  const p99s = ascending(samplesMs.map(samples => quantile(ascending(samples), 0.99)))
  return {
    kind: 'time',
    row: goal.row,
    p50Ms: round(p50Ms, 1),
    p99Ms: round(p99Ms, 1),
    spreadMs: [round(p99s[0], 1), round(p99s.at(-1), 1)],
    goal: `p50 <= ${goal.p50Ms}, p99 <= ${goal.p99Ms}`,
    met: p50Ms <= goal.p50Ms && p99Ms <= goal.p99Ms,
    n: `${samplesMs.length} x ${samplesMs[0]?.length ?? 0}`,
  }
}

export const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)

/** The sample at this share of a sorted list; not a number when there is none. */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

export function round(value = Number.NaN, digits: number): number {
  const factor = 10 ** digits
  return Math.round(value * factor) / factor
}
