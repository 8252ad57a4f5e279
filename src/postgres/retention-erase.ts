/**
 * Erases one tenant: its data key first, so that sealed values are unreadable at once, then its rows wherever they are,
 * then its names. Every step may be repeated; after an interruption the next sweep goes on. See docs/decisions/0002-leases.md.
 */

import { isPartywallError } from '../core/errors.ts'
import type { TenantUid } from '../core/ids.ts'
import type { Clock } from '../core/ports.ts'
import { auditLine, type Call } from './audit.ts'
import type { BoundTransaction, Database, Statement } from './database.ts'
import { NO_FAREWELL_OWED } from './farewells.ts'
import { findWalledTables, type WalledTable } from './retention-tables.ts'

/** Locks the tenant if it is due: retention is over, no identity came back, no farewell is owed. Whether erasure had begun already. */
const LOCK_DUE: Statement = {
  name: 'pw_retention_lock_due',
  text: `select t.hold = 'erasing' from pw.tenant t
    where t.tenant_id = $1 and t.purge_after <= now() and t.hold in ('none', 'erasing')
      and not exists (select from pw.identity i where i.tenant_id = t.tenant_id and i.state not in ('uninstalled', 'retired'))
      and ${NO_FAREWELL_OWED}
    for update of t`,
}
const BEGIN: readonly Statement[] = [
  { name: 'pw_retention_hold', text: "update pw.tenant set hold = 'erasing' where tenant_id = $1" },
  {
    name: 'pw_retention_fence',
    text: 'insert into pw.erased (tenant_id) values ($1) on conflict (tenant_id) do nothing',
  },
  { name: 'pw_retention_shred', text: 'delete from pw.data_key where tenant_id = $1' },
  { name: 'pw_retention_secrets', text: 'delete from pw.secret where tenant_id = $1' },
  { name: 'pw_retention_tokens', text: 'delete from pw.token where tenant_id = $1' },
  { name: 'pw_retention_attributes', text: "update pw.identity set attributes = '{}' where tenant_id = $1" },
]
/** Every transaction that is open now. One that begins later sees the fence. */
const OPEN_TRANSACTIONS: Statement = {
  name: 'pw_retention_open_transactions',
  text: `select virtualtransaction from pg_catalog.pg_locks
    where locktype = 'virtualxid' and granted and mode = 'ExclusiveLock' and pid <> pg_backend_pid()`,
}
/** While a lifecycle token of the tenant could be used again, its name stays, so that the token still counts as used. */
const KEEP_NAMES: Statement = {
  name: 'pw_retention_keep_names',
  text: `update pw.tenant set purge_after = (select max(expires_at) from pw.used_token where tenant_id = $1)
    where tenant_id = $1 and exists (select from pw.used_token where tenant_id = $1 and expires_at > now()) returning true`,
}
const FORGET: readonly Statement[] = [
  { name: 'pw_retention_used_tokens', text: 'delete from pw.used_token where tenant_id = $1' },
  { name: 'pw_retention_farewells', text: 'delete from pw.farewell where tenant_id = $1' },
  { name: 'pw_retention_identities', text: 'delete from pw.identity where tenant_id = $1' },
  { name: 'pw_retention_tenant', text: 'delete from pw.tenant where tenant_id = $1' },
]

/** `pending`: begun, and rows may be left; the next sweep goes on. */
export type Erasure = 'not-due' | 'pending' | 'erased'

export interface EraseDeps {
  readonly database: Pick<Database, 'app' | 'system'>
  readonly clock: Clock
  /** Longest wait for transactions that were open when the erasure began, milliseconds. */
  readonly waitMs: number
  /** Asked between batches; true leaves the rest to the next sweep. */
  readonly mustStop: () => boolean
}

export async function eraseTenant(deps: EraseDeps, tenant: TenantUid): Promise<Erasure> {
  const { system } = deps.database
  const mayErase = await system.transaction(transaction => begin(transaction, tenant))
  if (!mayErase) return 'not-due'
  const tables = await findWalledTables(system)
  if (!(await eraseRows(deps, tables, tenant))) return 'pending'
  // A transaction from before the fence may still have written; what it left goes in a second pass, when it has ended.
  if (!(await earlierTransactionsEnded(deps))) return 'pending'
  if (!(await eraseRows(deps, tables, tenant))) return 'pending'
  return system.transaction(transaction => finish(transaction, tenant))
}

async function begin(transaction: BoundTransaction, tenant: TenantUid): Promise<boolean> {
  const [row] = await transaction.query(LOCK_DUE, [tenant])
  if (row === undefined) return false
  const isAgain = row[0] === 't'
  await runAll(transaction, [
    ...BEGIN.map((statement): Call => [statement, [tenant]]),
    ...(isAgain ? [] : [auditLine(tenant, 'tenant.erasing', {})]),
  ])
  return true
}

async function finish(transaction: BoundTransaction, tenant: TenantUid): Promise<Erasure> {
  const [due] = await transaction.query(LOCK_DUE, [tenant])
  if (due === undefined) return 'not-due'
  const [kept] = await transaction.query(KEEP_NAMES, [tenant])
  if (kept !== undefined) return 'erased'
  await runAll(transaction, [
    ...FORGET.map((statement): Call => [statement, [tenant]]),
    auditLine(tenant, 'tenant.erased', {}),
  ])
  return 'erased'
}

/**
 * Bound to the tenant, so the wall itself keeps this from touching anybody else's rows. A table that another one still
 * points to is tried again after that one.
 * @returns false when it was told to stop
 */
async function eraseRows(deps: EraseDeps, tables: readonly WalledTable[], tenant: TenantUid): Promise<boolean> {
  let left = tables
  while (left.length > 0) {
    const blocked: WalledTable[] = []
    let reason: unknown
    for (const table of left) {
      try {
        if (!(await eraseTable(deps, table, tenant))) return false
      } catch (error) {
        if (!isStillReferenced(error)) throw error
        reason = error
        blocked.push(table)
      }
    }
    if (blocked.length === left.length) throw reason
    left = blocked
  }
  return true
}

/** Until none is left: a row that is updated while it is being deleted survives that statement. */
async function eraseTable({ database, mustStop }: EraseDeps, table: WalledTable, tenant: TenantUid): Promise<boolean> {
  while (!mustStop()) {
    const [, left] = await database.app.group(tenant, [
      [table.erase, [tenant]],
      [table.isLeft, [tenant]],
    ])
    if (left?.[0]?.[0] === 'f') return true
  }
  return false
}

const isStillReferenced = (error: unknown): boolean =>
  isPartywallError(error, 'ERR_STATEMENT_REFUSED') && error.details.sqlState === '23503'

async function earlierTransactionsEnded({ database, clock, waitMs }: EraseDeps): Promise<boolean> {
  const open = new Set((await database.system.query(OPEN_TRANSACTIONS, [])).map(row => row[0]))
  const deadline = clock.monotonic() + waitMs
  for (let delayMs = 2; open.size > 0; delayMs = Math.min(100, delayMs * 2)) {
    if (clock.monotonic() > deadline) return false
    await new Promise(resolve => setTimeout(resolve, delayMs))
    const now = new Set((await database.system.query(OPEN_TRANSACTIONS, [])).map(row => row[0]))
    for (const transaction of open) if (!now.has(transaction)) open.delete(transaction)
  }
  return true
}

async function runAll(transaction: BoundTransaction, calls: readonly Call[]): Promise<void> {
  await Promise.all(calls.map(([statement, values]) => transaction.query(statement, values)))
}
