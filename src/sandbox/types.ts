/**
 * What the sandbox runs, under which limits, and what it answers: types alone. The sandbox knows programs, instances and calls;
 * it knows no tenant, no manifest and no product. Whoever calls it names an instance, and identity is that name.
 */

import type { JsonValue } from '../core/tenant.ts'

/** Megabytes of a program that names none. */
export const DEFAULT_MEMORY_MB = 512

/** Code that is loaded into processes: one CommonJS file, evaluated once per process before it belongs to anybody. */
export interface Program {
  /** Names the pool of spares: the same id is the same code. */
  readonly id: string
  /** Absolute path of a folder that the process sees read-only, and sees nothing else. */
  readonly folder: string
  /** File in `folder`; `module.exports` is a `GuestEntry`. */
  readonly entry: string
  /** Megabytes a process of this program may use; default 512. */
  readonly memoryMb?: number
}

/** What `entry` exports: called once in each process, before any call; returns what runs a call. */
export type GuestEntry = (api: GuestApi) => (payload: JsonValue) => Promise<JsonValue>

/** What code inside may ask of outside, within a call; outside of one it rejects with ERR_SANDBOX_NO_CALL. */
export interface GuestApi {
  request(name: string, payload: JsonValue): Promise<JsonValue>
}

/**
 * `installation`: a process belongs to the first instance that calls it, until it ends (default). `invocation`: and ends after one
 * call. `shared`: any instance of the program may get any process; only to find what an app keeps in memory between tenants.
 */
export type IsolationPolicy = 'installation' | 'invocation' | 'shared'

export interface CallLimits {
  /** Milliseconds from the start of the call to its answer; default 25,000. */
  readonly wallMs: number
  /** Milliseconds of processor time; default `wallMs`. */
  readonly cpuMs: number
  /** Bytes of the answer as JSON; default 5 MiB. */
  readonly outputBytes: number
  /** Log lines; further ones are dropped and counted; default 100. */
  readonly logLines: number
  /** Bytes of all log lines together; default 200 KiB. */
  readonly logBytes: number
  /** Requests to outside; further ones reject with ERR_SANDBOX_REQUESTS; default 100. */
  readonly requests: number
}

export interface SandboxLogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** As `console` would print it, without control characters other than line feeds. */
  readonly text: string
}

export interface SandboxCall {
  readonly program: Program
  /** Calls of different instances never share a process, but under `shared`. */
  readonly instance: string
  readonly policy: IsolationPolicy
  readonly payload: JsonValue
  readonly limits?: Partial<CallLimits>
  /** Answers what the code inside asks; a rejection rejects there, with its message and code alone. */
  onRequest(name: string, payload: JsonValue, signal: AbortSignal): Promise<JsonValue>
  onLog(line: SandboxLogLine): void
  /** Ends the call, and the process with it. */
  readonly signal?: AbortSignal
}

export interface SandboxStats {
  readonly spares: number
  readonly bound: number
  readonly running: number
  /** Processes started since the beginning, and ended by a limit or by themselves. */
  readonly started: number
  readonly crashed: number
}

export interface SandboxOptions {
  /** `jail`: bubblewrap, refused where it is missing; `process`: plain child processes, "not isolated"; `auto`: jail where there is one. */
  readonly isolation?: 'auto' | 'jail' | 'process'
  /** True refuses `process`. */
  readonly production?: boolean
  /** Processes of each program that are loaded and belong to nobody; default 1. */
  readonly spares?: number
  /** Calls in flight in one process; default 1. More wait their turn. */
  readonly concurrency?: number
  /** Milliseconds without a call after which a bound process ends; default 120,000. */
  readonly idleMs?: number
  /** Milliseconds, and calls, after which a process takes no more; default 3,600,000 and 1,000. */
  readonly maxAgeMs?: number
  readonly maxCalls?: number
  /** Calls of one instance that may wait for their turn; default 100. */
  readonly maxWaiting?: number
  /** True lets the code start processes, a shell with them; they stay inside of the jail and end with it. Default false. */
  readonly processes?: boolean
  /** Processes at once; the one that has been idle longest goes first; default 64. */
  readonly maxProcesses?: number
}

/** Runs untrusted functions in processes of their own. */
export interface Sandbox {
  /** `bubblewrap` or `none`: say it loudly. */
  readonly boundary: 'bubblewrap' | 'none'
  /** Makes the spares of a program ready. @throws ERR_SANDBOX_LOAD the code fails when it is evaluated */
  prepare(program: Program): Promise<void>
  /**
   * @returns what the code returned
   * @throws ERR_SANDBOX_TIMEOUT, ERR_SANDBOX_CPU, ERR_SANDBOX_MEMORY, ERR_SANDBOX_OUTPUT, ERR_SANDBOX_EXITED (process.exit or a
   *   signal), ERR_SANDBOX_LOAD, ERR_SANDBOX_CALL (what the code threw: its name and message in `details`), ERR_SANDBOX_BUSY (too
   *   many waiting), ERR_SANDBOX_BACKOFF (it has crashed again and again), ERR_SANDBOX_STOPPED
   */
  call(call: SandboxCall): Promise<JsonValue>
  /** Ends the processes of an instance, running calls too: ERR_SANDBOX_STOPPED. */
  stopInstance(instance: string): Promise<void>
  /** Ends spares and, when their calls are over, processes of a program. */
  retire(programId: string): Promise<void>
  stats(): SandboxStats
  /** Ends all; calls in flight get ERR_SANDBOX_STOPPED. */
  close(): Promise<void>
}
