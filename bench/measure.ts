/**
 * What the benches share: interleaved rounds, ratios, spreads, times. Every round runs every variant, forward and backward in
 * turn, and a ratio is the median of the rounds' own ratios, so that a slow minute of the machine hits both sides of it.
 *
 * Knows nothing of what is measured.
 */

import type { Meter, ProcessorTime } from './processor-time.ts'

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
  /** Processor time of one operation, microseconds, median of the rounds; see `ProcessorTime`. */
  readonly nodeUs: number
  readonly serverUs: number | undefined
  readonly baseNodeUs: number
  readonly baseServerUs: number | undefined
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

/** A figure by itself, and how many times the base of the same rounds. */
export interface FigureRow {
  readonly kind: 'figure'
  readonly row: string
  readonly unit: 'ms' | 'MiB' | 'installs'
  readonly value: number
  readonly spread: readonly [number, number]
  readonly base: string | undefined
  readonly ratio: number | undefined
  readonly goal: string | undefined
  readonly met: boolean
  readonly n: string
}

export type Row = RatioRow | TimeRow

/** One round of one row. */
export interface Sample extends ProcessorTime {
  readonly perSecond: number
}

/** One round of one variant, by the name of the row it belongs to. Times are those of one operation. */
export type Variant = (operations: number) => Promise<Readonly<Record<string, Sample>>>

/** By row, one sample per round. */
export type Samples = ReadonlyMap<string, readonly Sample[]>

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
): Promise<Samples> {
  const samples = new Map<string, Sample[]>()
  for (let round = -1; round < rounds; round++) {
    for (const variant of round % 2 === 0 ? variants : [...variants].reverse()) {
      const found = await variant(operations)
      if (round < 0) continue
      for (const [row, sample] of Object.entries(found)) samples.set(row, [...(samples.get(row) ?? []), sample])
    }
    if (round >= 0) note(`round ${round + 1} of ${rounds}`)
  }
  return samples
}

/** Runs `work`, which does `operations` of something. */
export async function measure(meter: Meter, operations: number, work: () => Promise<unknown>): Promise<Sample> {
  const { result: perSecond, spent } = await meter.during(async () => {
    const start = performance.now()
    await work()
    return (operations * 1_000) / (performance.now() - start)
  })
  const { nodeUs, serverUs } = spent
  return { perSecond, nodeUs: nodeUs / operations, serverUs: serverUs && serverUs / operations }
}

/** `count` calls, at most `limit` of them under way; resolves when the last one has ended. */
export async function callAll(count: number, limit: number, call: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < count) await call(next++)
  }
  await Promise.all(Array.from({ length: Math.max(1, limit) }, work))
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

export function ratioRow({ row, base, least }: RatioGoal, samples: Samples, n: string): RatioRow {
  const own = samples.get(row) ?? []
  const bases = samples.get(base) ?? []
  const ratios = ascending(own.map(({ perSecond }, index) => perSecond / (bases[index]?.perSecond ?? Number.NaN)))
  const ratio = quantile(ratios, 0.5)
  return {
    kind: 'ratio',
    row,
    base,
    ratio: round(ratio, 2),
    spread: [round(ratios[0], 2), round(ratios.at(-1), 2)],
    perSecond: Math.round(medianOf(own, sample => sample.perSecond)),
    basePerSecond: Math.round(medianOf(bases, sample => sample.perSecond)),
    nodeUs: Math.round(medianOf(own, sample => sample.nodeUs)),
    serverUs: serverTime(own),
    baseNodeUs: Math.round(medianOf(bases, sample => sample.nodeUs)),
    baseServerUs: serverTime(bases),
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

const medianOf = (samples: readonly Sample[], of: (sample: Sample) => number): number =>
  quantile(ascending(samples.map(of)), 0.5)

const serverTime = (samples: readonly Sample[]): number | undefined =>
  samples.some(({ serverUs }) => serverUs === undefined)
    ? undefined
    : Math.round(medianOf(samples, ({ serverUs = Number.NaN }) => serverUs))

/** The sample at this share of a sorted list; not a number when there is none. */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

export function round(value = Number.NaN, digits: number): number {
  const factor = 10 ** digits
  return Math.round(value * factor) / factor
}
