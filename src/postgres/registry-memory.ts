/**
 * What a process keeps in memory about identities: the cache, reads under way, and who wants to know when rights are taken.
 * Every rule about what must be forgotten, and when, stands here.
 */

import { LRUCache } from 'lru-cache'
import type { IdentityUid, TenantUid } from '../core/ids.ts'
import type { Clock } from '../core/ports.ts'
import { type IdentityKey, type IdentityRecord, type IdentityState, isLive, type TenantHold } from '../core/tenant.ts'
import type { PlainPool, Row } from './database.ts'
import { textArray } from './parameters.ts'
import type { RegistryCache } from './registry-cache.ts'
import type { ChangeMessage } from './registry-change.ts'
import { digestOf, encodeKey, keyArrays } from './registry-keys.ts'
import { createBatchReader } from './registry-reader.ts'
import { readIdentity, toRecord } from './registry-records.ts'
import * as sql from './registry-statements.ts'
import type { DataKeys } from './secrets.ts'

type Uids = readonly [TenantUid, IdentityUid]
type Revocation = { readonly tenant: TenantUid; readonly identity: IdentityUid; readonly version: number }

export interface RegistryMemory {
  readKey(key: IdentityKey): Promise<IdentityRecord | undefined>
  readUid(tenant: TenantUid, identity: IdentityUid): Promise<IdentityRecord | undefined>
  /** True at most once per identity and `everyMs`. */
  mayReadFresh(key: IdentityKey, everyMs: number): boolean
  /** An identity has changed: forgets it, and tells the listeners where rights were taken. */
  change(message: Omit<ChangeMessage, 'n'>): void
  /** Changes may have been missed: forgets everything. */
  drop(): void
  /** Finds out what was missed since the last `drop`, and tells the listeners. */
  verify(): Promise<void>
  onRevoked(listener: (revocation: Revocation) => void): () => void
  onLapsed(listener: () => Promise<void>): () => void
}

/** The circumstances of a read: when it began, and in which stretch of the lease. */
interface Start {
  readonly at: number
  readonly era: number | undefined
}

/** A process that was stopped for longer must not act on what it read before. */
const MAX_READ_AGE_MS = 1_500
const MAX_FRESH_READS = 10_000
const VERIFY_BATCH = 1_000

export function createRegistryMemory(options: {
  readonly system: PlainPool
  readonly cache: RegistryCache
  readonly dataKeys: DataKeys
  readonly clock: Clock
  readonly lease: () => { readonly era: number | undefined; holds(): boolean }
}): RegistryMemory {
  const { system, cache, dataKeys, clock, lease } = options
  const revokedListeners = new Set<(revocation: Revocation) => void>()
  const lapsedListeners = new Set<() => Promise<void>>()
  const freshReads = new LRUCache<string, number>({ max: MAX_FRESH_READS })
  let suspects = new Map<IdentityUid, IdentityRecord>()

  /** With the lease held an answer counts while it still is; without it, only when it is not old. */
  const reading = {
    begin: (): Start => ({ at: clock.monotonic(), era: lease().holds() ? lease().era : undefined }),
    isFresh: ({ at, era }: Start) =>
      era === undefined ? clock.monotonic() - at < MAX_READ_AGE_MS : lease().holds() && lease().era === era,
    onRead: (record: IdentityRecord, { era }: Start) => {
      if (era !== undefined && era === lease().era) cache.put(record)
    },
  }
  const byKey = createBatchReader<IdentityKey, IdentityRecord, Start>({
    ...reading,
    read: async keys => toMakers(await system.query(sql.FIND_BY_KEY, keyArrays(keys)), dataKeys, encodeKey),
  })
  const byUid = createBatchReader<Uids, IdentityRecord, Start>({
    ...reading,
    read: async uids => {
      const rows = await system.query(sql.FIND_BY_UID, uidParameters(uids))
      return toMakers(rows, dataKeys, record => record.uid)
    },
  })

  const revoke = (revocation: Revocation): void => {
    dataKeys.forget(revocation.tenant)
    for (const listener of revokedListeners) listener(revocation)
  }

  return {
    readKey: key => byKey.load(encodeKey(key), key),
    readUid: (tenant, identity) => byUid.load(identity, [tenant, identity]),
    mayReadFresh(key, everyMs) {
      const id = encodeKey(key)
      const now = clock.monotonic()
      if (now - (freshReads.get(id) ?? Number.NEGATIVE_INFINITY) < everyMs) return false
      freshReads.set(id, now)
      return true
    },
    change({ tenant, identity, version, keyDigest, takesRights }) {
      cache.dropOlder(identity, version)
      byKey.outdate(id => digestOf(id) === keyDigest)
      byUid.outdate(id => id === identity)
      if (takesRights) revoke({ tenant, identity, version })
    },
    drop() {
      for (const record of cache.clear()) suspects.set(record.uid, record)
      byKey.outdate(() => true)
      byUid.outdate(() => true)
    },
    async verify() {
      const checked = [...suspects.values()]
      for (let from = 0; from < checked.length; from += VERIFY_BATCH) {
        const batch = checked.slice(from, from + VERIFY_BATCH)
        const rows = await system.query(
          sql.VERSIONS,
          uidParameters(batch.map(({ tenantUid, uid }) => [tenantUid, uid])),
        )
        for (const revocation of revocationsIn(batch, rows)) revoke(revocation)
        for (const record of batch) suspects.delete(record.uid)
      }
      if (suspects.size === 0) suspects = new Map()
      await Promise.all([...lapsedListeners].map(listener => listener()))
    },
    onRevoked: listener => listen(revokedListeners, listener),
    onLapsed: listener => listen(lapsedListeners, listener),
  }
}

function listen<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

const uidParameters = (uids: readonly Uids[]): readonly string[] => [
  textArray(uids.map(([tenant]) => tenant)),
  textArray(uids.map(([, identity]) => identity)),
]

/** Secrets are opened one by one, so that one that cannot be opened fails only its own look-up. */
function toMakers(
  rows: readonly Row[],
  dataKeys: DataKeys,
  idOf: (identity: Omit<IdentityRecord, 'secrets'>) => string,
): ReadonlyMap<string, () => IdentityRecord> {
  const makers = new Map<string, () => IdentityRecord>()
  for (const row of rows) {
    const stored = readIdentity(row, 1)
    makers.set(idOf(stored), () => toRecord(stored, dataKeys))
  }
  return makers
}

/** Those whose record in memory granted something that is gone. */
function* revocationsIn(records: readonly IdentityRecord[], rows: readonly Row[]): Generator<Revocation> {
  const now = new Map(rows.map(row => [row[0], row]))
  for (const record of records) {
    const row = now.get(record.uid)
    const version = Number(row?.[1] ?? Number.MAX_SAFE_INTEGER)
    const keepsRights =
      row !== undefined &&
      version >= record.version &&
      Number(row[2]) === record.secretVersion &&
      isLive({ state: row[3] as IdentityState, hold: row[4] as TenantHold })
    if (!keepsRights && isLive(record)) yield { tenant: record.tenantUid, identity: record.uid, version }
  }
}
