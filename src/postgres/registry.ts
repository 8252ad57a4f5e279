/**
 * The registry: which tenants and identities there are, for look-ups on each request and for lifecycle changes.
 *
 * Answers come from memory while this process's lease holds, else from the database. What changes an identity goes through
 * `apply` alone.
 */

import { PartywallError } from '../core/errors.ts'
import type { ChangeResult, Clock, Logger, Registry, TenantChange } from '../core/ports.ts'
import type { IdentityKey, IdentityRecord } from '../core/tenant.ts'
import type { Database } from './database.ts'
import { createLeases, type LeaseOptions } from './leases.ts'
import { type Applied, applyTogether, type RetentionPolicy } from './registry-apply.ts'
import { createRegistryCache, MAX_CACHED_IDENTITIES } from './registry-cache.ts'
import { encodeKey, isStorableKey } from './registry-keys.ts'
import { createRegistryMemory } from './registry-memory.ts'
import { createApplyQueue } from './registry-queue.ts'
import * as sql from './registry-statements.ts'
import { createTurns } from './registry-turns.ts'
import type { DataKeys } from './secrets.ts'

export interface RegistryOptions {
  readonly database: Pick<Database, 'system' | 'listen'>
  readonly dataKeys: DataKeys
  readonly clock: Clock
  readonly logger: Logger
  /** Default: 28 days, the same installation gets its data back in that time. */
  readonly retention?: RetentionPolicy
  /** Default and at most 100,000. */
  readonly maxCachedIdentities?: number
  readonly lease?: Pick<LeaseOptions, 'leaseMs' | 'renewMs' | 'marginMs'>
}

export interface RegistryWithLifetime extends Registry {
  /** True while look-ups may be answered from memory. */
  readonly isLeased: boolean
  /** Takes the lease; without success the registry works from the database and goes on trying. */
  start(): Promise<void>
  close(): Promise<void>
}

const DEFAULT_RETENTION: RetentionPolicy = { days: 28, restore: true }
const FRESH_READ_MS = 1_000
const LIST_ROWS = 500

/** @example const registry = createRegistry({ database, dataKeys, clock, logger }); await registry.start() */
export function createRegistry(options: RegistryOptions): RegistryWithLifetime {
  const { database, dataKeys, clock, logger, retention = DEFAULT_RETENTION } = options
  const cache = createRegistryCache(options.maxCachedIdentities ?? MAX_CACHED_IDENTITIES)
  const memory = createRegistryMemory({ system: database.system, cache, dataKeys, clock, lease: () => leases })
  const leases = createLeases(
    { database, clock, logger, ...options.lease },
    { onChange: memory.change, onDrop: memory.drop, onVerify: memory.verify },
  )
  const turns = createTurns()
  const queue = createApplyQueue(changes => applyTogether({ system: database.system, dataKeys, retention }, changes))

  const peek = (key: IdentityKey): IdentityRecord | undefined =>
    leases.holds() ? cache.byKey(encodeKey(key)) : undefined

  const find = async (key: IdentityKey): Promise<IdentityRecord | undefined> =>
    peek(key) ?? (isStorableKey(key) ? memory.readKey(key) : undefined)

  return {
    find,
    peek,
    findFresh: key => (isStorableKey(key) && memory.mayReadFresh(key, FRESH_READ_MS) ? memory.readKey(key) : find(key)),
    async findByUid(tenant, identity) {
      const known = leases.holds() ? cache.byUid(identity) : undefined
      return known?.tenantUid === tenant ? known : memory.readUid(tenant, identity)
    },
    async list({ app, environment, dialect }, { after = '', limit = LIST_ROWS } = {}) {
      const rows = await database.system.query(sql.LIST, [app, environment, dialect, after, String(limit)])
      return rows.map(([id]) => id ?? '')
    },
    isCurrent: identity => leases.holds() && cache.byUid(identity.uid)?.version === identity.version,
    apply: async change => {
      checkChange(change)
      // Changes of one identity take turns here before they take connections.
      return turns.run(encodeKey(change.key), async () => {
        const applied = await queue.apply(change)
        if (applied.message !== undefined) memory.change(applied.message)
        return toResult(applied, n => leases.settled(n))
      })
    },
    noteRefusal: async identity => {
      const rows = await database.system.query(sql.NOTE_REFUSAL, [
        identity.tenantUid,
        identity.uid,
        String(identity.secretVersion),
      ])
      return rows[0]?.[0] === 't'
    },
    clearRefusal: async identity => {
      await database.system.query(sql.CLEAR_REFUSAL, [identity.tenantUid, identity.uid])
    },
    onRevoked: listener => memory.onRevoked(listener),
    onLapsed: listener => memory.onLapsed(listener),
    get isLeased() {
      return leases.holds()
    },
    start: () => leases.start(),
    close: () => leases.close(),
  }
}

function toResult(applied: Applied, settled: (n: number) => Promise<void>): ChangeResult {
  const { outcome, identity, epoch } = applied
  return { outcome, identity, settled: () => (epoch === undefined ? Promise.resolve() : settled(epoch)) }
}

/** What the database could not hold exactly, and secrets that could never verify anything, are refused before it is asked. */
function checkChange(change: TenantChange): void {
  if (!isStorableKey(change.key)) throw invalid('the external id is empty, too long or not well-formed')
  if (!Number.isFinite(change.at)) throw invalid('the time of the event is not a number')
  if (change.kind !== 'install') return
  for (const [name, value] of [...Object.entries(change.secrets), ...Object.entries(change.initialSecrets ?? {})]) {
    if (typeof value !== 'string' || value === '') throw invalid(`the secret "${name}" is empty`)
  }
}

const invalid = (message: string): PartywallError => new PartywallError('ERR_INSTALL_INVALID', { message })
