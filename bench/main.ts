/**
 * `npm run bench -- [--rounds N] [--ops N] [--only store|webhook|hipchat|connect|installs|sandbox] [--peers] [--json]`: one interleaved run per family, a table, and
 * whether each goal was met.
 *
 * PARTYWALL_TEST_ADMIN_URL names an administrator's URL of the server to measure on (throw-away databases are made in it);
 * without it the embedded server is started. `--json` prints data only; progress goes to standard error. Exit code 0 also when a
 * goal is missed, 1 when the run failed, 2 for arguments it does not know.
 */

import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { benchConnect } from './connect.ts'
import type { CostRow } from './cost.ts'
import { benchHipchat } from './hipchat.ts'
import { benchInstalls } from './installs.ts'
import type { BenchOptions, FigureRow, Row } from './measure.ts'
import { benchSandbox } from './sandbox.ts'
import { benchStore } from './store.ts'
import { benchWebhook } from './webhook.ts'

type AnyRow = Row | CostRow | FigureRow

const FAMILIES: Readonly<Record<string, (options: BenchOptions) => Promise<AnyRow[]>>> = {
  store: benchStore,
  webhook: benchWebhook,
  hipchat: benchHipchat,
  connect: benchConnect,
  installs: benchInstalls,
  sandbox: benchSandbox,
}
const USAGE =
  'npm run bench -- [--rounds N] [--ops N] [--only store|webhook|hipchat|connect|installs|sandbox] [--peers] [--json]'

interface Arguments {
  readonly families: readonly string[]
  readonly rounds: number
  readonly operations: number | undefined
  readonly peers: boolean
  readonly json: boolean
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '7' },
      ops: { type: 'string' },
      only: { type: 'string' },
      peers: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const { only } = values
  if (only !== undefined && !Object.hasOwn(FAMILIES, only)) throw new TypeError(`--only knows no ${only}`)
  return {
    families: only === undefined ? Object.keys(FAMILIES) : [only],
    rounds: positive('--rounds', values.rounds),
    operations: values.ops === undefined ? undefined : positive('--ops', values.ops),
    peers: values.peers,
    json: values.json,
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new TypeError(`${name}: a whole number above 0 expected, not ${text}`)
}

async function runFamilies({ families, rounds, operations, peers, json }: Arguments): Promise<AnyRow[]> {
  const rows: AnyRow[] = []
  for (const family of families) {
    const note = (line: string): void => {
      if (!json) console.error(`${family}: ${line}`)
    }
    const options = { rounds, note, installPeers: peers, ...(operations === undefined ? {} : { operations }) }
    rows.push(...((await FAMILIES[family]?.(options)) ?? []))
  }
  return rows
}

function printTable(rows: readonly AnyRow[]): void {
  const verdict = ({ goal, met }: AnyRow) => (goal === undefined ? '-' : met ? 'met' : 'MISSED')
  const ratios = rows.filter(row => row.kind === 'ratio')
  if (ratios.length > 0) {
    console.table(
      ratios.map(row => ({
        work: row.row,
        'base, = 1': row.base,
        ratio: row.ratio,
        'of rounds': row.spread.join(' - '),
        goal: row.goal ?? 'none',
        verdict: verdict(row),
        'per second': `${row.perSecond} / ${row.basePerSecond}`,
        'CPU us, node': `${row.nodeUs} / ${row.baseNodeUs}`,
        'CPU us, server': `${row.serverUs ?? '-'} / ${row.baseServerUs ?? '-'}`,
        n: row.n,
      })),
    )
  }
  const times = rows.filter(row => row.kind === 'time')
  if (times.length > 0) {
    console.table(
      times.map(row => ({
        work: row.row,
        'p50 ms': row.p50Ms,
        'p99 ms': row.p99Ms,
        'p99 of rounds': row.spreadMs.join(' - '),
        goal: row.goal,
        verdict: verdict(row),
        n: row.n,
      })),
    )
  }
  const costs = rows.filter(row => row.kind === 'cost')
  if (costs.length > 0) {
    console.table(
      costs.map(row => ({
        page: row.row,
        'CPU, base = 1': row.ratio ?? '-',
        'of rounds': row.spread?.join(' - ') ?? '-',
        'us / base': `${row.cpuMicros ?? '-'} / ${row.baseCpuMicros}`,
        throughput: row.throughput ?? '-',
        'p50, p99 ms': `${row.p50Ms ?? '-'}, ${row.p99Ms ?? '-'}`,
        goal: row.goal ?? 'none',
        verdict: verdict(row),
        n: row.n,
      })),
    )
  }
  const figures = rows.filter(row => row.kind === 'figure')
  if (figures.length > 0) {
    console.table(
      figures.map(row => ({
        work: row.row,
        value: `${row.value} ${row.unit}`,
        'of rounds': row.spread.join(' - '),
        'base, = 1': row.base ?? '-',
        ratio: row.ratio ?? '-',
        goal: row.goal ?? 'none',
        verdict: verdict(row),
        n: row.n,
      })),
    )
  }
  const goals = rows.filter(row => row.goal !== undefined).length
  const missed = rows.filter(row => !row.met).length
  console.log(missed === 0 ? `all ${goals} goals met` : `${missed} of ${goals} goals missed`)
}

function readOrExit(): Arguments {
  try {
    return readArguments()
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`)
    process.exit(2)
  }
}

const given = readOrExit()
const machine = {
  node: process.version,
  platform: `${process.platform}-${process.arch}`,
  cores: availableParallelism(),
}
const rows = await runFamilies(given)
if (given.json) console.log(JSON.stringify({ machine, rows }, undefined, 2))
else printTable(rows)
