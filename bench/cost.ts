/**
 * What one request costs the server that answers it: processor time against a base of the same rounds. Beside it what the load
 * saw: requests per second and times, which a busy machine bends far more.
 *
 * Knows nothing of what is measured.
 */

import { ascending, quantile, type Rates, round } from './measure.ts'

/** Medians over the rounds. */
export interface CostRow {
  readonly kind: 'cost'
  readonly row: string
  readonly base: string
  /** Processor time of a request against the base: below 1 is cheaper. `undefined` when it was not measured. */
  readonly ratio: number | undefined
  /** Lowest and highest ratio of a round. */
  readonly spread: readonly [number, number] | undefined
  readonly cpuMicros: number | undefined
  readonly baseCpuMicros: number
  /** Requests per second against the base: above 1 is faster. */
  readonly throughput: number | undefined
  readonly p50Ms: number | undefined
  readonly p99Ms: number | undefined
  /** `undefined`: shown for what it tells. */
  readonly goal: string | undefined
  readonly met: boolean
  /** Rounds and requests of each, or why it was not measured. */
  readonly n: string
}

export interface CostGoal {
  readonly row: string
  readonly base: string
  /** Left out: no goal. */
  readonly most?: number
}

export interface Cost {
  readonly cpuMicros: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const NAMES = ['cpuMicros', 'perSecond', 'p50Ms', 'p99Ms'] as const

/** One round of a row, in the form in which rounds are kept. */
export const ratesOf = (row: string, cost: Cost): Readonly<Record<string, number>> =>
  Object.fromEntries(NAMES.map(name => [`${row}|${name}`, cost[name]]))

export function costRow({ row, base, most }: CostGoal, rates: Rates, n: string): CostRow {
  const of = (whose: string, name: keyof Cost) => rates.get(`${whose}|${name}`) ?? []
  const median = (whose: string, name: keyof Cost) => quantile(ascending(of(whose, name)), 0.5)
  const ratios = (name: keyof Cost) =>
    ascending(of(row, name).map((value, index) => value / (of(base, name)[index] ?? Number.NaN)))
  const costs = ratios('cpuMicros')
  const ratio = quantile(costs, 0.5)
  return {
    kind: 'cost',
    row,
    base,
    ratio: round(ratio, 2),
    spread: [round(costs[0], 2), round(costs.at(-1), 2)],
    cpuMicros: Math.round(median(row, 'cpuMicros')),
    baseCpuMicros: Math.round(median(base, 'cpuMicros')),
    throughput: round(quantile(ratios('perSecond'), 0.5), 2),
    p50Ms: round(median(row, 'p50Ms'), 1),
    p99Ms: round(median(row, 'p99Ms'), 1),
    goal: most === undefined ? undefined : `<= ${most}`,
    met: most === undefined || ratio <= most,
    n,
  }
}

/** A row whose server this machine does not have. */
export const missingRow = ({ row, base }: CostGoal, rates: Rates, why: string): CostRow => ({
  ...costRow({ row: base, base }, rates, why),
  row,
  ratio: undefined,
  spread: undefined,
  cpuMicros: undefined,
  throughput: undefined,
  p50Ms: undefined,
  p99Ms: undefined,
})
