/**
 * Identities in memory: by uid, found by key. Holds only what can serve a request; what is absent or has ended is always
 * looked up. Whether an entry may be trusted is not decided here but by the lease.
 */

import { LRUCache } from 'lru-cache'
import type { IdentityUid } from '../core/ids.ts'
import type { IdentityRecord } from '../core/tenant.ts'
import { encodeKey } from './registry-keys.ts'

export const MAX_CACHED_IDENTITIES = 100_000

export interface RegistryCache {
  byKey(encodedKey: string): IdentityRecord | undefined
  byUid(uid: IdentityUid): IdentityRecord | undefined
  /** Keeps the record unless a newer one is there, or it cannot serve requests. */
  put(record: IdentityRecord): void
  /** Drops the entry unless it is this version or newer. */
  dropOlder(uid: IdentityUid, version: number): void
  /** Drops everything and returns what was there. */
  clear(): readonly IdentityRecord[]
}

export function createRegistryCache(maxEntries = MAX_CACHED_IDENTITIES): RegistryCache {
  const uids = new Map<string, IdentityUid>()
  const records = new LRUCache<IdentityUid, { readonly record: IdentityRecord; readonly key: string }>({
    max: Math.min(maxEntries, MAX_CACHED_IDENTITIES),
    dispose: ({ key }, uid) => {
      if (uids.get(key) === uid) uids.delete(key)
    },
    noDisposeOnSet: true,
  })

  return {
    byKey(encodedKey) {
      const uid = uids.get(encodedKey)
      return uid === undefined ? undefined : records.get(uid)?.record
    },
    byUid: uid => records.get(uid)?.record,
    put(record) {
      if (!canServe(record) || (records.peek(record.uid)?.record.version ?? 0) > record.version) return
      const key = encodeKey(record)
      records.set(record.uid, { record, key })
      uids.set(key, record.uid)
    },
    dropOlder(uid, version) {
      if ((records.peek(uid)?.record.version ?? version) < version) records.delete(uid)
    },
    clear() {
      const all = [...records.values()].map(entry => entry.record)
      records.clear()
      uids.clear()
      return all
    },
  }
}

const canServe = ({ state, hold }: IdentityRecord): boolean =>
  hold === 'none' && state !== 'uninstalled' && state !== 'retired'
