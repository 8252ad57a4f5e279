/**
 * One lifecycle change in one transaction as pw_system: lock, read, decide (`core/lifecycle`), write, audit, fence.
 *
 * A connection that is lost at any statement leaves the state from before or from after; the same change again gives the
 * same result. Nothing here caches.
 */

import { PartywallError } from '../core/errors.ts'
import { newIdentityUid, newTenantUid } from '../core/ids.ts'
import { type Decision, decide, type PresentIdentity, type TokenUse } from '../core/lifecycle.ts'
import type { ChangeResult, TenantChange, UsedToken } from '../core/ports.ts'
import type { IdentityRecord } from '../core/tenant.ts'
import type { Call } from './audit.ts'
import type { BoundTransaction, PlainPool } from './database.ts'
import { bytea, fromBytea, textArray } from './parameters.ts'
import type { ChangeMessage } from './registry-change.ts'
import { digestOf, encodeKey, keyArrays } from './registry-keys.ts'
import { openSecrets, readIdentity, type StoredIdentity, toRecord } from './registry-records.ts'
import * as sql from './registry-statements.ts'
import { changeCalls, confirmationCalls, creationCalls, type PresentSecrets, type Writing } from './registry-writes.ts'
import type { DataKeys } from './secrets.ts'

/** How long data outlives the uninstall, and whether the same installation gets it back in that time. */
export interface RetentionPolicy {
  readonly days: number
  readonly restore: boolean
}

export interface ApplyDeps {
  readonly system: PlainPool
  readonly dataKeys: DataKeys
  readonly retention: RetentionPolicy
}

export interface Applied {
  readonly outcome: ChangeResult['outcome']
  readonly identity: IdentityRecord | undefined
  /** The fence that all processes must have passed before the change may be answered. */
  readonly epoch?: number
  /** What changed, for this process's own cache. */
  readonly message?: Omit<ChangeMessage, 'n'>
}

/** One change's result, or why it was refused. */
export type Outcome = { readonly applied: Applied } | { readonly error: unknown }

interface Present extends PresentSecrets {
  readonly epoch: number
  readonly tokenUse: TokenUse
}

/** What a change comes to, before anything is written. */
interface Plan {
  readonly outcome: Applied['outcome']
  /** Read again after the writes; `undefined` when there is none. */
  readonly identity: Pick<StoredIdentity, 'tenantUid' | 'uid'> | undefined
  readonly calls: readonly Call[]
  readonly epoch?: number
  readonly message?: Omit<ChangeMessage, 'n'>
}

type Row = readonly (string | null)[]

/**
 * Applies changes of different identities in one transaction. A change that is refused (ERR_INSTALL_CONFLICT,
 * ERR_TENANT_HELD, ERR_TOKEN_REPLAYED, a secret that cannot be opened) leaves the others alone.
 * @throws the errors of the store; then none was applied, or (connection lost at the commit) nobody knows
 */
export function applyTogether(deps: ApplyDeps, changes: readonly TenantChange[]): Promise<readonly Outcome[]> {
  return deps.system.transaction(async transaction => {
    const rows = await readLocked(transaction, changes)
    const plans = changes.map((change, at) => attempt(() => plan(deps, change, rows.get(at))))
    await runAll(
      transaction,
      plans.flatMap(made => ('value' in made ? made.value.calls : [])),
    )
    const records = await readNow(deps, transaction, plans)
    const epochs = await raiseEpochs(transaction, plans)
    return plans.map((made, at): Outcome => {
      if ('error' in made) return made
      const { outcome, identity, message, epoch } = made.value
      return {
        applied: { outcome, identity: identity && records.get(identity.uid), message, epoch: epochs.get(at) ?? epoch },
      }
    })
  })
}

/** @returns the row of each change that has one, by its place */
async function readLocked(
  transaction: BoundTransaction,
  changes: readonly TenantChange[],
): Promise<ReadonlyMap<number, Row>> {
  const keys = keyArrays(changes.map(change => change.key))
  const tokenHashes = textArray(changes.map(change => bytea(change.usedToken?.tokenHash)))
  const [, , rows] = await Promise.all([
    transaction.query(sql.LOCK_KEYS, [textArray(changes.map(change => encodeKey(change.key)))]),
    transaction.query(sql.LOCK_TENANTS, keys),
    transaction.query(sql.READ_LOCKED, [...keys, tokenHashes]),
  ])
  return new Map(rows.map(row => [Number(row[0]) - 1, row]))
}

function plan(deps: ApplyDeps, change: TenantChange, row: Row | undefined): Plan {
  const present = row && readPresent(deps, change, row)
  const decision = decide(present && factsOf(deps, present, change), change, present?.tokenUse ?? 'first')
  switch (decision.kind) {
    case 'create':
      return planCreation(deps, change, decision.replaces ? present?.stored : undefined)
    case 'change':
    case 'restore':
      return planWrite(deps, change, present, decision)
    case 'unchanged':
      return planConfirmation(change, present, decision.orderedAt)
    case 'stale':
      return { outcome: 'stale', identity: present?.stored, calls: [] }
    case 'unknown':
      return { outcome: 'unknown', identity: undefined, calls: [] }
    default:
      throw refusalOf(decision)
  }
}

function refusalOf(decision: Extract<Decision, { kind: 'replayed' | 'held' | 'conflict' }>): PartywallError {
  switch (decision.kind) {
    case 'replayed':
      return new PartywallError('ERR_TOKEN_REPLAYED', { message: 'the lifecycle token came before, with another body' })
    case 'held':
      return new PartywallError('ERR_TENANT_HELD', { retryAfterSeconds: 5 })
    case 'conflict':
      return new PartywallError('ERR_INSTALL_CONFLICT', {
        message: `the change does not fit the installation that is there: ${decision.reason}`,
        details: { reason: decision.reason },
      })
  }
}

function readPresent(deps: ApplyDeps, change: TenantChange, row: Row): Present {
  const stored = readIdentity(row, 3)
  const key = stored.dataKey && deps.dataKeys.open(stored.tenantUid, stored.dataKey)
  return {
    stored,
    key,
    secrets: key === undefined ? new Map() : openSecrets(stored, key),
    epoch: Number(row[2]),
    tokenUse: tokenUseOf(change.usedToken, row[1]),
  }
}

function tokenUseOf(used: UsedToken | undefined, bodyHash: string | null | undefined): TokenUse {
  if (used === undefined || bodyHash == null) return 'first'
  return fromBytea(bodyHash).equals(used.bodyHash) ? 'same-body' : 'other-body'
}

function factsOf({ retention }: ApplyDeps, { stored, secrets }: Present, change: TenantChange): PresentIdentity {
  return {
    ...stored,
    // A Forge installation gets old data back only when an operator links it.
    isRestorable: retention.restore && stored.dialect !== 'forge' && !stored.isDue && stored.hold !== 'erasing',
    hasSameSecrets:
      change.kind === 'install' && Object.entries(change.secrets).every(([name, value]) => secrets.get(name) === value),
  }
}

function planCreation(deps: ApplyDeps, change: TenantChange, replaced: StoredIdentity | undefined): Plan {
  if (change.kind !== 'install') throw new TypeError('only an install creates an identity')
  const tenantUid = newTenantUid()
  const { key, ...wrapped } = deps.dataKeys.create(tenantUid)
  const secrets = new Map([...Object.entries(change.initialSecrets ?? {}), ...Object.entries(change.secrets)])
  const created: StoredIdentity = {
    ...change.key,
    uid: newIdentityUid(),
    tenantUid,
    host: change.host,
    state: change.state,
    version: 1,
    secretVersion: 1,
    orderedAt: change.at,
    attributes: change.attributes,
    region: 'global',
    hold: 'none',
    isDue: false,
    dataKey: wrapped,
    boxes: [],
  }
  return {
    outcome: 'created',
    identity: created,
    calls: creationCalls(created, { key, wrapped }, secrets, change, replaced),
  }
}

function planWrite(deps: ApplyDeps, change: TenantChange, present: Present | undefined, decision: Writing): Plan {
  const { stored, ...secrets } = known(present)
  return {
    outcome: decision.kind === 'restore' ? 'restored' : 'changed',
    identity: stored,
    calls: changeCalls({ stored, ...secrets }, change, decision, {
      retentionDays: deps.retention.days,
      dataKeys: deps.dataKeys,
    }),
    message: {
      tenant: stored.tenantUid,
      identity: stored.uid,
      version: stored.version + 1,
      keyDigest: digestOf(encodeKey(change.key)),
      takesRights: decision.takesRights,
    },
  }
}

/** The fence is waited for here too: the first try may have ended between its commit and its answer. */
function planConfirmation(change: TenantChange, present: Present | undefined, orderedAt: number | undefined): Plan {
  const { stored, epoch, tokenUse } = known(present)
  const calls = confirmationCalls(stored, change, orderedAt, tokenUse === 'first')
  return { outcome: 'unchanged', identity: stored, calls, epoch }
}

function known(present: Present | undefined): Present {
  if (present === undefined) throw new TypeError('decided on an identity that is not there')
  return present
}

type Made = { readonly value: Plan } | { readonly error: unknown }

function attempt(make: () => Plan): Made {
  try {
    return { value: make() }
  } catch (error) {
    return { error }
  }
}

/** In order, one round trip; the first failure is the one reported. */
async function runAll(transaction: BoundTransaction, calls: readonly Call[]): Promise<void> {
  await Promise.all(calls.map(([statement, values]) => transaction.query(statement, values)))
}

async function readNow(
  deps: ApplyDeps,
  transaction: BoundTransaction,
  plans: readonly Made[],
): Promise<ReadonlyMap<string, IdentityRecord>> {
  const identities = plans.flatMap(made => ('value' in made && made.value.identity ? [made.value.identity] : []))
  if (identities.length === 0) return new Map()
  const rows = await transaction.query(sql.FIND_BY_UID, [
    textArray(identities.map(identity => identity.tenantUid)),
    textArray(identities.map(identity => identity.uid)),
  ])
  const records = rows.map(row => toRecord(readIdentity(row, 1), deps.dataKeys))
  return new Map(records.map(record => [record.uid, record]))
}

/** Last in the transaction; by the place of the change. */
async function raiseEpochs(
  transaction: BoundTransaction,
  plans: readonly Made[],
): Promise<ReadonlyMap<number, number>> {
  const raised = plans.map(async (made, at) => {
    const message = 'value' in made ? made.value.message : undefined
    if (message === undefined) return undefined
    const { tenant, identity, version, keyDigest, takesRights } = message
    const values = [tenant, identity, String(version), keyDigest, String(takesRights)]
    const [row] = await transaction.query(sql.RAISE_EPOCH, values)
    return [at, Number(row?.[0])] as const
  })
  const epochs = await Promise.all(raised)
  return new Map(epochs.filter(entry => entry !== undefined))
}
