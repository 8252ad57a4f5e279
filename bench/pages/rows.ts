/** Servers side by side, and the rows that requests to them make. Knows no protocol. */

import { type Cost, type CostGoal, type CostRow, costRow, missingRow } from '../cost.ts'
import type { BenchOptions } from '../measure.ts'
import { inRounds } from '../rounds.ts'
import { drive } from './load.ts'
import type { ServerProcess } from './server-process.ts'

export interface Contender {
  readonly name: string
  /** Program: built first where it is ours, else an absolute path. */
  readonly file: string
  readonly environment: Readonly<Record<string, string>>
}

export interface ContenderRow extends CostGoal {
  readonly contender: string
}

/** A server that runs, and the requests of one round of a row, made before the clock starts. */
export interface Running<R extends ContenderRow> {
  readonly server: ServerProcess
  requests(row: R, count: number): readonly Buffer[]
}

const CONNECTIONS = 16

/** Every round sends `operations` requests of each row; rows whose server is not there say so. */
export async function runRows<R extends ContenderRow>(
  rows: readonly R[],
  running: ReadonlyMap<string, Running<R>>,
  options: BenchOptions,
  operations: number,
): Promise<CostRow[]> {
  const variants = new Map<string, () => Promise<Cost>>()
  for (const row of rows) {
    const contender = running.get(row.contender)
    if (contender !== undefined) variants.set(row.row, () => measure(contender, row, operations))
  }
  const costs = await inRounds(variants, options)
  return rows
    .filter(({ row, base }) => row !== base)
    .map(row =>
      running.has(row.contender)
        ? costRow(row, costs, `${options.rounds} x ${operations}`)
        : missingRow(row, costs, 'not installed: --peers'),
    )
}

async function measure<R extends ContenderRow>({ server, requests }: Running<R>, row: R, count: number): Promise<Cost> {
  const made = requests(row, count)
  const before = await server.cpuMicros()
  const load = await drive(server.url, made, CONNECTIONS)
  return { ...load, cpuMicros: ((await server.cpuMicros()) - before) / count }
}
