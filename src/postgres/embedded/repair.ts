/**
 * Clears away what a killed server or keeper left in the data folder, so that the next start needs no hand: a server still
 * running, its orphans, its pid file, its sockets. Runs under the keeper's lock, before every start.
 */

import { constants } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { PartywallError } from '../../core/errors.ts'
import { readIfPresent } from './files.ts'
import type { Place } from './home.ts'
import { processesIn, signal, waitUntil } from './processes.ts'

const FAST_STOP_MS = 15_000
const KILL_MS = 10_000

/**
 * @returns what was found: nothing, leftovers of a crash, or a server that had to be stopped
 * @throws ERR_EMBEDDED_UNAVAILABLE a server of this folder runs where we cannot reach it (another container)
 */
export async function repairLeftovers(place: Place): Promise<'clean' | 'leftovers' | 'server'> {
  const pidFile = join(place.data, 'postmaster.pid')
  const text = await readIfPresent(pidFile)
  if (text === undefined) return 'clean'
  const postmaster = readPid(text)
  const running = await processesIn(place.data, postmaster)
  if (running.length > 0) await stopAll(place, postmaster, running)
  await refuseUnreachable(place)
  await disown(pidFile)
  if (process.platform !== 'win32') {
    const socket = join(place.sockets, `.s.PGSQL.${place.port}`)
    await rm(socket, { force: true })
    await rm(`${socket}.lock`, { force: true })
  }
  return running.length > 0 ? 'server' : 'leftovers'
}

export function readPid(text: string): number | undefined {
  const pid = Number.parseInt(text, 10)
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined
}

async function stopAll(place: Place, postmaster: number | undefined, running: readonly number[]): Promise<void> {
  const isGone = async () => (await processesIn(place.data, postmaster)).length === 0
  // Without its postmaster an orphan cannot be asked: it may sit in a long query and never look.
  const canAsk = postmaster !== undefined && running.includes(postmaster)
  if (canAsk) signal(postmaster, 'SIGINT')
  if (await waitUntil(isGone, canAsk ? FAST_STOP_MS : 1000)) return
  for (const pid of await processesIn(place.data, postmaster)) signal(pid, 'SIGKILL')
  if (await waitUntil(isGone, KILL_MS)) return
  throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
    message: `An old database server of ${place.data} cannot be ended (pid ${postmaster}).`,
  })
}

/** A server of another container shares the folder but not the process table; its socket answers. */
async function refuseUnreachable(place: Place): Promise<void> {
  if (process.platform === 'win32') return
  const isSilent = async () => !(await answers(join(place.sockets, `.s.PGSQL.${place.port}`)))
  if (await waitUntil(isSilent, FAST_STOP_MS)) return
  throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
    message: `Another container runs a database server in ${place.data}: stop it first.`,
  })
}

const answers = (address: string): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(address)
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

/**
 * Makes the pid file name us. A new server believes a file with any living pid, which may be a stranger's by now, but
 * disregards its own parent's; and unlike after a removal it still checks the shared memory named in the file.
 */
async function disown(pidFile: string): Promise<void> {
  const lines = (await readIfPresent(pidFile))?.split('\n')
  if (lines === undefined) return
  if (process.platform === 'win32' || readPid(lines[0] ?? '') === undefined) return rm(pidFile, { force: true })
  // Root writes here into a folder that an account may own: never through a link it has planted.
  const flag = constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW
  await writeFile(pidFile, [String(process.pid), ...lines.slice(1)].join('\n'), { flag })
}
