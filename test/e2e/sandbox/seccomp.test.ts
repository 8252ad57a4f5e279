// The system calls that the jail denies, each tried for real: perl, which every Debian has, makes it behind the very filter that guests
// get, and without it.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { deniedOn, fileText, filterOf } from '../../../scripts/seccomp.ts'
import { SECCOMP_FILTERS } from '../../../src/sandbox/jail/seccomp-filters.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'pw-seccomp-'))
test.after(() => rmSync(folder, { recursive: true, force: true }))
const architecture = process.arch === 'arm64' ? 'arm64' : 'x64'

/** As nobody, in namespaces of its own, without a right: a call that gets through harms nothing. */
const JAIL = [
  ...['--ro-bind', '/', '/', '--dev-bind', '/dev', '/dev', '--die-with-parent', '--cap-drop', 'ALL'],
  ...['--unshare-user', '--uid', '65534', '--gid', '65534'],
  ...['--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts'],
]

/** Numbers of errno by call, made one after the other; arguments that are all zero have no effect where a call is let through. */
const TRY = `for my $n (@ARGV) { $! = 0; my $r = syscall($n, 0, 0, 0, 0, 0, 0); print $n, ' ', ($r == -1 ? $!+0 : 0), "\\n" }`

async function tryCalls(numbers: readonly number[], filter: Buffer | undefined): Promise<ReadonlyMap<number, number>> {
  const perl = ['perl', '-e', TRY, ...numbers.map(String)]
  if (filter === undefined) return read(await promisify(execFile)('bwrap', [...JAIL, ...perl]))
  const file = path.join(folder, 'filter.bpf')
  writeFileSync(file, filter)
  // A shell opens the descriptor: the filter is read from it once.
  return read(
    await promisify(execFile)('/bin/sh', ['-c', 'exec bwrap --seccomp 9 "$@" 9< "$0"', file, ...JAIL, ...perl]),
  )
}

const read = ({ stdout }: { stdout: string }): ReadonlyMap<number, number> =>
  new Map(
    stdout
      .trim()
      .split('\n')
      .map(line => line.split(' ').map(Number) as [number, number]),
  )

const EPERM = 1
const ENOSYS = 38

test('the filters in src are what scripts/seccomp.ts makes', () => {
  const file = fileURLToPath(new URL('../../../src/sandbox/jail/seccomp-filters.ts', import.meta.url))
  assert.equal(readFileSync(file, 'utf8'), fileText())
  const filters = SECCOMP_FILTERS[process.arch]
  assert.equal(filters?.withoutProcesses, filterOf(architecture, false).toString('base64'))
  assert.equal(filters?.withProcesses, filterOf(architecture, true).toString('base64'))
})

test('G 69: each denied system call is refused behind the filter, and it is the filter that refuses it', async () => {
  const denied = deniedOn(architecture)
  const needed = [
    'ptrace',
    'bpf',
    'io_uring_setup',
    'userfaultfd',
    'keyctl',
    'mount',
    'unshare',
    'setns',
    'process_vm_readv',
  ]
  for (const name of needed)
    assert.ok(
      denied.some(([one]) => one === name),
      name,
    )
  const numbers = denied.map(([, number]) => number)
  const behind = await tryCalls(numbers, filterOf(architecture, true))
  for (const [name, number] of denied) {
    const errno = behind.get(number)
    assert.ok(errno === EPERM || errno === ENOSYS, `${name} (${number}) gave errno ${errno}`)
  }
  // Without it, as the same user in the same namespaces, most get as far as their arguments.
  const harmless = denied.filter(
    ([name]) => !/^(?:reboot|kexec|unshare|vhangup|acct|swapo|mount|umount|pivot|chroot)/.test(name),
  )
  const free = await tryCalls(
    harmless.map(([, number]) => number),
    undefined,
  )
  const letThrough = harmless.filter(([, number]) => ![EPERM, ENOSYS].includes(free.get(number) ?? EPERM))
  assert.ok(letThrough.length >= 3, `only ${letThrough.map(([name]) => name).join()} get through without the filter`)
})

test('G 69: namespaces by clone are refused, by clone3 too, and threads are not', async () => {
  const script = `
    my ($clone, $clone3) = @ARGV;
    for my $flags (0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x08000000, 0x04000000, 0x02000000) {
      $! = 0; my $r = syscall($clone, $flags | 17, 0, 0, 0, 0); if ($r == 0) { require POSIX; POSIX::_exit(0) } print $r == -1 ? $!+0 : 'made', ' ';
    }
    $! = 0; my $r = syscall($clone3, 0, 0); print $r == -1 ? $!+0 : 'made', "\\n";`
  const file = path.join(folder, 'clone.bpf')
  writeFileSync(file, filterOf(architecture, true))
  const numbers = architecture === 'x64' ? ['56', '435'] : ['220', '435']
  const { stdout } = await promisify(execFile)('/bin/sh', [
    '-c',
    'exec bwrap --seccomp 9 "$@" 9< "$0"',
    file,
    ...JAIL,
    'perl',
    '-e',
    script,
    ...numbers,
  ])
  const results = stdout.trim().split(' ')
  assert.deepEqual(
    results.slice(0, 7),
    Array.from({ length: 7 }, () => String(EPERM)),
  )
  // A program falls back to clone then, whose flags can be looked at.
  assert.equal(results[7], String(ENOSYS))
})

test('G 69: without processes fork is refused as well', async () => {
  const file = path.join(folder, 'fork.bpf')
  writeFileSync(file, filterOf(architecture, false))
  const numbers = architecture === 'x64' ? ['57', '58'] : []
  const script = `for my $n (@ARGV) { $! = 0; my $r = syscall($n); if ($r == 0) { require POSIX; POSIX::_exit(0) } print $r == -1 ? $!+0 : 'made', ' ' } my $p = fork(); print defined $p ? 'forked' : 'refused'; `
  const { stdout } = await promisify(execFile)('/bin/sh', [
    '-c',
    'exec bwrap --seccomp 9 "$@" 9< "$0"',
    file,
    ...JAIL,
    'perl',
    '-e',
    script,
    ...numbers,
  ])
  assert.equal(stdout.trim(), [...numbers.map(() => EPERM), 'refused'].join(' '))
})
