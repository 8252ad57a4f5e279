/**
 * SQL of app authors on their own protected tables: a tagged template whose values are always parameters, run as the tenant
 * of the current context. There is no way to pass a tenant in, and none to pass raw text in.
 */

import { currentContext, type TenantContext } from '../core/context.ts'
import { PartywallError } from '../core/errors.ts'
import type { BoundPoolWithSql, IsolationLevel, OpenTransaction } from './bound-query.ts'
import type { GroupResult } from './group.ts'
import { checkAuthorSql } from './sql-guard.ts'
import { type SqlRow, type SqlValue, toParameter, toRows } from './sql-values.ts'

export type SqlTag = (text: TemplateStringsArray, ...values: readonly SqlValue[]) => Promise<readonly SqlRow[]>

/**
 * @throws ERR_TENANT_CONTEXT_MISSING outside a tenant's context, ERR_TENANT_REVOKED, ERR_STATEMENT_REFUSED, ERR_STORE_UNAVAILABLE,
 *   ERR_STORE_TIMEOUT, ERR_UPDATE_CONTENTION (a deadlock or serialisation failure: repeat the transaction)
 * @example
 * const notes = await app.sql`select id, text from app.note where created_at > ${since}`
 * await app.sql.transaction(async sql => {
 *   await sql`update app.counter set n = n + 1`
 *   await sql`insert into app.note (tenant_id, id, text) values (${tenant}, ${id}, ${text})`
 * })
 */
export interface TenantSql extends SqlTag {
  /** All or nothing; rolled back when `work` rejects. A read-only context gets a read-only transaction. */
  transaction<T>(work: (sql: SqlTag) => Promise<T>, options?: { readonly isolationLevel?: IsolationLevel }): Promise<T>
}

/** What runs statements inside a tenant's transaction; shared with `kysely`. */
export interface TenantStatements {
  run(text: string, values: readonly SqlValue[]): Promise<GroupResult>
  /** Transaction control of our own making. */
  control(text: string): Promise<void>
}

export function createTenantSql(database: { readonly app: BoundPoolWithSql }): TenantSql {
  const single: SqlTag = (text, ...values) =>
    inTenantTransaction(database, currentContext(), {}, async ({ run }) => toRows(await run(textOf(text), values)))
  return Object.assign(single, {
    transaction: <T>(
      work: (sql: SqlTag) => Promise<T>,
      options: { readonly isolationLevel?: IsolationLevel } = {},
    ): Promise<T> =>
      inTenantTransaction(database, currentContext(), options, ({ run }) =>
        work(async (text, ...values) => toRows(await run(textOf(text), values))),
      ),
  })
}

/** Runs `work` bound to the context's tenant, and asks before each statement and before the commit whether it may go on. */
export async function inTenantTransaction<T>(
  database: { readonly app: BoundPoolWithSql },
  context: TenantContext,
  options: { readonly isolationLevel?: IsolationLevel; readonly isReadOnly?: boolean },
  work: (statements: TenantStatements) => Promise<T>,
): Promise<T> {
  await context.ensureLive()
  const isReadOnly = context.mode === 'read-only' || options.isReadOnly === true
  return database.app.open(context.tenantUid, { ...options, isReadOnly }, async transaction => {
    const result = await work(statementsOf(transaction, context))
    await context.ensureLive()
    return result
  })
}

const statementsOf = (transaction: OpenTransaction, context: TenantContext): TenantStatements => ({
  async run(text, values) {
    checkAuthorSql(text)
    await context.ensureLive()
    try {
      return await transaction.describe(text, values.map(toParameter))
    } catch (error) {
      throw isReadOnlyViolation(error) ? new PartywallError('ERR_TENANT_READ_ONLY', { cause: error }) : error
    }
  },
  async control(text) {
    await transaction.describe(text, [])
  },
})

/** `a ${x} b ${y}` as `a $1 b $2`. */
const textOf = (strings: TemplateStringsArray): string => {
  if (!Array.isArray(strings) || !Array.isArray(strings.raw)) {
    throw new TypeError('sql is a template tag: sql`select ...`, not a function of text')
  }
  return strings.reduce((text, part, index) => `${text}$${index}${part}`)
}

const isReadOnlyViolation = (error: unknown): boolean =>
  error instanceof PartywallError && error.details.sqlState === '25006'
