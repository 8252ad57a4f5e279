/**
 * Which process gets which call: spares that are loaded and belong to nobody, bound ones that belong to one instance until they end,
 * queues of calls that wait for their turn. A process that has been bound is never bound again.
 */

import { PartywallError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import type { JsonValue } from '../core/tenant.ts'
import { type GuestProcess, startGuest } from './guest-process.ts'
import type { LaunchOptions } from './launch.ts'
import type { CallLimits, IsolationPolicy, Program, SandboxCall, SandboxStats } from './types.ts'

export interface PoolSettings {
  readonly spares: number
  readonly concurrency: number
  readonly idleMs: number
  readonly maxAgeMs: number
  readonly maxCalls: number
  readonly maxProcesses: number
  /** Calls of one instance that may wait. */
  readonly maxWaiting: number
}

interface Waiting {
  readonly call: SandboxCall
  readonly limits: CallLimits
  resolve(value: JsonValue | Promise<JsonValue>): void
  reject(error: unknown): void
}

/** What belongs to one instance of one program; under `shared`, to all of them. */
interface Slot {
  readonly name: string
  readonly instance: string
  readonly program: Program
  readonly policy: IsolationPolicy
  process: GuestProcess | undefined
  starting: Promise<void> | undefined
  readonly waiting: Waiting[]
  lastUsedAt: number
  crashes: number
  notBefore: number
}

const SHARED = 'shared'
const BACKOFF_FIRST_MS = 100
const BACKOFF_MAX_MS = 30_000
/** Crashes in a row after which calls are refused for a while instead of started. */
const CRASHES_BEFORE_BACKOFF = 3
const SWEEP_MS = 1_000
const REFILL_MS = 20

export class Pool {
  readonly #launch: LaunchOptions
  readonly #settings: PoolSettings
  readonly #logger: Logger
  readonly #slots = new Map<string, Slot>()
  readonly #spares = new Map<string, { program: Program; processes: Set<GuestProcess>; starting: number }>()
  readonly #all = new Set<GuestProcess>()
  readonly #sweeper: NodeJS.Timeout
  #started = 0
  #crashed = 0
  #isClosed = false

  constructor(launch: LaunchOptions, settings: PoolSettings, logger: Logger) {
    this.#launch = launch
    this.#settings = settings
    this.#logger = logger
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  async prepare(program: Program): Promise<void> {
    const first = await this.#take(program)
    await first.ready
    this.#sparesOf(program).processes.add(first)
    this.#fill(program)
  }

  call(call: SandboxCall, limits: CallLimits): Promise<JsonValue> {
    if (this.#isClosed) return Promise.reject(stopped())
    const slot = this.#slotOf(call)
    if (slot.notBefore > performance.now()) return Promise.reject(backingOff(slot))
    if (slot.waiting.length >= this.#settings.maxWaiting) {
      return Promise.reject(new PartywallError('ERR_SANDBOX_BUSY', { retryAfterSeconds: 1 }))
    }
    return new Promise((resolve, reject) => {
      slot.waiting.push({ call, limits, resolve, reject })
      this.#serve(slot)
    })
  }

  async stopInstance(instance: string): Promise<void> {
    await Promise.all(
      [...this.#slots.values()].filter(slot => slot.instance === instance).map(slot => this.#stop(slot)),
    )
  }

  async retire(programId: string): Promise<void> {
    const spares = this.#spares.get(programId)
    this.#spares.delete(programId)
    for (const spare of spares?.processes ?? []) spare.kill(stopped())
    const slots = [...this.#slots.values()].filter(slot => slot.program.id === programId)
    for (const slot of slots) if (slot.process?.inFlight === 0 && slot.waiting.length === 0) await this.#stop(slot)
    await Promise.all([...(spares?.processes ?? [])].map(spare => spare.ended))
  }

  stats(): SandboxStats {
    const spares = [...this.#spares.values()].reduce((sum, { processes }) => sum + processes.size, 0)
    const bound = [...this.#slots.values()].filter(({ process }) => process !== undefined)
    const running = bound.reduce((sum, { process }) => sum + (process?.inFlight ?? 0), 0)
    return { spares, bound: bound.length, running, started: this.#started, crashed: this.#crashed }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#sweeper)
    for (const slot of this.#slots.values()) rejectAll(slot, stopped())
    const all = [...this.#all]
    for (const process of all) process.kill(stopped())
    await Promise.all(all.map(process => process.ended))
  }

  #slotOf({ program, instance, policy }: SandboxCall): Slot {
    const owner = policy === 'shared' ? SHARED : `of ${instance}`
    const name = `${program.id} ${policy} ${owner}`
    let slot = this.#slots.get(name)
    if (slot === undefined) {
      slot = {
        name,
        instance: policy === 'shared' ? '' : instance,
        program,
        policy,
        process: undefined,
        starting: undefined,
        waiting: [],
        lastUsedAt: performance.now(),
        crashes: 0,
        notBefore: 0,
      }
      this.#slots.set(name, slot)
    }
    return slot
  }

  #serve(slot: Slot): void {
    while (slot.waiting.length > 0) {
      const { process } = slot
      if (process === undefined || process.hasEnded || this.#isWorn(process, slot)) {
        if (process !== undefined && !process.hasEnded && process.inFlight > 0) return
        if (process?.hasEnded === true) this.#drop(slot, process)
        else if (process !== undefined) this.#leave(slot, process)
        if (slot.notBefore > performance.now()) {
          rejectAll(slot, backingOff(slot))
          return
        }
        slot.starting ??= this.#bind(slot)
        return
      }
      if (process.inFlight >= (slot.policy === 'invocation' ? 1 : this.#settings.concurrency)) return
      const next = slot.waiting.shift()
      if (next !== undefined) this.#run(slot, process, next)
    }
  }

  #run(slot: Slot, process: GuestProcess, { call, limits, resolve }: Waiting): void {
    slot.lastUsedAt = performance.now()
    const answer = process.call(call, limits)
    resolve(answer)
    answer
      .then(
        () => {
          slot.crashes = 0
        },
        () => undefined,
      )
      .finally(() => {
        slot.lastUsedAt = performance.now()
        if (slot.policy === 'invocation') this.#leave(slot, process)
        this.#serve(slot)
      })
  }

  /** True where it has had its time: it takes no more calls. */
  #isWorn(process: GuestProcess, { policy }: Slot): boolean {
    const { maxCalls, maxAgeMs } = this.#settings
    if (policy === 'invocation') return process.calls > 0
    return process.calls >= maxCalls || performance.now() - process.startedAt > maxAgeMs
  }

  #leave(slot: Slot, process: GuestProcess): void {
    if (slot.process === process) slot.process = undefined
    process.kill(stopped())
  }

  async #bind(slot: Slot): Promise<void> {
    try {
      const process = await this.#take(slot.program)
      await process.ready
      if (this.#isClosed) throw stopped()
      slot.process = process
      void process.ended.then(() => {
        this.#drop(slot, process)
        this.#serve(slot)
      })
    } catch (error) {
      this.#countCrash(slot)
      rejectAll(slot, error)
    } finally {
      slot.starting = undefined
    }
    this.#serve(slot)
    // Starting a process holds this one up for milliseconds: not while somebody waits for a first answer.
    setTimeout(() => this.#fill(slot.program), REFILL_MS).unref()
  }

  /** One that has ended makes room; what was no order of ours counts against its instance, once. */
  #drop(slot: Slot, process: GuestProcess): void {
    if (slot.process !== process) return
    slot.process = undefined
    if (!process.hasCrashed) return
    this.#crashed += 1
    this.#countCrash(slot)
  }

  #countCrash(slot: Slot): void {
    slot.crashes += 1
    if (slot.crashes < CRASHES_BEFORE_BACKOFF) return
    const waitMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (slot.crashes - CRASHES_BEFORE_BACKOFF))
    slot.notBefore = performance.now() + waitMs
  }

  /** A spare where there is one, else a new process. */
  async #take(program: Program): Promise<GuestProcess> {
    const spares = this.#spares.get(program.id)
    for (const spare of spares?.processes ?? []) {
      spares?.processes.delete(spare)
      if (!spare.hasEnded) return spare
    }
    return this.#start(program)
  }

  async #start(program: Program): Promise<GuestProcess> {
    this.#makeRoom()
    const process = await startGuest(program, this.#launch)
    this.#started += 1
    this.#all.add(process)
    void process.ended.then(() => this.#all.delete(process))
    if (this.#isClosed) process.kill(stopped())
    return process
  }

  /** The one that has been idle longest goes first; where all work, there is one more for a while. */
  #makeRoom(): void {
    if (this.#all.size < this.#settings.maxProcesses) return
    const idle = [...this.#slots.values()]
      .filter(({ process, waiting }) => process?.inFlight === 0 && waiting.length === 0)
      .sort((one, other) => one.lastUsedAt - other.lastUsedAt)
    if (idle[0]?.process !== undefined) this.#leave(idle[0], idle[0].process)
  }

  #sparesOf(program: Program) {
    let spares = this.#spares.get(program.id)
    if (spares === undefined) {
      spares = { program, processes: new Set(), starting: 0 }
      this.#spares.set(program.id, spares)
    }
    return spares
  }

  /** Only of programs that were prepared: a retired one gets no new spares. */
  #fill(program: Program): void {
    const spares = this.#spares.get(program.id)
    if (spares === undefined || this.#isClosed) return
    for (let missing = this.#settings.spares - spares.processes.size - spares.starting; missing > 0; missing -= 1) {
      spares.starting += 1
      this.#start(program)
        .then(async process => {
          await process.ready
          if (this.#spares.get(program.id) === spares) {
            spares.processes.add(process)
            void process.ended.then(() => spares.processes.delete(process))
          } else process.kill(stopped())
        })
        .catch((error: unknown) => {
          if (!this.#isClosed) this.#logger.warn('sandbox-spare-failed', { program: program.id, error })
        })
        .finally(() => {
          spares.starting -= 1
        })
    }
  }

  #sweep(): void {
    const now = performance.now()
    for (const slot of this.#slots.values()) {
      const { process, waiting, starting, lastUsedAt } = slot
      if (waiting.length > 0 || starting !== undefined || now - lastUsedAt < this.#settings.idleMs) continue
      if (process !== undefined && process.inFlight > 0) continue
      if (process !== undefined) this.#leave(slot, process)
      if (slot.notBefore < now) this.#slots.delete(slot.name)
    }
  }

  async #stop(slot: Slot): Promise<void> {
    rejectAll(slot, stopped())
    const { process } = slot
    if (process === undefined) return
    this.#leave(slot, process)
    await process.ended
  }
}

function rejectAll(slot: Slot, error: unknown): void {
  for (const waiting of slot.waiting.splice(0)) waiting.reject(error)
}

const backingOff = ({ notBefore }: Slot) =>
  new PartywallError('ERR_SANDBOX_BACKOFF', {
    retryAfterSeconds: Math.ceil((notBefore - performance.now()) / 1000),
  })

const stopped = () => new PartywallError('ERR_SANDBOX_STOPPED')
