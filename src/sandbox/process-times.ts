/** What the operating system says of a process: processor time, memory, children. Linux; elsewhere nothing is known. */

import { readFileSync } from 'node:fs'

/** Hundredths of a second; fixed by the kernel for everything that it tells to programs. */
const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4096

/** Milliseconds of processor time so far, all threads; `undefined` where there is no such process. */
export function cpuMsOf(pid: number): number | undefined {
  const text = read(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  // The name may hold anything; what follows the last bracket is numbers.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND
}

/** Bytes in memory. */
export function residentBytesOf(pid: number): number | undefined {
  const pages = read(`/proc/${pid}/statm`)?.split(' ')[1]
  return pages === undefined ? undefined : Number(pages) * PAGE_BYTES
}

export function childrenOf(pid: number): number[] {
  const text = read(`/proc/${pid}/task/${pid}/children`) ?? ''
  return text
    .split(' ')
    .filter(part => part !== '')
    .map(Number)
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // It has ended, or this is no Linux.
    return undefined
  }
}
