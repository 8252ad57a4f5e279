/**
 * Starts one guest process, in a jail or, where there is none, as a plain child: the two ways differ here and nowhere else. What is
 * said on the channel is the business of `guest-process.ts`.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import type { Duplex, Readable } from 'node:stream'
import { APP, jailArguments, LAUNCHER, NOBODY } from './jail/bubblewrap.ts'
import type { ControlGroup, ControlGroups } from './jail/control-groups.ts'
import { nodeFiles, shellFiles } from './jail/node-files.ts'
import type { Place } from './jail/place.ts'
import { childrenOf } from './process-times.ts'
import { DEFAULT_MEMORY_MB, type Program } from './types.ts'

export interface Launched {
  readonly child: ChildProcess
  readonly channel: Duplex
  readonly stdout: Readable
  readonly stderr: Readable
  /** The process that runs the code, once it runs. */
  pid(): number | undefined
  /** Ends it and everything in its jail. */
  kill(): void
  /** The code is loaded: all that is in the jail counts against its limits from here on. */
  adopt(): void
  /** After its end. @returns whether the kernel has ended it for want of memory */
  release(): { readonly hasRunOutOfMemory: boolean }
}

export interface LaunchOptions {
  readonly place: Place
  /** Path of the program; `undefined`: there is no jail. */
  readonly bubblewrap: string | undefined
  readonly isRoot: boolean
  readonly mayFork: boolean
  readonly groups: ControlGroups | undefined
}

const MB = 1024 * 1024
/** What a process uses besides V8's heap: buffers of its own, code, stacks. */
const BESIDES_HEAP = 0.25
/** Address space of data beyond what the app may use, which V8 reserves and does not touch. */
const DATA_SLACK_MB = 256
const TEMPORARY_MB = 512
/** What Node itself takes, and files in `/tmp`, which are memory. */
const GROUP_SLACK_MB = 96 + TEMPORARY_MB
/** Milliseconds that are left for reading what an ended process has said. */
const STRAGGLER_MS = 250
const INFO = 4
const FILTER = 5

/** Small and quiet, at no measurable cost per call (measurements: docs/reference/sandbox.md). */
const FLAGS = ['--single-threaded', '--v8-pool-size=0', '--max-semi-space-size=1', '--optimize-for-size']

export async function launch(program: Program, options: LaunchOptions): Promise<Launched> {
  const { bubblewrap } = options
  return bubblewrap === undefined ? launchPlain(program, options) : launchJailed(program, { ...options, bubblewrap })
}

function nodeArguments(program: Program, folder: string, launcherFile: string): string[] {
  const heapMb = Math.max(32, Math.floor((program.memoryMb ?? DEFAULT_MEMORY_MB) * (1 - BESIDES_HEAP)))
  const flags = [...FLAGS, `--max-old-space-size=${heapMb}`, '--no-addons', '--no-warnings']
  return [...flags, launcherFile, folder, program.entry]
}

async function launchJailed(
  program: Program,
  { place, bubblewrap, isRoot, mayFork, groups }: LaunchOptions & { readonly bubblewrap: string },
): Promise<Launched> {
  const [files, shell, programFolder] = await Promise.all([
    nodeFiles(),
    mayFork ? shellFiles() : undefined,
    place.programFolder(program.id, program.folder),
  ])
  const filter = place.openFilter(mayFork)
  try {
    const jail = jailArguments(
      {
        files,
        shell,
        programFolder,
        launcherFile: place.launcherFile,
        temporaryBytes: TEMPORARY_MB * MB,
        filterDescriptor: FILTER,
        infoDescriptor: INFO,
      },
      nodeArguments(program, APP, LAUNCHER),
    )
    const child = spawn('/bin/sh', ['-c', limitsScript(program), bubblewrap, ...jail], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', filter],
      // The jail's first process shows its own to everybody inside.
      env: {},
      cwd: '/',
      ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    })
    const megabytes = (program.memoryMb ?? DEFAULT_MEMORY_MB) + GROUP_SLACK_MB
    return launched(child, true, groups?.create(megabytes * MB))
  } finally {
    closeSync(filter)
  }
}

/** Limits that are inherited, set before bubblewrap begins. Its own processes are as small as they need to be for them. */
function limitsScript(program: Program): string {
  const dataKb = ((program.memoryMb ?? DEFAULT_MEMORY_MB) + DATA_SLACK_MB) * 1024
  return `ulimit -c 0; ulimit -n 256; ulimit -f ${(TEMPORARY_MB * MB) / 512}; ulimit -d ${dataKb}; unset PWD OLDPWD; exec "$0" "$@"`
}

async function launchPlain(program: Program, { place }: LaunchOptions): Promise<Launched> {
  const child = spawn(process.execPath, nodeArguments(program, program.folder, place.launcherFile), {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { TZ: 'UTC' },
    cwd: program.folder,
  })
  return launched(child, false)
}

function closeAll(child: ChildProcess): void {
  for (const stream of child.stdio) stream?.destroy()
}

function launched(child: ChildProcess, isJailed: boolean, group?: ControlGroup): Launched {
  const [, stdout, stderr, channel, info] = child.stdio
  if (child.pid === undefined) child.once('error', () => undefined)
  let init: number | undefined
  let text = ''
  ;(info as Readable | undefined)?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(0, 4096)
    init = Number(/"child-pid": (\d+)/.exec(text)?.[1] ?? Number.NaN) || undefined
    if (init !== undefined) group?.add(init)
    if (isKilled) killInit()
  })
  // What a jail that outlived its bubblewrap holds open would be waited for.
  child.once('exit', () => setTimeout(() => closeAll(child), STRAGGLER_MS).unref())
  let isKilled = false
  /** Killed in its first moments, bubblewrap has not tied the jail to its own life yet. */
  const killInit = () => {
    if (init === undefined) return
    try {
      process.kill(init, 'SIGKILL')
    } catch {
      // It has ended with bubblewrap, as it should.
    }
  }
  let pid: number | undefined
  return {
    child,
    channel: channel as Duplex,
    stdout: stdout as Readable,
    stderr: stderr as Readable,
    pid() {
      // Of the jail's own first process, the one that runs the code is the child.
      pid ??= isJailed ? init && childrenOf(init)[0] : child.pid
      return pid
    },
    kill() {
      isKilled = true
      child.kill('SIGKILL')
      killInit()
      // The launcher ends when nobody is there to work for.
      ;(channel as Duplex).destroy()
    },
    adopt() {
      if (init === undefined) return
      for (const one of [init, ...childrenOf(init)]) group?.add(one)
    },
    release() {
      const hasRunOutOfMemory = group?.hasRunOutOfMemory() ?? false
      group?.remove()
      return { hasRunOutOfMemory }
    },
  }
}
