/**
 * Files that the jail is made of, where its user may read them: the launcher, and where we are root, copies of the programs, since a
 * process that is nobody outside too cannot look into our folders. One folder a process of ours, gone when that ends in order; what
 * a killed one left behind, the next removes.
 */

import { openSync } from 'node:fs'
import { chmod, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { launcherText } from './launcher-file.ts'
import { SECCOMP_FILTERS } from './seccomp-filters.ts'

export interface Place {
  readonly launcherFile: string
  /** The BPF program as a descriptor of its own, to be read once. Whoever opened it closes it. */
  openFilter(mayFork: boolean): number
  /** The folder as the jail's user can read it. */
  programFolder(id: string, folder: string): Promise<string>
  forget(id: string): Promise<void>
  close(): Promise<void>
}

const PREFIX = 'partywall-sandbox-'

/** @param isForeign  whether the jail's user is another than ours */
export async function createPlace(isForeign: boolean): Promise<Place> {
  await removeLeftovers()
  const folder = await mkdtemp(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`))
  await chmod(folder, 0o711)
  const launcherFile = path.join(folder, 'launcher.cjs')
  await writeFile(launcherFile, await launcherText(), { mode: 0o444 })
  const filters = SECCOMP_FILTERS[process.arch]
  const filterFile = (mayFork: boolean) => path.join(folder, mayFork ? 'with-processes.bpf' : 'without-processes.bpf')
  if (filters !== undefined) {
    await writeFile(filterFile(false), Buffer.from(filters.withoutProcesses, 'base64'))
    await writeFile(filterFile(true), Buffer.from(filters.withProcesses, 'base64'))
  }
  const copies = new Map<string, Promise<string>>()

  const copy = async (id: string, from: string): Promise<string> => {
    // A name that nobody guesses: other users of this machine pass through the folder and cannot list it.
    const to = path.join(await mkdtemp(path.join(folder, 'program-')), encodeURIComponent(id).slice(0, 80))
    await chmod(path.dirname(to), 0o711)
    await cp(from, to, { recursive: true, dereference: true, mode: 0 })
    await openForReading(to)
    return to
  }

  return {
    launcherFile,
    openFilter: mayFork => openSync(filterFile(mayFork), 'r'),
    programFolder(id, from) {
      if (!isForeign) return Promise.resolve(from)
      let made = copies.get(id)
      if (made === undefined) {
        made = copy(id, from)
        copies.set(id, made)
        made.catch(() => copies.delete(id))
      }
      return made
    },
    async forget(id) {
      const made = copies.get(id)
      copies.delete(id)
      if (made !== undefined) await rm(path.dirname(await made), { recursive: true, force: true })
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

async function openForReading(target: string): Promise<void> {
  await chmod(target, 0o755)
  for (const entry of await readdir(target, { withFileTypes: true })) {
    const name = path.join(target, entry.name)
    if (entry.isDirectory()) await openForReading(name)
    else await chmod(name, 0o444)
  }
}

async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(os.tmpdir())) {
    const owner = name.startsWith(PREFIX) ? Number(/^(\d+)-/.exec(name.slice(PREFIX.length))?.[1]) : Number.NaN
    if (Number.isNaN(owner) || isRunning(owner)) continue
    // Somebody else's leftovers are not ours to remove, and do no harm.
    await rm(path.join(os.tmpdir(), name), { recursive: true, force: true }).catch(() => undefined)
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM'
  }
}
