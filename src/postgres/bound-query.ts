/**
 * The two kinds of pool that the rest of Partywall sees: `bound` runs nothing without a tenant, `plain` is for the logins
 * that see fixed tables only.
 *
 * Binding is the first statement of every transaction: it sets the tenant and the time of this very transaction, both local
 * to it. In a group all travels before one Sync, so it is one transaction and one round trip.
 */

import { PartywallError } from '../core/errors.ts'
import type { TenantUid } from '../core/ids.ts'
import type { Connection, StatementCall } from './connection.ts'
import type { BoundPool, BoundTransaction, PlainPool, Row, Statement } from './database.ts'
import type { GroupResult } from './group.ts'
import type { Pool } from './pool.ts'

/** Both settings in one statement without a row: `is null` is never true, both sides are evaluated. */
const BIND: Statement = {
  name: 'pw_bind',
  text: `select where set_config('pw.tenant_id', $1, true) is null
    or set_config('pw.bound_at', transaction_timestamp()::text, true) is null`,
}
const BEGIN: Statement = { name: 'pw_begin', text: 'begin' }
const RESET: Statement = { name: 'pw_reset', text: 'reset all' }
const UNLOCK: Statement = { name: 'pw_unlock', text: 'select pg_advisory_unlock_all()' }
const COMMIT: Statement = { name: 'pw_commit', text: 'commit' }
const ROLLBACK: Statement = { name: 'pw_rollback', text: 'rollback' }

/** A transaction that also takes SQL that is not ours; see `sql-tag`. */
export interface OpenTransaction extends BoundTransaction {
  describe(text: string, values: readonly (string | null)[]): Promise<GroupResult>
}

export type IsolationLevel = 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable'

export interface OpenOptions {
  readonly isReadOnly?: boolean
  readonly isolationLevel?: IsolationLevel
}

export interface BoundPoolWithSql extends BoundPool {
  /** A transaction for SQL that is not ours: what it set or locked for the session is undone at the end. */
  open<T>(tenant: TenantUid, options: OpenOptions, work: (transaction: OpenTransaction) => Promise<T>): Promise<T>
}

const bind = (tenant: TenantUid): StatementCall => [BIND, [tenant]]

export function createBoundPool(pool: Pool): BoundPoolWithSql {
  return {
    async query(tenant, statement, values) {
      const { rows } = await runShared(pool, [bind(tenant), [statement, values]])
      return rows[1] ?? []
    },
    async group(tenant, statements) {
      const { rows } = await runShared(pool, [bind(tenant), ...statements])
      return rows.slice(1)
    },
    async shared(groups) {
      const { rows } = await runShared(
        pool,
        groups.flatMap(({ tenant, statements }) => [bind(tenant), ...statements]),
      )
      return splitGroups(
        rows,
        groups.map(group => group.statements.length),
      )
    },
    transaction: (tenant, work) => runTransaction(pool, { opening: [[BEGIN, []], bind(tenant)], closing: [] }, work),
    open: (tenant, options, work) =>
      runTransaction(pool, { opening: [[beginOf(options), []], bind(tenant)], closing: CLEANING }, work),
  }
}

/** Before COMMIT rather than after: behind a pooler the next statement may reach another server connection. */
const CLEANING: readonly StatementCall[] = [
  [RESET, []],
  [UNLOCK, []],
]

const LEVELS: Readonly<Record<IsolationLevel, string>> = {
  'read uncommitted': 'isolation level read uncommitted',
  'read committed': 'isolation level read committed',
  'repeatable read': 'isolation level repeatable read',
  serializable: 'isolation level serializable',
}

/** @throws TypeError for a level that PostgreSQL does not have */
function beginOf({ isReadOnly = false, isolationLevel }: OpenOptions): Statement {
  const level = isolationLevel === undefined ? '' : LEVELS[isolationLevel]
  if (level === undefined) throw new TypeError(`not an isolation level: ${isolationLevel}`)
  const text = ['begin', level, isReadOnly ? 'read only' : ''].filter(part => part !== '').join(' ')
  return text === BEGIN.text ? BEGIN : { name: `pw_${text.replaceAll(' ', '_')}`, text }
}

export function createPlainPool(pool: Pool): PlainPool {
  return {
    async query(statement, values) {
      const { rows } = await runShared(pool, [[statement, values]])
      return rows[0] ?? []
    },
    transaction: work => runTransaction(pool, { opening: [[BEGIN, []]], closing: [] }, work),
  }
}

/** Without an extra promise where a connection is open already. */
function runShared(pool: Pool, calls: readonly StatementCall[]): Promise<GroupResult> {
  const connection = pool.pick()
  return connection instanceof Promise ? connection.then(opened => opened.run(calls)) : connection.run(calls)
}

/** One list of results per group, binds left out. */
function splitGroups(rows: GroupResult['rows'], sizes: readonly number[]): (readonly (readonly Row[])[])[] {
  let at = 0
  return sizes.map(size => {
    at += 1
    const own = rows.slice(at, at + size)
    at += size
    return own
  })
}

async function runTransaction<T>(
  pool: Pool,
  frame: { readonly opening: readonly StatementCall[]; readonly closing: readonly StatementCall[] },
  work: (transaction: OpenTransaction) => Promise<T>,
): Promise<T> {
  const connection = await pool.acquire()
  const handle = createHandle(connection, frame.opening)
  try {
    const result = await work(handle.transaction)
    handle.end()
    if (handle.hasStarted()) await commit(connection, frame.closing)
    return result
  } catch (error) {
    handle.end()
    if (handle.hasStarted()) await rollback(connection, frame.closing.length > 0)
    throw error
  } finally {
    pool.release(connection)
  }
}

/** Begin and bind travel with the first statement; a handle that is kept after the end refuses. */
function createHandle(connection: Connection, opening: readonly StatementCall[]) {
  let isOver = false
  let start: Promise<unknown> | undefined
  const guarded = async <T>(run: () => Promise<T>): Promise<T> => {
    if (isOver) {
      throw new PartywallError('ERR_WALL_NOT_BOUND', {
        message: 'the transaction is over; statements belong inside it',
      })
    }
    start ??= connection.run(opening)
    const [, result] = await Promise.all([start, run()])
    return result
  }
  const transaction: OpenTransaction = {
    query: async (statement, values) => {
      const { rows } = await guarded(() => connection.run([[statement, values]]))
      return rows[0] ?? []
    },
    describe: (text, values) => guarded(() => connection.runDescribed(text, values)),
  }
  return {
    transaction,
    hasStarted: () => start !== undefined,
    end: () => {
      isOver = true
    },
  }
}

/** The server answers COMMIT of a failed transaction with ROLLBACK, and no error. */
async function commit(connection: Connection, closing: readonly StatementCall[]): Promise<void> {
  const { tag } = await connection.run([...closing, [COMMIT, []]])
  if (tag !== 'COMMIT') {
    throw new PartywallError('ERR_STATEMENT_REFUSED', {
      message: 'the transaction was rolled back, since a statement in it failed',
      details: { mayHaveRun: false },
    })
  }
}

async function rollback(connection: Connection, unlock: boolean): Promise<void> {
  if (!connection.isOpen) return
  try {
    // Rolled back settings are gone; locks of the session are not.
    await connection.run(
      unlock
        ? [
            [ROLLBACK, []],
            [UNLOCK, []],
          ]
        : [[ROLLBACK, []]],
    )
  } catch (error) {
    connection.destroy(error)
  }
}
