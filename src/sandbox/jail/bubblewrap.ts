/**
 * The jail as arguments of bubblewrap: a root of nothing but Node, its libraries and the app, read-only; a small private `/tmp`; own
 * user, process, network, IPC, host-name and control-group namespaces; no capability, no variable, no way to a wider right.
 */

import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import type { NodeFiles } from './node-files.ts'

const run = promisify(execFile)

/** Inside and, where we are root, outside. */
export const NOBODY = 65_534
export const APP = '/app'
export const LAUNCHER = '/launcher.cjs'
const NODE = '/node'
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom']

export interface JailParts {
  readonly files: NodeFiles
  readonly programFolder: string
  readonly launcherFile: string
  /** Bytes of `/tmp`. */
  readonly temporaryBytes: number
  /** Descriptors that bubblewrap inherits: the BPF program, and where it writes which process it made. */
  readonly filterDescriptor: number
  readonly infoDescriptor: number
  /** A shell and what it needs, where the code may start processes. */
  readonly shell: NodeFiles | undefined
}

export function jailArguments(parts: JailParts, nodeArguments: readonly string[]): string[] {
  const { files, shell } = parts
  const libraries = new Map([...files.libraries, ...(shell?.libraries ?? [])].map(({ from, to }) => [to, from]))
  return [
    ...['--unshare-user', '--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv', '--hostname', 'jail'],
    ...['--uid', String(NOBODY), '--gid', String(NOBODY)],
    // Without a zone file the first local date costs 20 ms of looking for one.
    ...['--setenv', 'TZ', 'UTC'],
    ...['--ro-bind', files.node, NODE],
    ...[...libraries].flatMap(([to, from]) => ['--ro-bind', from, to]),
    ...(shell === undefined ? [] : ['--ro-bind', shell.node, '/bin/sh', '--setenv', 'PATH', '/bin']),
    ...['--proc', '/proc', '--dir', '/dev'],
    ...DEVICES.flatMap(name => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...['--size', String(parts.temporaryBytes), '--perms', '1777', '--tmpfs', '/tmp'],
    ...['--ro-bind', parts.programFolder, APP, '--ro-bind', parts.launcherFile, LAUNCHER],
    ...['--remount-ro', '/', '--chdir', APP],
    ...['--seccomp', String(parts.filterDescriptor), '--info-fd', String(parts.infoDescriptor)],
    ...['--', NODE, ...nodeArguments],
  ]
}

/** Whether bubblewrap is there and may make namespaces here; else why not. */
export async function probeBubblewrap(
  asNobody: boolean,
): Promise<{ readonly program: string } | { readonly reason: string }> {
  const user = asNobody ? { uid: NOBODY, gid: NOBODY } : {}
  const program = await findProgram('bwrap')
  if (program === undefined) return { reason: 'bubblewrap (bwrap) is not installed' }
  try {
    await run(program, ['--unshare-all', '--ro-bind', '/', '/', '--', '/bin/true'], { ...user, env: {} })
    return { program }
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: unknown }
    return { reason: `bubblewrap cannot make a jail here: ${String(stderr ?? code).trim()}` }
  }
}

/** Its absolute path: bubblewrap itself is started with no environment at all. */
async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '/usr/bin:/bin').split(path.delimiter)) {
    const file = path.resolve(folder, name)
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return file
  }
  return undefined
}
