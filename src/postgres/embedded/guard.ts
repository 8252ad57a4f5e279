/**
 * Ends the server when its keeper has been killed: a shell that waits for the end of its standard input, which only the
 * keeper's life keeps open. On Windows the system itself ends a process's children with it.
 */

import { spawn } from 'node:child_process'

/** Asks for a fast stop, and after nine seconds for an immediate one; the pid is asked each second whether it is still taken. */
const SCRIPT =
  'read -r word && exit; kill -INT "$0"; for second in 1 2 3 4 5 6 7 8 9; do sleep 1; kill -0 "$0" || exit; done; kill -QUIT "$0"'

/**
 * @param onMissing  called when there is no shell: then only the next start ends an orphaned server
 * @returns the way to dismiss the guard, once the server is gone
 */
export function guardServer(pid: number, onMissing: (error: unknown) => void): () => void {
  if (process.platform === 'win32') return () => undefined
  const guard = spawn('/bin/sh', ['-c', SCRIPT, String(pid)], { stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' })
  guard.once('error', onMissing)
  guard.stdin.on('error', () => undefined)
  return () => {
    guard.stdin.end('done\n')
  }
}
