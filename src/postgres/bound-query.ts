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
const BEGIN_READ_ONLY: Statement = { name: 'pw_begin_read_only', text: 'begin read only' }
const COMMIT: Statement = { name: 'pw_commit', text: 'commit' }
const ROLLBACK: Statement = { name: 'pw_rollback', text: 'rollback' }

/** A transaction that also takes SQL that is not ours; see `sql-tag`. */
export interface OpenTransaction extends BoundTransaction {
  describe(text: string, values: readonly (string | null)[]): Promise<GroupResult>
}

export interface BoundPoolWithSql extends BoundPool {
  open<T>(
    tenant: TenantUid,
    options: { readonly isReadOnly: boolean },
    work: (transaction: OpenTransaction) => Promise<T>,
  ): Promise<T>
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
    transaction: (tenant, work) => runTransaction(pool, [[BEGIN, []], bind(tenant)], work),
    open: (tenant, { isReadOnly }, work) =>
      runTransaction(pool, [[isReadOnly ? BEGIN_READ_ONLY : BEGIN, []], bind(tenant)], work),
  }
}

export function createPlainPool(pool: Pool): PlainPool {
  return {
    async query(statement, values) {
      const { rows } = await runShared(pool, [[statement, values]])
      return rows[0] ?? []
    },
    transaction: work => runTransaction(pool, [[BEGIN, []]], work),
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
  opening: readonly StatementCall[],
  work: (transaction: OpenTransaction) => Promise<T>,
): Promise<T> {
  const connection = await pool.acquire()
  const handle = createHandle(connection, opening)
  try {
    const result = await work(handle.transaction)
    handle.end()
    if (handle.hasStarted()) await commit(connection)
    return result
  } catch (error) {
    handle.end()
    if (handle.hasStarted()) await rollback(connection)
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
async function commit(connection: Connection): Promise<void> {
  const { tag } = await connection.run([[COMMIT, []]])
  if (tag !== 'COMMIT') {
    throw new PartywallError('ERR_STATEMENT_REFUSED', {
      message: 'the transaction was rolled back, since a statement in it failed',
      details: { mayHaveRun: false },
    })
  }
}

async function rollback(connection: Connection): Promise<void> {
  if (!connection.isOpen) return
  try {
    await connection.run([[ROLLBACK, []]])
  } catch (error) {
    connection.destroy(error)
  }
}
