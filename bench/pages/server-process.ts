/**
 * A server under measurement: a process of its own that is told its port, says when it listens, and is asked for the processor
 * time it has used. Knows nothing of what it serves.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export interface ServerProcess {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** Processor time since its start, user and system, all threads, microseconds. */
  cpuMicros(): Promise<number>
  close(): Promise<void>
  /** Without a word, as a machine fails. */
  kill(): Promise<void>
}

export interface ServerOptions {
  readonly port: number
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where its standard output goes. */
  readonly log: string
}

const START_MS = 60_000
const REPORT_CPU = fileURLToPath(new URL('report-cpu.cjs', import.meta.url))

/** @param file  absolute path of a program in JavaScript; it sends `listening` over its channel */
export async function startServer(file: string, { port, environment, log }: ServerOptions): Promise<ServerProcess> {
  const output = openSync(log, 'a')
  const child = fork(file, [], {
    execArgv: ['--require', REPORT_CPU, ...(process.env.BENCH_NODE_FLAGS?.split(' ') ?? [])],
    env: { ...process.env, ...environment, PORT: String(port) },
    stdio: ['ignore', output, output, 'ipc'],
  })
  const ended = once(child, 'exit')
  try {
    await within(
      START_MS,
      answer(child, message => message === 'listening'),
      `${file} does not listen; see ${log}`,
    )
  } catch (error) {
    child.kill('SIGKILL')
    throw new Error(`${file} did not start: ${readFileSync(log, 'utf8').slice(-2_000)}`, { cause: error })
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async cpuMicros() {
      child.send('cpu')
      const message = await answer(child, one => typeof one === 'object')
      return (message as { readonly cpuMicros: number }).cpuMicros
    },
    async close() {
      child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await ended
      clearTimeout(killer)
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

function answer(child: ChildProcess, isWanted: (message: unknown) => boolean): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (work: () => void) => {
      child.off('message', onMessage).off('exit', onExit)
      work()
    }
    const onMessage = (message: unknown) => {
      if (isWanted(message)) settle(() => resolve(message))
    }
    const onExit = (code: number | null) => settle(() => reject(new Error(`the server ended with ${code}`)))
    child.on('message', onMessage).on('exit', onExit)
  })
}

async function within<T>(ms: number, work: Promise<T>, what: string): Promise<T> {
  const stop = new AbortController()
  const late = delay(ms, undefined, { signal: stop.signal }).then(() => Promise.reject(new Error(what)))
  return Promise.race([work, late]).finally(() => stop.abort())
}
