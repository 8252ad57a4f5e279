/** A sandbox for tests, and programs of one file, with the code that a test gives them. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { JsonValue } from '../../src/core/tenant.ts'
import { createSandbox } from '../../src/sandbox/create-sandbox.ts'
import type {
  CallLimits,
  IsolationPolicy,
  Program,
  Sandbox,
  SandboxLogLine,
  SandboxOptions,
} from '../../src/sandbox/types.ts'
import type { LoggedEvent } from './forge-world.ts'
import type { Cleanup } from './processes.ts'

export interface CallMore {
  readonly policy?: IsolationPolicy
  readonly limits?: Partial<CallLimits>
  readonly signal?: AbortSignal
  readonly onRequest?: (name: string, payload: JsonValue, signal: AbortSignal) => Promise<JsonValue>
  readonly onLog?: (line: SandboxLogLine) => void
}

export interface TestSandbox {
  readonly sandbox: Sandbox
  readonly log: readonly LoggedEvent[]
  /** Makes a program; `source` is CommonJS. */
  program(source: string, memoryMb?: number): Promise<Program>
  call(program: Program, instance: string, payload?: JsonValue, more?: CallMore): Promise<JsonValue>
}

export async function createTestSandbox(test: Cleanup, options: SandboxOptions = {}): Promise<TestSandbox> {
  const folder = await mkdtemp(path.join(tmpdir(), 'pw-sandbox-test-'))
  const log: LoggedEvent[] = []
  const write =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void log.push({ level, event, fields })
  const logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  const sandbox = await createSandbox({ logger, ...options })
  test.after(async () => {
    await sandbox.close()
    await rm(folder, { recursive: true, force: true })
  })
  let count = 0
  return {
    sandbox,
    log,
    async program(source, memoryMb) {
      const own = await mkdtemp(path.join(folder, 'program-'))
      await writeFile(path.join(own, 'main.cjs'), source)
      count += 1
      return {
        id: `test-${process.pid}-${count}`,
        folder: own,
        entry: 'main.cjs',
        ...(memoryMb === undefined ? {} : { memoryMb }),
      }
    },
    call: (program, instance, payload = null, { policy = 'installation', ...more } = {}) =>
      sandbox.call({
        program,
        instance,
        policy,
        payload,
        onRequest: () => Promise.reject(new Error('nothing is asked here')),
        onLog: () => undefined,
        ...more,
      }),
  }
}

/** A program whose call runs the code it is given; `state` and `api` are at hand. */
export const RUNNER = `
const state = { calls: 0 }
const AsyncFunction = (async () => undefined).constructor
module.exports = api => async payload => {
  state.calls += 1
  const value = await new AsyncFunction('require', 'api', 'state', 'payload', payload.code)(require, api, state, payload.value)
  return value === undefined ? null : JSON.parse(JSON.stringify(value))
}
`
