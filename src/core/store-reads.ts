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

interface Waiter {
  readonly promise: Promise<KvEntry | undefined>
  readonly resolve: (entry: KvEntry | undefined) => void
  readonly reject: (reason: unknown) => void
}
interface Batch {
  readonly tenant: TenantUid
  readonly space: string
  readonly scope: string
  readonly waiters: Map<string, Waiter>
}

/** A reader over `kv` that holds what one tick asks for until the microtask that sends it. */
export function coalesceReads(kv: Pick<KvPort, 'get' | 'getMany'>): ReadKey {
  const batches = new Map<string, Batch>()

  return (tenant, space, scope, key) => {
    // Neither a UUID nor a space has a blank: no two places share a name.
    const name = `${tenant} ${space} ${scope}`
    let batch = batches.get(name)
    if (batch === undefined || (batch.waiters.size >= MAX_KEYS && !batch.waiters.has(key))) {
      const opened: Batch = { tenant, space, scope, waiters: new Map() }
      batch = opened
      batches.set(name, opened)
      queueMicrotask(() => {
        if (batches.get(name) === opened) batches.delete(name)
        send(kv, opened)
      })
    }
    let waiter = batch.waiters.get(key)
    if (waiter === undefined) {
      waiter = createWaiter()
      batch.waiters.set(key, waiter)
    }
    return waiter.promise
  }
}

function send(kv: Pick<KvPort, 'get' | 'getMany'>, { tenant, space, scope, waiters }: Batch): void {
  const [first] = waiters
  if (waiters.size === 1 && first !== undefined) {
    const [key, waiter] = first
    kv.get(tenant, space, scope, key).then(waiter.resolve, waiter.reject)
    return
  }
  kv.getMany(tenant, space, scope, [...waiters.keys()]).then(
    entries => {
      for (const [key, waiter] of waiters) waiter.resolve(entries.get(key))
    },
    reason => {
      for (const waiter of waiters.values()) waiter.reject(reason)
    },
  )
}

function createWaiter(): Waiter {
  let resolve: Waiter['resolve'] | undefined
  let reject: Waiter['reject'] | undefined
  const promise = new Promise<KvEntry | undefined>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  if (resolve === undefined || reject === undefined) throw new TypeError('a promise runs its executor at once')
  return { promise, resolve, reject }
}
