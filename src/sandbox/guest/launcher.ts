/**
 * The program inside of the jail: evaluates the code once, then runs calls for as long as the process lives. It is untrusted from the
 * moment that the code is evaluated, since both share a process: it guards nothing, and everything that it says is checked outside.
 *
 * Arguments: folder of the program, its entry file. Descriptor 3 is the channel, and there is no other way in or out.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { closeSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import path from 'node:path'
import { format } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { JsonValue } from '../../core/tenant.ts'
import { createFrameReader, frameOf } from '../frames.ts'
import type { FromGuest, GuestFailure, ToGuest } from '../messages.ts'
import type { GuestEntry, SandboxLogLine } from '../types.ts'

const CHANNEL = 3
const CLOSE_ON_EXEC = 0o2000000
/** What comes from outside is the supervisor's, which keeps its own limits. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024
const WARM_CALLS = 50
const COLLECTIONS = 3

interface Call {
  readonly id: number
  hasEnded: boolean
}
interface Waiting {
  readonly call: Call
  resolve(value: JsonValue): void
  reject(error: Error): void
}

const [folder = '', entry = ''] = process.argv.slice(2)
process.argv.length = 1
const calls = new AsyncLocalStorage<Call>()
const waiting = new Map<number, Waiting>()
let requests = 0

const channel = new Socket({ fd: CHANNEL, readable: true, writable: true })
const send = (message: FromGuest) => channel.write(frameOf(message))
// Nobody outside is left to work for.
channel.on('close', () => process.exit(0))
channel.on('error', () => process.exit(0))

closeInherited()
replaceConsole()
warmUp()
void warmCalls().then(start)

function start(): void {
  let run: ReturnType<GuestEntry>
  try {
    const load = createRequire(path.join(folder, entry)) as (file: string) => GuestEntry
    run = load(path.join(folder, entry))({ request })
  } catch (error) {
    send({ type: 'failed', error: failureOf(error) })
    return
  }
  collectGarbage()
  const reader = createFrameReader(MAX_FRAME_BYTES, message => take(message as ToGuest, run))
  channel.on('data', chunk => reader.push(chunk))
  send({ type: 'ready' })
}

function take(message: ToGuest, run: ReturnType<GuestEntry>): void {
  if (message.type === 'ping') {
    send({ type: 'pong' })
    return
  }
  if (message.type === 'call') {
    void answer(message.id, message.payload, run)
    return
  }
  const request = waiting.get(message.id)
  if (request === undefined) return
  waiting.delete(message.id)
  if (message.type === 'answer') request.resolve(message.value)
  else request.reject(errorOf(message.error))
}

async function answer(
  id: number,
  payload: JsonValue,
  run: ReturnType<GuestEntry>,
  tell: (message: FromGuest) => void = send,
): Promise<void> {
  const call: Call = { id, hasEnded: false }
  try {
    const value = await calls.run(call, () => run(payload))
    tell({ type: 'result', id, value: value ?? null })
  } catch (error) {
    tell({ type: 'threw', id, error: failureOf(error) })
  }
  call.hasEnded = true
  for (const [request, one] of waiting) {
    if (one.call !== call) continue
    waiting.delete(request)
    one.reject(noCall())
  }
}

function request(name: string, payload: JsonValue): Promise<JsonValue> {
  const call = calls.getStore()
  if (call === undefined || call.hasEnded) return Promise.reject(noCall())
  const id = ++requests
  return new Promise((resolve, reject) => {
    waiting.set(id, { call, resolve, reject })
    send({ type: 'request', id, call: call.id, name, payload })
  })
}

const noCall = () =>
  errorOf({
    name: 'Error',
    message: 'nothing can be asked outside of a call, or after its answer',
    code: 'ERR_SANDBOX_NO_CALL',
  })

function errorOf({ name, message, code }: GuestFailure): Error {
  return Object.assign(new Error(message), name === 'Error' ? {} : { name }, code === undefined ? {} : { code })
}

/** Anything may be thrown: also what throws when it is looked at. */
function failureOf(error: unknown): GuestFailure {
  try {
    if (!(error instanceof Error)) return { name: 'Error', message: format(error) }
    const { code } = error as { code?: unknown }
    return {
      name: String(error.name),
      message: String(error.message),
      stack: typeof error.stack === 'string' ? error.stack : undefined,
      code: typeof code === 'string' ? code : undefined,
    }
  } catch {
    // A hostile getter: what it hides is its own affair.
    return { name: 'Error', message: 'the error could not be read' }
  }
}

/**
 * What the supervisor's own parents left open came along through every program that was started on the way. What Node has opened
 * itself is marked to be closed by such a start; the others go before there is any code that could use them.
 */
function closeInherited(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const descriptor = Number(name)
    if (descriptor > CHANNEL && isInherited(descriptor)) closeSync(descriptor)
  }
}

function isInherited(descriptor: number): boolean {
  try {
    const [, flags = '0'] = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')) ?? []
    return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0
  } catch {
    // The list's own, which has been closed by now.
    return false
  }
}

function replaceConsole(): void {
  const levels: readonly (readonly [keyof Console, SandboxLogLine['level']])[] = [
    ['debug', 'debug'],
    ['trace', 'debug'],
    ['log', 'info'],
    ['info', 'info'],
    ['dir', 'info'],
    ['warn', 'warn'],
    ['error', 'error'],
  ]
  for (const [name, level] of levels) {
    Object.assign(console, {
      [name](...values: unknown[]) {
        const call = calls.getStore()
        // While modules load nobody is called: whose line it would be, nobody knows.
        if (call !== undefined && !call.hasEnded) send({ type: 'log', call: call.id, level, text: format(...values) })
      },
    })
  }
}

/** What costs its first user milliseconds, done before there is one. The code itself is never called for this. */
function warmUp(): void {
  new Intl.DateTimeFormat('en').format(0)
  'a'.localeCompare('b')
  new Date(0).toString()
  JSON.parse(JSON.stringify({ warm: [1, 'a', null] }))
}

/** The way of a call through this program, without a call: what comes in, what goes out, and nothing of the code that is to be loaded. */
async function warmCalls(): Promise<void> {
  const sample = { list: [1, 'a', null, { b: true }], text: 'x'.repeat(500) }
  const done: Promise<void>[] = []
  const reader = createFrameReader(MAX_FRAME_BYTES, message => {
    const { id, payload } = message as { id: number; payload: JsonValue }
    done.push(answer(id, payload, async value => value, frameOf))
  })
  for (let id = 0; id < WARM_CALLS; id += 1) reader.push(frameOf({ type: 'call', id, payload: sample }))
  await Promise.all(done)
}

/**
 * Full collections of what loading left behind: pages that the first one has thinned out the next ones give back. The function is
 * not left where the code could find it.
 */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  setFlagsFromString('--no-expose-gc')
  for (let n = 0; n < COLLECTIONS; n += 1) collect()
}
