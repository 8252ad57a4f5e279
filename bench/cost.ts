/**
 * What one request costs the server that answers it: processor time against a base of the same rounds. Beside it what the load
 * saw: requests per second and times, which a busy machine bends far more.
 *
 * Knows nothing of what is measured.
 */

import { ascending, quantile, round } from './measure.ts'

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

/** By row, one sample per round. */
export type Costs = ReadonlyMap<string, readonly Cost[]>

export function costRow({ row, base, most }: CostGoal, costs: Costs, n: string): CostRow {
  const own = costs.get(row) ?? []
  const bases = costs.get(base) ?? []
  const ratios = ratiosOf(own, bases, 'cpuMicros')
  const ratio = quantile(ratios, 0.5)
  return {
    kind: 'cost',
    row,
    base,
    ratio: round(ratio, 2),
    spread: [round(ratios[0], 2), round(ratios.at(-1), 2)],
    cpuMicros: Math.round(median(own, 'cpuMicros')),
    baseCpuMicros: Math.round(median(bases, 'cpuMicros')),
    throughput: round(quantile(ratiosOf(own, bases, 'perSecond'), 0.5), 2),
    p50Ms: round(median(own, 'p50Ms'), 1),
    p99Ms: round(median(own, 'p99Ms'), 1),
    goal: most === undefined ? undefined : `<= ${most}`,
    met: most === undefined || ratio <= most,
    n,
  }
}

/** A row whose server this machine does not have. */
export const missingRow = ({ row, base }: CostGoal, costs: Costs, why: string): CostRow => ({
  ...costRow({ row: base, base }, costs, why),
  row,
  ratio: undefined,
  spread: undefined,
  cpuMicros: undefined,
  throughput: undefined,
  p50Ms: undefined,
  p99Ms: undefined,
})

const median = (costs: readonly Cost[], name: keyof Cost): number =>
  quantile(ascending(costs.map(cost => cost[name])), 0.5)

/** Of each round, in ascending order. */
const ratiosOf = (own: readonly Cost[], bases: readonly Cost[], name: keyof Cost): number[] =>
  ascending(own.map((cost, index) => cost[name] / (bases[index]?.[name] ?? Number.NaN)))
