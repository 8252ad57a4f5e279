/**
 * Real Node processes for tests: started from sources, spoken to by lines, killed for certain when the test ends.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** The part of a test's context that is needed here. */
export interface Cleanup {
  after(work: () => void | Promise<void>): void
}

export interface ProcessOptions {
  readonly arguments?: readonly string[]
  /** Added to this process's environment; `undefined` removes a variable. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Where it starts; default: here. */
  readonly cwd?: string
  /** Its own process group, as a shell in a terminal would make it. */
  readonly ownGroup?: boolean
}

export interface TestProcess {
  readonly pid: number
  /** Everything it has written to standard error. */
  readonly errors: string
  /** The next line of its standard output, in order. Fails when it ends or stays silent for `timeoutMs`. */
  line(timeoutMs?: number): Promise<string>
  /** Writes a line to its standard input and returns the next line of its output. */
  ask(line: string, timeoutMs?: number): Promise<string>
  /** Writes a line to its standard input. */
  tell(line: string): void
  /** Hands over every further line of its output; resolves when there are no more. Not to be mixed with `line` and `ask`. */
  eachLine(listener: (line: string) => void): Promise<void>
  /** Sends a signal, SIGKILL when none is given, and waits for the end. */
  kill(signal?: NodeJS.Signals): Promise<void>
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** @param file  absolute path or file URL of a TypeScript program */
export function startProcess(test: Cleanup, file: string | URL, options: ProcessOptions = {}): TestProcess {
  const path = typeof file === 'string' ? file : fileURLToPath(file)
  const flags = ['--conditions=partywall-source', '--import', import.meta.resolve('tsx')]
  const child = spawn(process.execPath, [...flags, path, ...(options.arguments ?? [])], {
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...options.environment },
    cwd: options.cwd,
    detached: options.ownGroup ?? false,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }))
  test.after(() => end(child, 'SIGKILL', ended))
  return talkTo(child, ended)
}

/** Asks `check` until it holds; fails with `what` when `timeoutMs` have passed. */
export async function eventually(what: string, check: () => boolean | Promise<boolean>, timeoutMs = 20_000) {
  const deadline = performance.now() + timeoutMs
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`did not happen within ${timeoutMs} ms: ${what}`)
    await delay(25)
  }
}

function talkTo(child: ChildProcess, ended: TestProcess['ended']): TestProcess {
  const { stdin, stdout, stderr } = child
  if (stdin === null || stdout === null || stderr === null) throw new TypeError('pipes are needed')
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  let errors = ''
  stderr.setEncoding('utf8').on('data', text => {
    errors += text
  })
  // A process that is gone cannot read; its silence is reported where its answer is awaited.
  stdin.on('error', error => {
    errors += String(error)
  })
  async function line(timeoutMs = 30_000): Promise<string> {
    const timeout = new AbortController()
    const silence = delay(timeoutMs, undefined, { signal: timeout.signal, ref: false }).then(() => 'silent' as const)
    const next = await Promise.race([lines.next(), silence]).finally(() => timeout.abort())
    if (next === 'silent') throw new Error(`no line within ${timeoutMs} ms: ${errors}`)
    if (next.done === true) throw new Error(`the process ended: ${errors}`)
    return next.value
  }
  return {
    pid: child.pid ?? 0,
    ended,
    line,
    get errors() {
      return errors
    },
    ask(text, timeoutMs) {
      stdin.write(`${text}\n`)
      return line(timeoutMs)
    },
    tell: text => void stdin.write(`${text}\n`),
    async eachLine(listener) {
      for (let next = await lines.next(); next.done !== true; next = await lines.next()) listener(next.value)
    },
    kill: signal => end(child, signal ?? 'SIGKILL', ended),
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  await ended
}
