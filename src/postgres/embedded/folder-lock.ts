/**
 * One keeper per folder: a lock that the kernel holds for as long as the process lives, so that it can never be stale.
 *
 * Node offers no `flock`. On Linux util-linux's `flock` takes the lock on our open file, which goes on holding it after the
 * tool has ended; on macOS and Windows opening the file exclusively is enough.
 */

import { spawn } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { PartywallError } from '../../core/errors.ts'
import { hasCode } from './files.ts'

/** `O_EXLOCK` as macOS spells it, and libuv's flag for "share with nobody" on Windows. */
const EXCLUSIVE = { darwin: 0x20, win32: 0x10000000 } as const

/**
 * Takes the lock for the rest of this process's life. The descriptor is a bare number and stays open: a handle object could be
 * collected, and the lock with it.
 *
 * @returns false when another process holds it
 * @throws ERR_EMBEDDED_UNAVAILABLE when this system has no means to lock
 */
export async function takeFolderLock(path: string): Promise<boolean> {
  const flags = constants.O_RDWR | constants.O_CREAT
  if (process.platform === 'darwin' || process.platform === 'win32') {
    const nonBlocking = process.platform === 'darwin' ? constants.O_NONBLOCK : 0
    try {
      openSync(path, flags | nonBlocking | EXCLUSIVE[process.platform], 0o600)
      return true
    } catch (error) {
      if (hasCode(error, 'EAGAIN', 'EWOULDBLOCK', 'EBUSY')) return false
      throw error
    }
  }
  const descriptor = openSync(path, flags, 0o600)
  if ((await lockByTool(descriptor)) === 0) return true
  closeSync(descriptor)
  return false
}

/** Exit status of `flock`: 0 taken, 1 held by another. */
function lockByTool(descriptor: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: unknown) =>
      reject(
        new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
          message:
            'The tool "flock" does not work here: install util-linux, or set DATABASE_URL to use your own PostgreSQL.',
          cause,
        }),
      )
    const tool = spawn('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] })
    tool.once('error', refuse)
    tool.once('exit', status => (status === 0 || status === 1 ? resolve(status) : refuse(`flock ended with ${status}`)))
  })
}
