/**
 * One guest process as the supervisor holds it: starts it, hands it calls, keeps their limits, ends it. It knows when it is ready,
 * and why it ended; who it belongs to is `pool.ts`'s matter.
 *
 * Between calls the process is stopped, as the frozen one of a cloud function is: what a call left running neither works on nor costs
 * anything until the next call of the same instance.
 */

import { setPriority } from 'node:os'
import { PartywallError } from '../core/errors.ts'
import type { JsonValue } from '../core/tenant.ts'
import { createFrameReader, frameOf } from './frames.ts'
import { type Launched, type LaunchOptions, launch } from './launch.ts'
import { type FromGuest, type GuestFailure, readFromGuest, type ToGuest } from './messages.ts'
import { cpuMsOf, residentBytesOf } from './process-times.ts'
import { type CallLimits, DEFAULT_MEMORY_MB, type Program, type SandboxCall } from './types.ts'

export interface GuestProcess {
  readonly program: Program
  readonly startedAt: number
  /** Calls that it has been given so far. */
  readonly calls: number
  readonly inFlight: number
  /** It takes no more calls: it has ended, or is about to. */
  readonly hasEnded: boolean
  /** It has ended by itself or by a limit, and not because it was told to. */
  readonly hasCrashed: boolean
  /** Resolves when the code is evaluated. @throws ERR_SANDBOX_LOAD, ERR_SANDBOX_EXITED */
  readonly ready: Promise<void>
  /** Resolves when it has ended, however. */
  readonly ended: Promise<void>
  call(call: SandboxCall, limits: CallLimits): Promise<JsonValue>
  /** Ends it; calls in flight end with `reason`. */
  kill(reason: PartywallError): void
}

/** Longest frame that is read: the largest answer or request there can be, and what JSON adds. */
const MAX_FRAME_BYTES = 8 * 1024 * 1024
/** What a message has around the answer. */
const ENVELOPE_BYTES = 64
const LOOK_MS = 50
/** A process whose call has just ended runs on for so long: stopping and waking it costs more than most calls. */
const LINGER_MS = 5
/** Exchanges before the first call, so that neither end of the channel does anything for the first time then. */
const PINGS = 8
/** Milliseconds of processor time after which a call counts as greedy, and how far it is put back. */
const GREEDY_MS = 100
const GREEDY_NICE = 10
const LOAD_MS = 30_000
const STDERR_BYTES = 8 * 1024
/** Raw output that is thrown away per process before it counts as a flood. */
const MAX_RAW_OUTPUT_BYTES = 16 * 1024 * 1024
/** Memory beyond the program's own that Node itself takes. */
const RESIDENT_SLACK_MB = 96
const MB = 1024 * 1024

interface Running {
  readonly id: number
  readonly call: SandboxCall
  readonly limits: CallLimits
  /** Of what its requests asked for; made when there is one, since most calls ask for nothing. */
  abort: AbortController | undefined
  /** Processor time of the process when it was first looked at during this call. */
  cpuAtStart: number | undefined
  requests: number
  logLines: number
  logBytes: number
  end(outcome: { readonly value: JsonValue } | { readonly error: PartywallError }): void
}

export async function startGuest(program: Program, options: LaunchOptions): Promise<GuestProcess> {
  return new Guest(program, await launch(program, options))
}

class Guest implements GuestProcess {
  readonly program: Program
  readonly startedAt = performance.now()
  readonly ready: Promise<void>
  readonly ended: Promise<void>
  calls = 0
  #isClosed = false
  readonly #launched: Launched
  readonly #running = new Map<number, Running>()
  #settleReady: { resolve(): void; reject(error: PartywallError): void } | undefined
  #reason: PartywallError | undefined
  #stderr = ''
  #rawBytes = 0
  #watch: NodeJS.Timeout | undefined
  #pings = 0
  #lingering: NodeJS.Timeout | undefined
  #idleSince = 0
  #isStopped = false
  #isGreedy = false

  constructor(program: Program, launched: Launched) {
    this.program = program
    this.#launched = launched
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject }
    })
    // Who waits for it hears of it; a spare that nobody waits for is replaced.
    this.ready.catch(() => undefined)
    const loading = setTimeout(
      () => this.kill(new PartywallError('ERR_SANDBOX_LOAD', { message: 'the code was not evaluated in time' })),
      LOAD_MS,
    ).unref()
    this.ready.finally(() => clearTimeout(loading)).catch(() => undefined)
    this.#listen()
    this.ended = new Promise(resolve => {
      launched.child.once('close', (code, signal) => {
        this.#close(code, signal)
        resolve()
      })
      launched.child.once('error', cause => {
        this.#reason ??= new PartywallError('ERR_SANDBOX_UNAVAILABLE', { cause })
        this.#close(null, null)
        resolve()
      })
    })
  }

  get hasEnded(): boolean {
    return this.#isClosed || this.#reason !== undefined
  }

  get hasCrashed(): boolean {
    return this.#reason !== undefined && this.#reason.code !== 'ERR_SANDBOX_STOPPED'
  }

  get inFlight(): number {
    return this.#running.size
  }

  call(call: SandboxCall, limits: CallLimits): Promise<JsonValue> {
    if (this.hasEnded) return Promise.reject(this.#reason ?? exited(null, null))
    const id = ++this.calls
    this.#resume()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.kill(timedOut(limits.wallMs)), limits.wallMs)
      const onAbort = () => this.kill(new PartywallError('ERR_SANDBOX_STOPPED', { cause: call.signal?.reason }))
      const end: Running['end'] = outcome => {
        clearTimeout(timer)
        call.signal?.removeEventListener('abort', onAbort)
        this.#running.get(id)?.abort?.abort(new PartywallError('ERR_SANDBOX_NO_CALL'))
        this.#running.delete(id)
        if (this.#running.size === 0) this.#linger()
        if ('value' in outcome) resolve(outcome.value)
        else reject(outcome.error)
      }
      this.#running.set(id, {
        id,
        call,
        limits,
        abort: undefined,
        cpuAtStart: undefined,
        requests: 0,
        logLines: 0,
        logBytes: 0,
        end,
      })
      if (call.signal?.aborted === true) {
        onAbort()
        return
      }
      call.signal?.addEventListener('abort', onAbort)
      this.#watch ??= setInterval(() => this.#look(), LOOK_MS).unref()
      this.#send({ type: 'call', id, payload: call.payload })
    })
  }

  kill(reason: PartywallError): void {
    if (this.#isClosed) return
    this.#reason ??= reason
    this.#endAll(this.#reason)
    this.#launched.kill()
  }

  #listen(): void {
    const { channel, stdout, stderr } = this.#launched
    const reader = createFrameReader(MAX_FRAME_BYTES, (message, bytes) => this.#take(message, bytes))
    channel.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch (error) {
        channel.removeAllListeners('data')
        const code = error instanceof RangeError ? 'ERR_SANDBOX_OUTPUT' : 'ERR_SANDBOX_EXITED'
        this.kill(new PartywallError(code, { message: 'the guest sent what is no frame', cause: error }))
      }
    })
    // Its end is told by the process's own.
    channel.on('error', () => undefined)
    const drain = (chunk: Buffer) => {
      this.#rawBytes += chunk.length
      if (this.#rawBytes > MAX_RAW_OUTPUT_BYTES) this.kill(tooMuchOutput('standard output'))
    }
    stdout.on('data', drain)
    stderr.on('data', (chunk: Buffer) => {
      if (this.#stderr.length < STDERR_BYTES) this.#stderr += chunk.toString('latin1', 0, STDERR_BYTES)
      drain(chunk)
    })
  }

  #take(given: unknown, bytes: number): void {
    const message = readFromGuest(given)
    if (message === undefined) {
      this.kill(new PartywallError('ERR_SANDBOX_EXITED', { message: 'the guest sent a message that there is not' }))
      return
    }
    switch (message.type) {
      case 'ready':
        this.#launched.adopt()
        this.#settle(undefined)
        this.#ping()
        return
      case 'pong':
        this.#ping()
        return
      case 'failed':
        this.kill(loadFailed(message.error))
        return
      case 'result':
        this.#takeResult(message, bytes)
        return
      case 'threw':
        this.#running.get(message.id)?.end({ error: callFailed(message.error) })
        return
      case 'log':
        this.#takeLog(message)
        return
      case 'request':
        void this.#takeRequest(message)
    }
  }

  #takeResult({ id, value }: FromGuest & { type: 'result' }, bytes: number): void {
    const running = this.#running.get(id)
    if (running === undefined) return
    if (bytes - ENVELOPE_BYTES <= running.limits.outputBytes) running.end({ value })
    else running.end({ error: tooMuchOutput('the answer', running.limits.outputBytes) })
  }

  #takeLog({ call: id, level, text }: FromGuest & { type: 'log' }): void {
    const running = this.#running.get(id)
    if (running === undefined) return
    const { limits } = running
    running.logLines += 1
    running.logBytes += Buffer.byteLength(text)
    if (running.logLines > limits.logLines || running.logBytes > limits.logBytes) {
      // Said once; what follows is dropped.
      if (running.logBytes !== Number.POSITIVE_INFINITY)
        running.call.onLog({
          level: 'warn',
          text: 'The call has reached its limit of log lines; further ones are dropped.',
        })
      running.logBytes = Number.POSITIVE_INFINITY
      return
    }
    running.call.onLog({ level, text: printable(text) })
  }

  async #takeRequest({ id, call, name, payload }: FromGuest & { type: 'request' }): Promise<void> {
    const running = this.#running.get(call)
    if (running === undefined) {
      this.#send({ type: 'refusal', id, error: failureOf(new PartywallError('ERR_SANDBOX_NO_CALL')) })
      return
    }
    running.requests += 1
    try {
      if (running.requests > running.limits.requests) throw new PartywallError('ERR_SANDBOX_REQUESTS')
      running.abort ??= new AbortController()
      const value = await running.call.onRequest(name, payload, running.abort.signal)
      // An answer to a call that has ended is for nobody.
      if (this.#running.has(call)) this.#send({ type: 'answer', id, value })
    } catch (error) {
      if (this.#running.has(call)) this.#send({ type: 'refusal', id, error: failureOf(error) })
    }
  }

  /** Reached limits that only show when somebody looks: processor time and memory. */
  #look(): void {
    const pid = this.#launched.pid()
    if (pid === undefined) return
    const residentLimit = ((this.program.memoryMb ?? DEFAULT_MEMORY_MB) + RESIDENT_SLACK_MB) * MB
    const used = this.#cpuMs()
    for (const running of this.#running.values()) running.cpuAtStart ??= used
    const spent = ({ cpuAtStart = used }: Running) => used - cpuAtStart
    const isOverTime = [...this.#running.values()].some(running => spent(running) > running.limits.cpuMs)
    if ((residentBytesOf(pid) ?? 0) > residentLimit) this.kill(new PartywallError('ERR_SANDBOX_MEMORY'))
    else if (isOverTime) this.kill(new PartywallError('ERR_SANDBOX_CPU'))
    else if ([...this.#running.values()].some(running => spent(running) > GREEDY_MS)) this.#yield(pid, true)
  }

  /** Whoever computes for long waits behind those who do not. Only where we are root there is a way back before the process ends. */
  #yield(pid: number, isGreedy: boolean): void {
    if (this.#isGreedy === isGreedy) return
    try {
      setPriority(pid, isGreedy ? GREEDY_NICE : 0)
      this.#isGreedy = isGreedy
    } catch {
      // It has ended, or this user may not: it keeps the priority that it has.
    }
  }

  #cpuMs(): number {
    const pid = this.#launched.pid()
    return pid === undefined ? 0 : (cpuMsOf(pid) ?? 0)
  }

  /** Once ready, and as long as nobody calls. */
  #ping(): void {
    if (this.#running.size > 0 || this.calls > 0) return
    if (this.#pings === PINGS) {
      this.#linger()
      return
    }
    this.#pings += 1
    this.#send({ type: 'ping' })
  }

  /** One timer for many calls: when it fires, it looks how long ago the last one ended. */
  #linger(): void {
    this.#idleSince = performance.now()
    this.#lingering ??= setTimeout(() => this.#stopIfIdle(), LINGER_MS)
  }

  #stopIfIdle(): void {
    this.#lingering = undefined
    if (this.#running.size > 0) return
    const leftMs = LINGER_MS - (performance.now() - this.#idleSince)
    if (leftMs <= 0) this.#pause()
    else this.#lingering = setTimeout(() => this.#stopIfIdle(), leftMs)
  }

  #pause(): void {
    clearInterval(this.#watch)
    this.#watch = undefined
    const pid = this.#isGreedy ? this.#launched.pid() : undefined
    if (pid !== undefined) this.#yield(pid, false)
    if (!this.#isStopped && this.#signal('SIGSTOP')) this.#isStopped = true
  }

  #resume(): void {
    if (this.#isStopped) this.#signal('SIGCONT')
    this.#isStopped = false
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): boolean {
    const pid = this.#isClosed ? undefined : this.#launched.pid()
    if (pid === undefined) return false
    try {
      return process.kill(pid, signal)
    } catch {
      // It has ended in this very moment: its end is told elsewhere.
      return false
    }
  }

  #send(message: ToGuest): void {
    if (!this.#isClosed) this.#launched.channel.write(frameOf(message))
  }

  #settle(error: PartywallError | undefined): void {
    if (error === undefined) this.#settleReady?.resolve()
    else this.#settleReady?.reject(error)
    this.#settleReady = undefined
  }

  #endAll(error: PartywallError): void {
    this.#settle(error)
    for (const running of [...this.#running.values()]) running.end({ error })
  }

  #close(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#watch)
    clearTimeout(this.#lingering)
    const { hasRunOutOfMemory } = this.#launched.release()
    this.#reason ??=
      hasRunOutOfMemory || isOutOfMemory(this.#stderr) ? new PartywallError('ERR_SANDBOX_MEMORY') : exited(code, signal)
    this.#endAll(this.#reason)
    this.#launched.channel.destroy()
  }
}

const isOutOfMemory = (stderr: string): boolean => /heap out of memory|Allocation failed|OOM error/.test(stderr)

/** bubblewrap tells the signal that ended its child as a code above 128. */
function exited(code: number | null, signal: NodeJS.Signals | null): PartywallError {
  const number = code !== null && code > 128 ? code - 128 : undefined
  return new PartywallError('ERR_SANDBOX_EXITED', {
    message: `the process ended by itself: ${signal ?? (number === undefined ? `exit code ${code}` : `signal ${number}`)}`,
    details: { exitCode: code ?? undefined, signal: signal ?? number },
  })
}

const timedOut = (wallMs: number) =>
  new PartywallError('ERR_SANDBOX_TIMEOUT', {
    message: `the call took longer than ${wallMs / 1000} seconds`,
    details: { limitMs: wallMs },
  })

const tooMuchOutput = (what: string, limit?: number) =>
  new PartywallError('ERR_SANDBOX_OUTPUT', {
    message: limit === undefined ? `too much ${what}` : `${what} is larger than ${limit} bytes`,
  })

const loadFailed = ({ name, message, stack }: GuestFailure) =>
  new PartywallError('ERR_SANDBOX_LOAD', {
    message: `the code failed when it was evaluated: ${name}: ${message}`,
    details: { name, message, stack },
  })

const callFailed = ({ name, message, stack }: GuestFailure) =>
  new PartywallError('ERR_SANDBOX_CALL', { message: `${name}: ${message}`, details: { name, message, stack } })

/** What the code inside may know of a refusal: its code and its sentence. */
function failureOf(error: unknown): GuestFailure {
  if (error instanceof PartywallError) return { name: 'Error', message: error.message, code: error.code }
  return { name: 'Error', message: 'the request failed' }
}

/** One line stays one line for whoever reads it, and no terminal obeys it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const printable = (text: string): string => text.replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '\u{FFFD}')
