/**
 * `partywall/kysely`: a Kysely dialect whose every query runs as the tenant of the current context, inside the same wall and
 * the same checks as `app.sql`. Kysely is a peer dependency; nothing else of Partywall loads it.
 */

import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  type TransactionSettings,
} from 'kysely'
import { currentContext, type TenantContext } from '../core/context.ts'
import { PartywallError } from '../core/errors.ts'
import type { BoundPoolWithSql } from './bound-query.ts'
import { inTenantTransaction, type TenantStatements } from './sql-tag.ts'
import { affectedRows, type SqlValue, toRows } from './sql-values.ts'

/**
 * @param database what `openDatabase` gave; the tenant is that of the context in which a query runs
 * @example const db = new Kysely<Tables>({ dialect: createKyselyDialect(await openDatabase()) })
 */
export const createKyselyDialect = (database: { readonly app: BoundPoolWithSql }): Dialect => ({
  createDriver: () => createDriver(database),
  createQueryCompiler: () => new PostgresQueryCompiler(),
  createAdapter: () => new PostgresAdapter(),
  createIntrospector: db => new PostgresIntrospector(db),
})

function createDriver(database: { readonly app: BoundPoolWithSql }): Driver {
  const own = (connection: DatabaseConnection): TenantConnection => {
    if (!(connection instanceof TenantConnection)) throw new TypeError('not a connection of this driver')
    return connection
  }
  return {
    init: async () => undefined,
    acquireConnection: async () => new TenantConnection(database, currentContext()),
    beginTransaction: (connection, settings) => own(connection).begin(settings),
    commitTransaction: connection => own(connection).end('commit'),
    rollbackTransaction: connection => own(connection).end('rollback'),
    savepoint: (connection, name) => own(connection).control(`savepoint ${savepointName(name)}`),
    rollbackToSavepoint: (connection, name) => own(connection).control(`rollback to savepoint ${savepointName(name)}`),
    releaseSavepoint: (connection, name) => own(connection).control(`release savepoint ${savepointName(name)}`),
    releaseConnection: async connection => own(connection).end('rollback'),
    destroy: async () => undefined,
  }
}

interface Running {
  readonly statements: TenantStatements
  readonly finish: (how: 'commit' | 'rollback') => void
  readonly done: Promise<void>
}

/** Ends a transaction on purpose; never leaves this file. */
const ROLLED_BACK = Symbol('rolled back')

/** Kysely begins and ends transactions by separate calls; ours live inside one call. This is the bridge. */
class TenantConnection implements DatabaseConnection {
  readonly #database: { readonly app: BoundPoolWithSql }
  readonly #context: TenantContext
  #running: Running | undefined

  constructor(database: { readonly app: BoundPoolWithSql }, context: TenantContext) {
    this.#database = database
    this.#context = context
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const run = async ({ run }: TenantStatements): Promise<QueryResult<R>> => {
      const result = await run(query.sql, query.parameters as readonly SqlValue[])
      const count = affectedRows(result)
      return { rows: toRows(result) as R[], ...(count === undefined ? {} : { numAffectedRows: BigInt(count) }) }
    }
    const running = this.#running
    return running === undefined ? inTenantTransaction(this.#database, this.#context, {}, run) : run(running.statements)
  }

  // biome-ignore lint/correctness/useYield: Kysely's type; streaming is refused.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new PartywallError('ERR_STATEMENT_REFUSED', { message: 'streaming is not available; read page by page' })
  }

  begin(settings: TransactionSettings): Promise<void> {
    const { isolationLevel, accessMode } = settings
    if (isolationLevel === 'snapshot') throw new TypeError('PostgreSQL has no isolation level "snapshot"')
    const options = {
      ...(isolationLevel === undefined ? {} : { isolationLevel }),
      isReadOnly: accessMode === 'read only',
    }
    return new Promise((resolve, reject) => {
      const done = inTenantTransaction(
        this.#database,
        this.#context,
        options,
        statements =>
          new Promise<void>((commit, abandon) => {
            const finish = (how: 'commit' | 'rollback'): void => (how === 'commit' ? commit() : abandon(ROLLED_BACK))
            this.#running = { statements, finish, done }
            resolve()
          }),
      )
      done.catch(reject)
    })
  }

  async end(how: 'commit' | 'rollback'): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    running.finish(how)
    try {
      await running.done
    } catch (error) {
      if (error !== ROLLED_BACK) throw error
    }
  }

  async control(text: string): Promise<void> {
    if (this.#running === undefined) throw new TypeError('savepoints belong into a transaction')
    await this.#running.statements.control(text)
  }
}

function savepointName(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name)) throw new TypeError('the name of a savepoint is a plain identifier')
  return `"${name}"`
}
