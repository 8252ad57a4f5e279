/** Processes below this one, and the memory that is theirs: proportional set size, where shared pages count by the share. */

import { readdirSync, readFileSync } from 'node:fs'

export function childrenOf(pid: number): number[] {
  const parents = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = parentOf(Number(name))
    if (parent !== undefined) parents.set(parent, [...(parents.get(parent) ?? []), Number(name)])
  }
  const below = (one: number): number[] => (parents.get(one) ?? []).flatMap(child => [child, ...below(child)])
  return below(pid)
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    // It has ended while it was looked at.
    return undefined
  }
}

export function pssMib(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      const [, kb = '0'] = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? []
      return sum + Number(kb) / 1024
    } catch {
      // It has ended while it was looked at.
      return sum
    }
  }, 0)
}
