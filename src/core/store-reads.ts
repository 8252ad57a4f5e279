/**
 * Coalescing: gets of one tenant, space and scope that are asked for in one tick travel as one statement.
 *
 * A lone get keeps the plain statement. Tenants are never mixed: a statement is bound to one of them.
 */

import type { TenantUid } from './ids.ts'
import type { KvEntry, KvPort } from './ports.ts'

/** Reads single keys, several of one tick at a time. */
export type ReadKey = (tenant: TenantUid, space: string, scope: string, key: string) => Promise<KvEntry | undefined>

/** Keys in one statement; a tick with more makes several. */
const MAX_KEYS = 200

interface Read {
  readonly tenant: TenantUid
  readonly space: string
  readonly scope: string
  readonly key: string
  readonly resolve: (entry: KvEntry | undefined) => void
  readonly reject: (reason: unknown) => void
}
type Reader = Pick<KvPort, 'get' | 'getMany'>

/** A reader over `kv` that holds what one tick asks for until the microtask that sends it. */
export function coalesceReads(kv: Reader): ReadKey {
  let waiting: Read[] = []
  const flush = (): void => {
    const reads = waiting
    waiting = []
    sendAll(kv, reads)
  }
  return (tenant, space, scope, key) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ tenant, space, scope, key, resolve, reject }) === 1) queueMicrotask(flush)
    })
}

function sendAll(kv: Reader, reads: readonly Read[]): void {
  const [first] = reads
  if (first !== undefined && reads.length === 1) {
    sendOne(kv, first)
    return
  }
  const places = new Map<string, Read[]>()
  for (const read of reads) {
    // Neither a UUID nor a space has a blank: no two places share a name.
    const name = `${read.tenant} ${read.space} ${read.scope}`
    const place = places.get(name)
    if (place === undefined) places.set(name, [read])
    else place.push(read)
  }
  for (const place of places.values()) {
    for (let at = 0; at < place.length; at += MAX_KEYS) sendPlace(kv, place.slice(at, at + MAX_KEYS))
  }
}

/** @param reads at least one, all of the same place */
function sendPlace(kv: Reader, reads: readonly Read[]): void {
  const [first] = reads
  if (first === undefined) return
  if (reads.length === 1) {
    sendOne(kv, first)
    return
  }
  const keys = new Set(reads.map(read => read.key))
  kv.getMany(first.tenant, first.space, first.scope, [...keys]).then(
    entries => {
      for (const read of reads) read.resolve(entries.get(read.key))
    },
    reason => {
      for (const read of reads) read.reject(reason)
    },
  )
}

function sendOne(kv: Reader, { tenant, space, scope, key, resolve, reject }: Read): void {
  kv.get(tenant, space, scope, key).then(resolve, reject)
}
