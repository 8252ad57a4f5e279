/**
 * Makes `src/sandbox/jail/seccomp-filters.ts`: the system calls that code in the jail may not make, as BPF programs for bubblewrap.
 *
 *   node --import tsx scripts/seccomp.ts          writes the file
 *   node --import tsx scripts/seccomp.ts --check  fails when the file is not what this script makes
 *
 * A list of what is denied, and not of what is allowed: Node and V8 use new calls with each version, and the jail's other walls
 * (namespaces, no capabilities, no network) hold without it. It takes away what those walls are attacked with.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const TARGET = fileURLToPath(new URL('../src/sandbox/jail/seccomp-filters.ts', import.meta.url))

type Architecture = 'x64' | 'arm64'
interface Machine {
  /** `AUDIT_ARCH_*` of linux/audit.h. */
  readonly audit: number
  /** Numbers from the kernel's tables for this machine; a call that it does not have is left out. */
  readonly column: 0 | 1
}
const MACHINES: Readonly<Record<Architecture, Machine>> = {
  x64: { audit: 0xc000003e, column: 0 },
  arm64: { audit: 0xc00000b7, column: 1 },
}

/** Name, number on x86-64, number on arm64. */
const DENIED: readonly (readonly [string, number | undefined, number | undefined])[] = [
  // Other processes' memory and state.
  ['ptrace', 101, 117],
  ['process_vm_readv', 310, 270],
  ['process_vm_writev', 311, 271],
  ['process_madvise', 440, 440],
  ['process_mrelease', 448, 448],
  ['pidfd_open', 434, 434],
  ['pidfd_getfd', 438, 438],
  ['kcmp', 312, 272],
  // Large surfaces of the kernel that Node does not need.
  ['bpf', 321, 280],
  ['io_uring_setup', 425, 425],
  ['io_uring_enter', 426, 426],
  ['io_uring_register', 427, 427],
  ['userfaultfd', 323, 282],
  ['perf_event_open', 298, 241],
  ['fanotify_init', 300, 262],
  ['fanotify_mark', 301, 263],
  ['lookup_dcookie', 212, 18],
  ['modify_ldt', 154, undefined],
  ['personality', 135, 92],
  // Keys.
  ['add_key', 248, 217],
  ['request_key', 249, 218],
  ['keyctl', 250, 219],
  // Mounts and namespaces.
  ['mount', 165, 40],
  ['umount2', 166, 39],
  ['pivot_root', 155, 41],
  ['chroot', 161, 51],
  ['unshare', 272, 97],
  ['setns', 308, 268],
  ['open_tree', 428, 428],
  ['move_mount', 429, 429],
  ['fsopen', 430, 430],
  ['fsconfig', 431, 431],
  ['fsmount', 432, 432],
  ['fspick', 433, 433],
  ['mount_setattr', 442, 442],
  ['name_to_handle_at', 303, 264],
  ['open_by_handle_at', 304, 265],
  // The machine itself.
  ['kexec_load', 246, 104],
  ['kexec_file_load', 320, 294],
  ['init_module', 175, 105],
  ['finit_module', 313, 273],
  ['delete_module', 176, 106],
  ['reboot', 169, 142],
  ['swapon', 167, 224],
  ['swapoff', 168, 225],
  ['acct', 163, 89],
  ['quotactl', 179, 60],
  ['quotactl_fd', 443, 443],
  ['syslog', 103, 116],
  ['iopl', 172, undefined],
  ['ioperm', 173, undefined],
  ['vhangup', 153, 58],
  ['settimeofday', 164, 170],
  ['clock_settime', 227, 112],
  ['clock_adjtime', 305, 266],
  ['adjtimex', 159, 171],
  ['sethostname', 170, 161],
  ['setdomainname', 171, 162],
  // Placement of memory.
  ['mbind', 237, 235],
  ['set_mempolicy', 238, 237],
  ['migrate_pages', 256, 238],
  ['move_pages', 279, 239],
]
const NUMBERS = {
  clone: [56, 220],
  clone3: [435, 435],
  fork: [57, undefined],
  vfork: [58, undefined],
  socket: [41, 198],
  ioctl: [16, 29],
} as const

const EPERM = 1
const ENOSYS = 38
const EAFNOSUPPORT = 97
const ALLOW = 0x7fff0000
const KILL_PROCESS = 0x80000000
const errno = (number: number): number => 0x00050000 | number

/** Every kind of namespace, `CLONE_NEWTIME` among them. */
const CLONE_NEW = 0x7e020080
const CLONE_THREAD = 0x00010000
const X32_BIT = 0x40000000
/** Families of sockets that stay: unix, inet, inet6. Of netlink only the routing protocol, which lists interfaces. */
const FAMILIES = [1, 2, 10]
const AF_NETLINK = 16
/** Writing into the terminal of somebody else. */
const DENIED_IOCTLS = [0x5412, 0x541c]

// Offsets in `struct seccomp_data`; low halves of the arguments, both machines are little-endian.
const NR = 0
const ARCH = 4
const argument = (index: number): number => 16 + index * 8

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number]
const load = (offset: number): Instruction => [0x20, 0, 0, offset]
const result = (value: number): Instruction => [0x06, 0, 0, value >>> 0]
/** Skips the next `count` instructions unless the accumulator is `value`. */
const unlessEqual = (value: number, count: number): Instruction => [0x15, 0, count, value >>> 0]
const ifEqual = (value: number, count: number): Instruction => [0x15, count, 0, value >>> 0]
const unlessAny = (bits: number, count: number): Instruction => [0x45, 0, count, bits >>> 0]
const ifAny = (bits: number, count: number): Instruction => [0x45, count, 0, bits >>> 0]

/** @param mayFork  whether the code may start processes, which stay inside of the jail */
export function filterOf(architecture: Architecture, mayFork: boolean): Buffer {
  const { audit, column } = MACHINES[architecture]
  const on = (number: number | undefined, body: readonly Instruction[]): Instruction[] =>
    number === undefined ? [] : [unlessEqual(number, body.length), ...body]
  const program: Instruction[] = [
    load(ARCH),
    ifEqual(audit, 1),
    result(KILL_PROCESS),
    load(NR),
    ...(architecture === 'x64' ? [unlessAny(X32_BIT, 1), result(errno(ENOSYS))] : []),
    ...DENIED.flatMap(([, x64, arm64]) => on(column === 0 ? x64 : arm64, [result(errno(EPERM))])),
    // Its flags are in memory, where no filter can look; glibc then takes `clone`.
    ...on(NUMBERS.clone3[column], [result(errno(ENOSYS))]),
    ...(mayFork ? [] : [NUMBERS.fork[column], NUMBERS.vfork[column]].flatMap(nr => on(nr, [result(errno(EPERM))]))),
    ...on(NUMBERS.clone[column], [
      load(argument(0)),
      unlessAny(CLONE_NEW, 1),
      result(errno(EPERM)),
      ...(mayFork ? [] : [ifAny(CLONE_THREAD, 1), result(errno(EPERM))]),
      result(ALLOW),
    ]),
    ...on(NUMBERS.ioctl[column], [
      load(argument(1)),
      ...DENIED_IOCTLS.flatMap(request => [unlessEqual(request, 1), result(errno(EPERM))]),
      result(ALLOW),
    ]),
    ...on(NUMBERS.socket[column], [
      load(argument(0)),
      ...FAMILIES.flatMap(family => [unlessEqual(family, 1), result(ALLOW)]),
      unlessEqual(AF_NETLINK, 3),
      load(argument(2)),
      unlessEqual(0, 1),
      result(ALLOW),
      result(errno(EAFNOSUPPORT)),
    ]),
    result(ALLOW),
  ]
  const bytes = Buffer.alloc(program.length * 8)
  program.forEach(([code, jumpTrue, jumpFalse, k], index) => {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(jumpTrue, index * 8 + 2)
    bytes.writeUInt8(jumpFalse, index * 8 + 3)
    bytes.writeUInt32LE(k, index * 8 + 4)
  })
  return bytes
}

/** Names and numbers on one machine, for the test that tries each. */
export const deniedOn = (architecture: Architecture): readonly (readonly [string, number])[] =>
  DENIED.flatMap(([name, ...numbers]) => {
    const number = numbers[MACHINES[architecture].column]
    return number === undefined ? [] : [[name, number] as const]
  })

export function fileText(): string {
  const filter = (architecture: Architecture, mayFork: boolean) =>
    `'${filterOf(architecture, mayFork).toString('base64')}'`
  return `/** Made by scripts/seccomp.ts, which says what is denied and why. BPF programs in base64, by \`process.arch\`. */

export const SECCOMP_FILTERS: Readonly<
  Record<string, { readonly withoutProcesses: string; readonly withProcesses: string }>
> = {
${Object.keys(MACHINES)
  .map(
    name => `  ${name}: {
    withoutProcesses:
      ${filter(name as Architecture, false)},
    withProcesses:
      ${filter(name as Architecture, true)},
  },`,
  )
  .join('\n')}
}
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    if (readFileSync(TARGET, 'utf8') !== fileText()) throw new Error(`${TARGET} is not what this script makes`)
  } else writeFileSync(TARGET, fileText())
}
