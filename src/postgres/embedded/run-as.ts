/**
 * As whom the database programs run, and how they are started: PostgreSQL refuses to run as root.
 *
 * As root we hide that from it inside a user namespace, where our own uid carries another number: files stay ours and may lie
 * below a folder only root can enter. Where namespaces are refused (Docker's default profile), an unprivileged account runs it.
 */

import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process'
import { userInfo } from 'node:os'
import { PartywallError } from '../../core/errors.ts'
import { readIfPresent } from './files.ts'

export type RunAs =
  | { readonly kind: 'self' }
  | { readonly kind: 'namespace' | 'account'; readonly uid: number; readonly gid: number }

export interface Program {
  readonly file: string
  readonly arguments: readonly string[]
  readonly folder: string
  /** Added to `baseEnvironment`. */
  readonly environment: Readonly<Record<string, string>>
}

export async function chooseRunAs(): Promise<RunAs> {
  const isRoot = process.getuid?.() === 0
  if (!isRoot && hasAccount()) return { kind: 'self' }
  const account = await findAccount()
  const namespace: RunAs = { kind: 'namespace', ...account }
  const probe: Program = { file: 'true', arguments: [], folder: '/', environment: {} }
  if ((await runProgram(namespace, probe)).status === 0) return namespace
  return isRoot ? { kind: 'account', ...account } : { kind: 'self' }
}

/** Starts a program that goes on running; its pid is its own, whatever stands before it. */
export function startProgram(runAs: RunAs, program: Program, stdio: SpawnOptions['stdio']): ChildProcess {
  const { file, args, options } = commandOf(runAs, program)
  return spawn(file, args, { ...options, stdio })
}

export interface Outcome {
  /** Exit status, or the system's code when it could not be started. */
  readonly status: number | string
  readonly output: string
}

/** Runs a program to its end, at most `timeoutMs`. */
export function runProgram(runAs: RunAs, program: Program, timeoutMs = 120_000): Promise<Outcome> {
  const { file, args, options } = commandOf(runAs, program)
  return new Promise(resolve => {
    execFile(file, args, { ...options, timeout: timeoutMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const status = error === null ? 0 : (error.code ?? error.signal ?? 'unknown')
      resolve({ status, output: `${stdout}${stderr}`.trim() })
    })
  })
}

function commandOf(runAs: RunAs, program: Program) {
  const options = { cwd: program.folder, env: { ...baseEnvironment(), ...program.environment } }
  if (runAs.kind === 'self') return { file: program.file, args: [...program.arguments], options }
  const { uid, gid } = runAs
  if (runAs.kind === 'account') {
    return { file: program.file, args: [...program.arguments], options: { ...options, uid, gid } }
  }
  // `unshare` replaces itself by the program, so that parent and pid are as without it.
  const map = ['--user', `--map-user=${uid}`, `--map-group=${gid}`, '--', program.file]
  return { file: 'unshare', args: [...map, ...program.arguments], options }
}

/** What programs of ours may see of our environment: never a database address, a key or an option of Node. */
export function baseEnvironment(): Record<string, string> {
  const kept: Record<string, string> = { LC_ALL: 'C', TZ: 'UTC' }
  for (const name of ['PATH', 'TMPDIR', 'SystemRoot', 'TEMP', 'TMP']) {
    const value = process.env[name]
    if (value !== undefined) kept[name] = value
  }
  return kept
}

/** `initdb` looks its own user up and gives up when the system does not know the uid (some container platforms). */
function hasAccount(): boolean {
  try {
    return userInfo().username !== ''
  } catch {
    return false
  }
}

async function findAccount(): Promise<{ uid: number; gid: number }> {
  const accounts = ((await readIfPresent('/etc/passwd')) ?? '').split('\n').map(line => line.split(':'))
  const usable = accounts.filter(fields => Number(fields[2]) > 0 && Number(fields[3]) > 0)
  const [, , uid, gid] = usable.find(fields => fields[0] === 'nobody') ?? usable[0] ?? []
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  throw new PartywallError('ERR_EMBEDDED_UNAVAILABLE', {
    message:
      'PostgreSQL does not run as root, and /etc/passwd names no other account: run the app as another user, or set DATABASE_URL.',
  })
}
