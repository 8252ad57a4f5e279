/**
 * Functions: the first answer for a new installation, a call after that, an idle instance's memory. Beside the floors: an echo over
 * loopback in another process, and starting a process at all; and beside workerd's loader, where it is installed.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { Agent, request as httpRequest } from 'node:http'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createLogger } from '../src/core/log.ts'
import { createSandbox } from '../src/sandbox/create-sandbox.ts'
import type { Program, Sandbox } from '../src/sandbox/types.ts'
import type { CostRow } from './cost.ts'
import { ascending, type BenchOptions, type FigureRow, quantile, type Row, round } from './measure.ts'
import { inRounds } from './rounds.ts'
import { childrenOf, pssMib } from './sandbox/processes.ts'
import { benchProgram, PAYLOAD } from './sandbox/program.ts'
import { startWorkerd, type Workerd } from './sandbox/workerd.ts'

const ECHO = 'loopback echo, keep-alive'
const WARM = 'function: warm call'
const FIRST = 'function: first answer, spare ready'
const COLD = 'function: true cold start'
const PROCESS = 'floor: start and end of /bin/true'
const WORKERD_WARM = 'workerd loader: warm call'
const WORKERD_FIRST = 'workerd loader: first answer'
const INSTANCES = 20

export async function benchSandbox({
  rounds,
  operations = 400,
  note,
  installPeers = false,
}: BenchOptions): Promise<(Row | CostRow | FigureRow)[]> {
  const program = await benchProgram()
  note(`bundle of ${Math.round(program.bytes / 1024)} KB`)
  const sandbox = await createSandbox({ logger: createLogger({ level: 'error' }), maxProcesses: 200, idleMs: 600_000 })
  const echo = await startEcho()
  const workerd = await startWorkerd(installPeers, post)
  try {
    await sandbox.prepare(program)
    return [
      ...(await timeRows(sandbox, program, echo.port, workerd, { rounds, operations, note })),
      ...(await memoryRows(program, workerd, note)),
    ]
  } finally {
    await sandbox.close()
    echo.child.kill()
    workerd?.close()
    agent.destroy()
  }
}

async function timeRows(
  sandbox: Sandbox,
  program: Program,
  echoPort: number,
  workerd: Workerd | undefined,
  { rounds, operations, note }: Required<Pick<BenchOptions, 'rounds' | 'operations' | 'note'>>,
): Promise<FigureRow[]> {
  const call = (instance: string) =>
    sandbox.call({
      program,
      instance,
      policy: 'installation',
      payload: PAYLOAD,
      onRequest: refuse,
      onLog: () => undefined,
    })
  let tenants = 0
  const firsts = Math.max(3, Math.ceil(operations / 40))
  const variants = new Map<string, () => Promise<readonly number[]>>([
    [ECHO, () => times(operations, () => post(echoPort, '/', PAYLOAD))],
    [WARM, () => times(operations, () => call('warm'))],
    [
      FIRST,
      () =>
        times(
          firsts,
          () => call(`new ${tenants++}`),
          async () => {
            // The next spare is made beside what is measured; nothing else is.
            while (sandbox.stats().spares === 0) await pause(10)
            await pause(30)
          },
        ),
    ],
    [COLD, () => times(2, () => coldStart(program))],
    [PROCESS, () => times(10, () => promisify(execFile)('/bin/true'))],
    ...(workerd === undefined
      ? []
      : ([
          [WORKERD_WARM, () => times(operations, () => workerd.call('warm', PAYLOAD))],
          [WORKERD_FIRST, () => times(3, () => workerd.call(`new-${tenants++}`, PAYLOAD))],
        ] as const)),
  ])
  const samples = await inRounds(variants, { rounds, note })
  const figure = (row: string, goal?: { readonly ms?: number; readonly echoes: number }) =>
    figureRow(row, samples, goal)
  return [
    figure(FIRST, { ms: 2.5, echoes: 10 }),
    figure(WARM, { echoes: 0.6 }),
    figure(ECHO),
    figure(COLD),
    figure(PROCESS),
    ...(workerd === undefined ? [] : [figure(WORKERD_FIRST), figure(WORKERD_WARM)]),
  ]
}

/** Medians of each round; the ratio is the median of the rounds' own. */
function figureRow(
  row: string,
  samples: ReadonlyMap<string, readonly (readonly number[])[]>,
  goal?: { readonly ms?: number; readonly echoes: number },
): FigureRow {
  const medians = (samples.get(row) ?? []).map(one => quantile(ascending(one), 0.5))
  const bases = (samples.get(ECHO) ?? []).map(one => quantile(ascending(one), 0.5))
  const ratio = quantile(ascending(medians.map((value, index) => value / (bases[index] ?? Number.NaN))), 0.5)
  const value = quantile(ascending(medians), 0.5)
  const texts = [
    ...(goal?.ms === undefined ? [] : [`<= ${goal.ms} ms`]),
    ...(goal === undefined ? [] : [`<= ${goal.echoes} echoes`]),
  ]
  return {
    kind: 'figure',
    row,
    unit: 'ms',
    value: round(value, 3),
    spread: [round(Math.min(...medians), 3), round(Math.max(...medians), 3)],
    base: row === ECHO ? undefined : ECHO,
    ratio: row === ECHO ? undefined : round(ratio, 2),
    goal: texts.length === 0 ? undefined : texts.join(', '),
    met: goal === undefined || (value <= (goal.ms ?? Number.POSITIVE_INFINITY) && ratio <= goal.echoes),
    n: `${medians.length} x ${samples.get(row)?.[0]?.length ?? 0}`,
  }
}

async function memoryRows(
  program: Program,
  workerd: Workerd | undefined,
  note: (line: string) => void,
): Promise<FigureRow[]> {
  const sandbox = await createSandbox({ logger: createLogger({ level: 'error' }), spares: 0, maxProcesses: 200 })
  try {
    const before = new Set(childrenOf(process.pid))
    for (let n = 0; n < INSTANCES; n += 1) {
      await sandbox.call({
        program,
        instance: `idle ${n}`,
        policy: 'installation',
        payload: PAYLOAD,
        onRequest: refuse,
        onLog: () => undefined,
      })
    }
    await pause(1_000)
    const own = childrenOf(process.pid).filter(pid => !before.has(pid))
    const mib = pssMib(own) / INSTANCES
    note(`${own.length} processes of ${INSTANCES} idle instances`)
    const rows = [memoryRow('function: an idle instance (PSS)', mib, 15)]
    if (workerd === undefined) return rows
    const empty = pssMib([workerd.pid])
    for (let n = 0; n < INSTANCES; n += 1) await workerd.call(`idle-${n}`, PAYLOAD)
    await pause(1_000)
    return [...rows, memoryRow('workerd loader: an idle isolate', (pssMib([workerd.pid]) - empty) / INSTANCES)]
  } finally {
    await sandbox.close()
  }
}

const memoryRow = (row: string, mib: number, most?: number): FigureRow => ({
  kind: 'figure',
  row,
  unit: 'MiB',
  value: round(mib, 1),
  spread: [round(mib, 1), round(mib, 1)],
  base: undefined,
  ratio: undefined,
  goal: most === undefined ? undefined : `<= ${most}`,
  met: most === undefined || mib <= most,
  n: String(INSTANCES),
})

/** From nothing to an answer: what an installation waits for where no spare is ready. */
async function coldStart(program: Program): Promise<void> {
  const sandbox = await createSandbox({ logger: createLogger({ level: 'error' }), spares: 0 })
  try {
    await sandbox.call({
      program,
      instance: 'cold',
      policy: 'installation',
      payload: PAYLOAD,
      onRequest: refuse,
      onLog: () => undefined,
    })
  } finally {
    await sandbox.close()
  }
}

/** Milliseconds of each. */
async function times(
  count: number,
  call: () => Promise<unknown>,
  before?: () => Promise<void>,
): Promise<readonly number[]> {
  const found: number[] = []
  for (let n = 0; n < count; n += 1) {
    if (before !== undefined) await before()
    const startedAt = performance.now()
    await call()
    found.push(performance.now() - startedAt)
  }
  return found
}

const agent = new Agent({ keepAlive: true, maxSockets: 4 })

/** As an HTTP client of the same process would call: a connection that is kept, JSON both ways. */
function post(port: number, target: string, payload: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify(payload)
    const request = httpRequest(
      {
        port,
        host: '127.0.0.1',
        path: target,
        method: 'POST',
        agent,
        headers: { 'content-length': Buffer.byteLength(body) },
      },
      response => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => (response.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))))
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

async function startEcho(): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./sandbox/echo.mjs', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await new Promise<number>(resolve =>
    child.stdout?.once('data', (chunk: Buffer) => resolve(Number(chunk.toString()))),
  )
  return { child, port }
}

const refuse = () => Promise.reject(new Error('nothing is asked here'))
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
