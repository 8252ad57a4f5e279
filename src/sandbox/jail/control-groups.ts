/**
 * Control groups for guests, where this user may make them: memory and processes that the kernel itself counts, of the whole jail. Where
 * there are none the other limits hold: `RLIMIT_DATA`, and a look at the process every now and then.
 *
 * Both hierarchies: version 2, where a group above us hands its controllers down, and version 1, where memory and processes have
 * a tree each.
 */

import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

export interface ControlGroup {
  /** Takes a process in; those that it starts follow. */
  add(pid: number): void
  /** Whether the kernel has ended something in it for want of memory. */
  hasRunOutOfMemory(): boolean
  /** When nothing is in it any more. */
  remove(): void
}
export interface ControlGroups {
  /** @param memoryBytes  of all processes in it together, files in memory too */
  create(memoryBytes: number): ControlGroup
  close(): void
}

interface Layout {
  /** A folder for each hierarchy, ours alone. */
  readonly folders: readonly string[]
  limit(folder: string, memoryBytes: number): void
  hasRunOut(folder: string): boolean
}

const MOUNT = '/sys/fs/cgroup'
const PREFIX = 'partywall-'
/** Threads count too. */
const MAX_TASKS = '256'

/** @returns `undefined` where there are none for us */
export function openControlGroups(): ControlGroups | undefined {
  const layout = openVersion2() ?? openVersion1()
  if (layout === undefined) return undefined
  const made = new Set<string>()
  return {
    create(memoryBytes) {
      count += 1
      const folders = layout.folders.map(folder => path.join(folder, String(count)))
      for (const folder of folders) {
        mkdirSync(folder)
        made.add(folder)
        layout.limit(folder, memoryBytes)
      }
      return {
        add: pid => {
          for (const folder of folders) attempt(() => writeFileSync(path.join(folder, 'cgroup.procs'), String(pid)))
        },
        hasRunOutOfMemory: () => folders.some(folder => attempt(() => layout.hasRunOut(folder)) === true),
        remove: () => {
          for (const folder of folders) {
            attempt(() => rmdirSync(folder))
            made.delete(folder)
          }
        },
      }
    },
    close() {
      for (const folder of made) attempt(() => rmdirSync(folder))
      // Another sandbox of this process may have its own in there.
      for (const folder of layout.folders) attempt(() => rmdirSync(folder))
    },
  }
}

/** Of all sandboxes of this process, which share the folder. */
let count = 0

function openVersion2(): Layout | undefined {
  const own = ownPath('')
  for (const base of [own === undefined ? undefined : path.join(MOUNT, own), MOUNT]) {
    const handedDown =
      base && attempt(() => readFileSync(path.join(base, 'cgroup.subtree_control'), 'utf8').split(/\s+/))
    if (!base || !handedDown?.includes('memory') || !handedDown.includes('pids')) continue
    const folder = makeFolder(base)
    if (folder === undefined) continue
    if (
      attempt(() => writeFileSync(path.join(folder, 'cgroup.subtree_control'), '+memory +pids') ?? true) === undefined
    ) {
      removeTree(folder)
      continue
    }
    return {
      folders: [folder],
      limit(one, memoryBytes) {
        writeFileSync(path.join(one, 'memory.max'), String(memoryBytes))
        writeFileSync(path.join(one, 'pids.max'), MAX_TASKS)
        // A kernel without swap has no such file.
        attempt(() => writeFileSync(path.join(one, 'memory.swap.max'), '0'))
      },
      hasRunOut: one => /^oom_kill [1-9]/m.test(readFileSync(path.join(one, 'memory.events'), 'utf8')),
    }
  }
  return undefined
}

function openVersion1(): Layout | undefined {
  const folders: string[] = []
  for (const controller of ['memory', 'pids']) {
    const own = ownPath(controller)
    const base = path.join(MOUNT, controller, own ?? '/')
    const folder = own === undefined ? undefined : makeFolder(base)
    if (folder === undefined) {
      for (const made of folders) removeTree(made)
      return undefined
    }
    folders.push(folder)
  }
  const [memory] = folders
  const isMemory = (folder: string): boolean => memory !== undefined && folder.startsWith(memory)
  return {
    folders,
    limit(folder, memoryBytes) {
      const [name, value] = isMemory(folder) ? ['memory.limit_in_bytes', String(memoryBytes)] : ['pids.max', MAX_TASKS]
      writeFileSync(path.join(folder, name ?? ''), value ?? '')
    },
    hasRunOut: folder =>
      isMemory(folder) && /^oom_kill [1-9]/m.test(readFileSync(path.join(folder, 'memory.oom_control'), 'utf8')),
  }
}

/** Where this process is in a hierarchy; the one without controllers is version 2. */
function ownPath(controller: string): string | undefined {
  for (const line of attempt(() => readFileSync('/proc/self/cgroup', 'utf8'))?.split('\n') ?? []) {
    const [, controllers, where] = line.split(':')
    if (controllers === controller || (controller !== '' && controllers?.split(',').includes(controller))) return where
  }
  return undefined
}

/** One a process of ours; what a killed one left behind goes. */
function makeFolder(base: string): string | undefined {
  for (const name of attempt(() => readdirSync(base)) ?? []) {
    const owner = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : Number.NaN
    if (Number.isInteger(owner) && !isRunning(owner)) removeTree(path.join(base, name))
  }
  const folder = path.join(base, `${PREFIX}${process.pid}`)
  return attempt(() => {
    mkdirSync(folder, { recursive: true })
    return folder
  })
}

function removeTree(folder: string): void {
  for (const entry of attempt(() => readdirSync(folder, { withFileTypes: true })) ?? []) {
    if (entry.isDirectory()) attempt(() => rmdirSync(path.join(folder, entry.name)))
  }
  attempt(() => rmdirSync(folder))
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM'
  }
}

/** The kernel says no in many ways: it has no such file, we may not, the process has gone. None of them is more than "not here". */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
