/** The PostgreSQL server as the keeper's child: its settings, its start, its stop. */

import type { ChildProcess } from 'node:child_process'
import { open, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PartywallError } from '../../core/errors.ts'
import { type Binaries, programName } from './binaries.ts'
import { hasCode, readIfPresent } from './files.ts'
import { guardServer } from './guard.ts'
import type { Home, Place } from './home.ts'
import { waitUntil } from './processes.ts'
import { readPid } from './repair.ts'
import { type RunAs, startProgram } from './run-as.ts'

/** Recovery after a crash replays at most max_wal_size; slow disks need minutes for it. */
const START_MS = 300_000
const FAST_STOP_MS = 30_000
const IMMEDIATE_STOP_MS = 5000
const MAX_LOG_BYTES = 1024 * 1024

export interface Server {
  readonly pid: number
  /** Resolves when the server has ended, however it came to that. */
  readonly ended: Promise<void>
  /** Disconnects everyone, writes a checkpoint, ends. Safe to call twice. */
  stop(): Promise<void>
}

/** For a small machine, and for tenants' data: the server's log holds no statement and no value. */
export const SETTINGS: Readonly<Record<string, string>> = {
  unix_socket_permissions: '0700',
  password_encryption: 'scram-sha-256',
  max_connections: '100',
  shared_buffers: '128MB',
  max_wal_size: '512MB',
  fsync: 'on',
  full_page_writes: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
}

/** @throws ERR_EMBEDDED_UNAVAILABLE with the end of the server's log */
export async function startServer(home: Home, place: Place, binaries: Binaries, runAs: RunAs): Promise<Server> {
  for (let attempt = 1; ; attempt += 1) {
    const logStart = await turnLog(home.serverLog)
    const child = await spawnServer(home, place, binaries, runAs)
    const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
    if (await becomesReady(child, place, ended)) return supervise(child, ended)
    const said = (await readIfPresent(home.serverLog))?.slice(logStart) ?? ''
    // Orphans of a killed server let go of its memory a moment after they were told.
    if (attempt < 20 && /shared memory block .*still in use/.test(said)) {
      await waitUntil(() => false, 250)
      continue
    }
    throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
      message: `The database server did not start: ${said.trim().slice(-600)}`,
    })
  }
}

async function spawnServer(home: Home, place: Place, binaries: Binaries, runAs: RunAs): Promise<ChildProcess> {
  const isWindows = process.platform === 'win32'
  const settings = {
    ...SETTINGS,
    port: String(place.port),
    listen_addresses: isWindows ? '127.0.0.1' : '',
    // A list: quoted, or a comma in the path would begin the next folder.
    unix_socket_directories: isWindows ? '' : `"${place.sockets.replaceAll('"', '""')}"`,
  }
  const log = await open(home.serverLog, 'a', 0o600)
  try {
    const program = {
      file: join(binaries.bin, programName('postgres')),
      arguments: ['-D', place.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      folder: place.data,
      environment: binaries.environment,
    }
    const child = startProgram(runAs, program, ['ignore', log.fd, log.fd])
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    return child
  } finally {
    await log.close()
  }
}

/** The server says so itself, in the last line of its pid file. */
async function becomesReady(child: ChildProcess, place: Place, ended: Promise<void>): Promise<boolean> {
  let hasEnded = false
  const watch = ended.then(() => {
    hasEnded = true
  })
  let isReady = false
  const look = async () => {
    const text = await readIfPresent(join(place.data, 'postmaster.pid'))
    isReady = text !== undefined && readPid(text) === child.pid && text.split('\n')[7]?.trim() === 'ready'
    return isReady || hasEnded
  }
  const inTime = await waitUntil(look, START_MS)
  if (!inTime) {
    child.kill('SIGQUIT')
    await watch
  }
  return isReady && !hasEnded
}

function supervise(child: ChildProcess, ended: Promise<void>): Server {
  const pid = child.pid ?? 0
  const dismissGuard = guardServer(pid, error => console.error('no shell to guard the server', error))
  let stopping: Promise<void> | undefined
  return {
    pid,
    ended: ended.then(dismissGuard),
    stop: () => {
      stopping ??= stopChild(child, ended)
      return stopping
    },
  }
}

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  let hasEnded = child.exitCode !== null || child.signalCode !== null
  const watch = ended.then(() => {
    hasEnded = true
  })
  for (const [name, timeoutMs] of [
    ['SIGINT', FAST_STOP_MS],
    ['SIGQUIT', IMMEDIATE_STOP_MS],
    ['SIGKILL', IMMEDIATE_STOP_MS],
  ] as const) {
    if (hasEnded) break
    child.kill(name)
    if (await waitUntil(() => hasEnded, timeoutMs)) break
  }
  await watch
}

/** Keeps the log from growing without end: one old file. Returns where the next lines will begin. */
async function turnLog(path: string): Promise<number> {
  try {
    const { size } = await stat(path)
    if (size <= MAX_LOG_BYTES) return size
    await rename(path, `${path}.1`)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
  return 0
}
