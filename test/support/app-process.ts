/** Processes of `test/fixtures/app.ts`: started on a prepared database, listened to, stopped, continued, killed. */

import { readFile } from 'node:fs/promises'
import type { FixtureOptions } from '../fixtures/app.ts'
import { type Cleanup, eventually, startProcess, type TestProcess } from './processes.ts'
import { TEST_KEYS } from './registry.ts'

export interface AppEvent {
  readonly event: string
  readonly [field: string]: unknown
}
type Wanted = Readonly<Record<string, unknown>>

export interface AppProcess {
  readonly pid: number
  /** Where this process itself listens. */
  readonly url: string
  readonly port: number
  /** Everything it has told so far. */
  readonly events: readonly AppEvent[]
  readonly errors: string
  readonly ended: TestProcess['ended']
  /** Events whose fields equal the wanted ones. */
  told(wanted: Wanted): readonly AppEvent[]
  /** Waits for the first such event, told before or later. */
  event(wanted: Wanted, timeoutMs?: number): Promise<AppEvent>
  /** `open` or `shut` the gate. */
  tell(line: 'open' | 'shut'): void
  /** SIGSTOP; returns when the system says that it is stopped. */
  stop(): Promise<void>
  /** SIGCONT. */
  resume(): void
  /** SIGKILL unless another signal is given; returns when it has ended. */
  kill(signal?: NodeJS.Signals): Promise<void>
}

export interface AppProcessOptions {
  readonly options: FixtureOptions
  readonly environment?: Readonly<Record<string, string | undefined>>
}

const FIXTURE = new URL('../fixtures/app.ts', import.meta.url)
const START_MS = 90_000

export async function startAppProcess(test: Cleanup, { options, environment }: AppProcessOptions): Promise<AppProcess> {
  const child = startProcess(test, FIXTURE, {
    environment: { PARTYWALL_KEYS: TEST_KEYS, APP_OPTIONS: JSON.stringify(options), ...environment },
  })
  const events: AppEvent[] = []
  const pump = listen(child, events)
  const told = (wanted: Wanted) =>
    events.filter(event => Object.entries(wanted).every(([name, value]) => event[name] === value))
  const event = async (wanted: Wanted, timeoutMs = 30_000): Promise<AppEvent> => {
    await eventually('told', () => told(wanted).length > 0 || pump.hasEnded, timeoutMs).catch(cause => {
      throw new Error(`not told: ${JSON.stringify(wanted)}; standard error: ${child.errors}`, { cause })
    })
    const [first] = told(wanted)
    if (first === undefined) throw new Error(`the process ended before ${JSON.stringify(wanted)}: ${child.errors}`)
    return first
  }
  const { port } = await event({ event: 'listening' }, START_MS)
  return {
    pid: child.pid,
    url: `http://127.0.0.1:${port}`,
    port: Number(port),
    events,
    get errors() {
      return child.errors
    },
    ended: child.ended,
    told,
    event,
    tell: line => child.tell(line),
    async stop() {
      process.kill(child.pid, 'SIGSTOP')
      await eventually('the process is stopped', async () => (await stateOf(child.pid)) === 'T')
    },
    resume: () => void process.kill(child.pid, 'SIGCONT'),
    kill: signal => child.kill(signal),
  }
}

function listen(child: TestProcess, events: AppEvent[]): { readonly hasEnded: boolean } {
  const state = { hasEnded: false }
  void child
    .eachLine(line => events.push(JSON.parse(line) as AppEvent))
    .finally(() => {
      state.hasEnded = true
    })
  return state
}

async function stateOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2)[0]
}
