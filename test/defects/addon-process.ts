/** An add-on under test as a process of its own: started, spoken to over HTTP, listened to, its clock moved. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freePort } from '../support/free-port.ts'
import { eventually } from '../support/processes.ts'

export interface Answered {
  readonly status: number
  readonly text: string
  readonly headers: Headers
  /** `undefined` when it is no JSON. */
  readonly json: unknown
}

export interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
}

export interface AddonProcess {
  readonly url: string
  readonly isAlive: boolean
  /** Everything it has written. */
  readonly output: string
  send(path: string, sent?: Sent): Promise<Answered>
  /** From now on its clock is that much ahead of ours. */
  moveClock(aheadMs: number): Promise<void>
  close(): Promise<void>
}

export interface AddonProgram {
  readonly file: string | URL
  readonly flags: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

const START_MS = 60_000
const CLOCK = fileURLToPath(new URL('clock.cjs', import.meta.url))

/** @throws Error with its output when it ends before it listens */
export async function startAddon({ file, flags, environment }: AddonProgram): Promise<AddonProcess> {
  const port = await freePort()
  const child = fork(file, [], {
    execArgv: ['--require', CLOCK, ...flags],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...environment, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const ended = once(child, 'exit')
  const state = { output: '', isListening: false }
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', text => {
      state.output += text
    })
  }
  child.on('message', message => {
    if (message === 'listening') state.isListening = true
  })
  const isAlive = () => child.exitCode === null && child.signalCode === null
  await eventually('the add-on listens', () => state.isListening || !isAlive(), START_MS)
  if (!isAlive()) throw new Error(`the add-on ended: ${state.output}`)
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    get isAlive() {
      return isAlive()
    },
    get output() {
      return state.output
    },
    send: (path, sent) => exchange(url + path, sent),
    moveClock: aheadMs => moveClock(child, aheadMs),
    async close() {
      if (isAlive()) child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), 8_000)
      await ended
      clearTimeout(killer)
    },
  }
}

async function exchange(url: string, { method = 'GET', headers = {}, body }: Sent = {}): Promise<Answered> {
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    redirect: 'manual',
    signal: AbortSignal.timeout(30_000),
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: readJson(text) }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function moveClock(child: ChildProcess, aheadMs: number): Promise<void> {
  const moved = once(child, 'message', { signal: AbortSignal.timeout(10_000) })
  child.send({ aheadMs })
  await moved
}
