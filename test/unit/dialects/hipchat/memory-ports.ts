// Registry, inbox and store in memory, for tests of the dialect alone. The state machine behind the registry is the real one.
import { createHash } from 'node:crypto'
import type { DialectDeps } from '../../../../src/core/dialect.ts'
import { PartywallError } from '../../../../src/core/errors.ts'
import { newIdentityUid, newRowId, newTenantUid } from '../../../../src/core/ids.ts'
import { decide } from '../../../../src/core/lifecycle.ts'
import type { ChangeResult, Delivery, HandlerTable, Inbox, Registry, TenantChange } from '../../../../src/core/ports.ts'
import type { TenantStore } from '../../../../src/core/store.ts'
import { type IdentityKey, type IdentityRecord, IdentitySecrets, type JsonValue } from '../../../../src/core/tenant.ts'
import type { FarewellTable } from '../../../../src/postgres/farewells.ts'

const ignore = () => undefined
const nameOf = (key: IdentityKey) => JSON.stringify([key.app, key.environment, key.dialect, key.externalId])

export function createRegistry(time: { readonly now: number }) {
  const records = new Map<string, IdentityRecord>()
  const refusals = new Map<string, number>()
  const revoked = new Set<(change: { tenant: never; identity: never; version: number }) => void>()
  const log: string[] = []
  /** Handlers of farewells that are owed; each is held until it is ended or a test lets it go. */
  const owed = new Map<string, { handler: string; attempts: number; isHeld: boolean }>()
  const hooks = {
    beforeApply: async (_change: TenantChange): Promise<void> => undefined,
    cached: undefined as IdentityRecord | undefined,
  }
  const registry: Registry & { log: string[]; records: typeof records; owed: typeof owed; hooks: typeof hooks } = {
    log,
    owed,
    records,
    hooks,
    find: async key => records.get(nameOf(key)),
    peek: key => (hooks.cached?.externalId === key.externalId ? hooks.cached : records.get(nameOf(key))),
    findFresh: async key => records.get(nameOf(key)),
    findByUid: async (_, uid) => [...records.values()].find(record => record.uid === uid),
    list: async () => [...records.values()].map(({ externalId }) => externalId).sort(),
    async apply(change): Promise<ChangeResult> {
      await hooks.beforeApply(change)
      const name = nameOf(change.key)
      const present = records.get(name)
      const isSame = change.kind === 'install' && present?.secrets.get('secret') === change.secrets.secret
      const decision = decide(present && { ...present, isRestorable: true, hasSameSecrets: isSame }, change, 'first')
      if (decision.kind === 'conflict') throw new PartywallError('ERR_INSTALL_CONFLICT')
      const settled = async () => void log.push('settled')
      if (decision.kind !== 'create' && decision.kind !== 'change' && decision.kind !== 'restore') {
        if (decision.kind === 'held' || decision.kind === 'replayed') throw new PartywallError('ERR_TENANT_HELD')
        return { outcome: decision.kind, identity: present, settled }
      }
      const next = nextRecord(change, present, decision.kind === 'create' ? 'installed' : decision.state, time.now)
      records.set(name, next)
      if (change.kind === 'uninstall' && change.farewell !== undefined)
        owed.set(next.uid, { handler: change.farewell, attempts: 1, isHeld: true })
      else owed.delete(next.uid)
      log.push(`${change.kind} ${change.reason} committed`)
      if (decision.kind !== 'create' && decision.takesRights) {
        for (const listener of revoked) {
          listener({ tenant: next.tenantUid as never, identity: next.uid as never, version: next.version })
        }
      }
      const outcome = ({ create: 'created', restore: 'restored', change: 'changed' } as const)[decision.kind]
      return { outcome, identity: next, settled }
    },
    async noteRefusal(identity) {
      const first = refusals.get(identity.uid) ?? time.now
      refusals.set(identity.uid, first)
      return time.now - first >= 60_000
    },
    clearRefusal: async identity => void refusals.delete(identity.uid),
    isCurrent: identity => records.get(nameOf(identity))?.version === identity.version,
    onRevoked(listener) {
      revoked.add(listener as never)
      return () => void revoked.delete(listener as never)
    },
    onLapsed: () => ignore,
  }
  return registry
}

export const createFarewellTable = ({ owed }: Pick<ReturnType<typeof createRegistry>, 'owed'>): FarewellTable => ({
  async claim({ uid }) {
    const farewell = owed.get(uid)
    if (farewell === undefined) return 'none'
    if (farewell.isHeld) return 'held'
    farewell.isHeld = true
    farewell.attempts += 1
    return farewell
  },
  keep: async () => undefined,
  end: async ({ uid }) => void owed.delete(uid),
  left: async () => [],
})

function nextRecord(
  change: TenantChange,
  present: IdentityRecord | undefined,
  state: IdentityRecord['state'],
  now: number,
): IdentityRecord {
  const isInstall = change.kind === 'install'
  const kept = ['secret', 'webhookToken'].map(name => [name, present?.secrets.get(name)] as const)
  const fresh = isInstall ? { ...change.initialSecrets, ...definedOf(kept), ...change.secrets } : definedOf(kept)
  const changes = isInstall && present !== undefined && present.secrets.get('secret') !== change.secrets.secret
  const { app, environment, dialect, externalId } = change.key
  return {
    app,
    environment,
    dialect,
    externalId,
    uid: present?.uid ?? newIdentityUid(),
    tenantUid: present?.tenantUid ?? newTenantUid(),
    host: isInstall ? change.host : (present?.host ?? ''),
    state,
    version: (present?.version ?? 0) + 1,
    secretVersion: (present?.secretVersion ?? 1) + (changes ? 1 : 0),
    orderedAt: now,
    attributes: isInstall ? change.attributes : (present?.attributes ?? {}),
    region: 'global',
    hold: 'none',
    secrets: new IdentitySecrets(
      new Map(Object.entries(fresh)),
      createHash('sha256').update(`${present?.uid} ${fresh.secret}`).digest(),
    ),
  }
}

const definedOf = (entries: readonly (readonly [string, string | undefined])[]): Record<string, string> =>
  Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined))

export function createInbox(
  handlers: Pick<HandlerTable, 'get'>,
  registry: Pick<Registry, 'findByUid'>,
  binder: DialectDeps['binder'],
) {
  const kept = new Map<string, string>()
  const deliveries: Delivery[] = []
  const buried: string[] = []
  const failures: unknown[] = []
  let running: Promise<void>[] = []
  const hooks = { run: true }
  const start = (delivery: Delivery, id: string, identity: IdentityRecord) =>
    binder.run(identity, async context => {
      await handlers.get(delivery.handler)?.(
        { id, payload: JSON.parse(delivery.payload), attempt: 1, signal: context.signal },
        context,
      )
    })
  const inbox: Inbox & {
    deliveries: Delivery[]
    buried: string[]
    failures: unknown[]
    hooks: typeof hooks
    finished(): Promise<void>
    again(delivery: Delivery, identity: IdentityRecord): Promise<void>
  } = {
    deliveries,
    buried,
    failures,
    hooks,
    again: (delivery, identity) => start(delivery, newRowId(), identity),
    async finished() {
      await Promise.all(running)
      running = []
    },
    async accept(context, delivery) {
      const check = context.ensureLive()
      if (check !== undefined) await check
      const keys = [delivery.retryKey, delivery.replayKey].flatMap((key, index) =>
        key === undefined ? [] : [`${context.identity.uid} ${index} ${key.toString('hex')}`],
      )
      const earlier = keys.map(key => kept.get(key)).find(id => id !== undefined)
      if (earlier !== undefined) return { outcome: 'duplicate', id: earlier }
      const id = newRowId()
      for (const key of keys) kept.set(key, id)
      deliveries.push(delivery)
      if (hooks.run) {
        const identity = await registry.findByUid(context.tenantUid, context.identity.uid)
        if (identity) running.push(start(delivery, id, identity).catch(error => void failures.push(error)))
      }
      return { outcome: 'accepted', id }
    },
    bury: async (_, work) => void buried.push(work.handler),
    idle: async () => undefined,
  }
  return inbox
}

export function createStore(
  stores: Map<string, Map<string, JsonValue>>,
  name: string,
  check: () => void | Promise<void>,
): TenantStore {
  const rows = stores.get(name) ?? new Map<string, JsonValue>()
  stores.set(name, rows)
  const store = {
    async get(key: string) {
      await check()
      return rows.get(key)
    },
    async set(key: string, value: JsonValue, options?: { ifVersion?: number }) {
      await check()
      if (options?.ifVersion === 0 && rows.has(key)) throw new PartywallError('ERR_VERSION_CONFLICT')
      rows.set(key, value)
      return { version: 1 }
    },
    async del(key: string) {
      await check()
      return rows.delete(key)
    },
    async clear() {
      await check()
      const { size } = rows
      rows.clear()
      return size
    },
  }
  // The dialect itself uses these four; what authors do with a store is tested where the store is.
  return store as unknown as TenantStore
}
