/** Looks at processes of this machine and ends those of our own data folder. A pid alone proves nothing: pids are used again. */

import { execFile } from 'node:child_process'
import { readdir, readlink } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { hasCode } from './files.ts'

/**
 * The database processes that work in `data`, found by their working folder, where every PostgreSQL process stays.
 * Without /proc only `postmaster` can be asked about.
 */
export async function processesIn(data: string, postmaster: number | undefined): Promise<number[]> {
  if (process.platform === 'linux') {
    const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
    const folders = await Promise.all(pids.map(async pid => [Number(pid), await workingFolder(pid)] as const))
    return folders.filter(([, folder]) => folder === data).map(([pid]) => pid)
  }
  if (postmaster === undefined || process.platform === 'win32') return []
  return (await commandLine(postmaster)).includes(data) ? [postmaster] : []
}

/** Sends a signal; false when there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false
    throw error
  }
}

/** Asks `check` every 20 ms until it says yes; false when `timeoutMs` have passed. */
export async function waitUntil(check: () => Promise<boolean> | boolean, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (!(await check())) {
    if (performance.now() > deadline) return false
    await delay(20)
  }
  return true
}

async function workingFolder(pid: string): Promise<string | undefined> {
  try {
    return await readlink(`/proc/${pid}/cwd`)
  } catch (error) {
    // Gone since, a kernel thread, or somebody else's: then it is not ours.
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined
    throw error
  }
}

const commandLine = (pid: number): Promise<string> =>
  new Promise(resolve => {
    execFile('ps', ['-o', 'command=', '-p', String(pid)], (error, output) => resolve(error === null ? output : ''))
  })
