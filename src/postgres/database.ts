/**
 * The shape of the database as the rest of `postgres` and `jobs` see it: three logins, constant statements, rows as text.
 *
 * `app` never runs a statement without a tenant: bind and statements travel before one Sync, so they are one implicit
 * transaction and one round trip. `system` and `jobs` see fixed tables only and no app data.
 */

import type { TenantUid } from '../core/ids.ts'

/** A constant statement. `name` is unique per text; it is prepared under it once per connection where the server is reached directly. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** Parameters in PostgreSQL's text format; see `textArray` and `bytea` for the two that need care. */
export type Parameter = string | null
/** One row, columns in order, PostgreSQL's text format. */
export type Row = readonly (string | null)[]

export interface BoundTransaction {
  query(statement: Statement, values: readonly Parameter[]): Promise<readonly Row[]>
}

export interface BoundPool {
  /** One statement as the tenant, one round trip. */
  query(tenant: TenantUid, statement: Statement, values: readonly Parameter[]): Promise<readonly Row[]>
  /** Several statements as the tenant, one transaction, one round trip; fails as a whole. */
  group(
    tenant: TenantUid,
    statements: readonly (readonly [Statement, readonly Parameter[]])[],
  ): Promise<readonly (readonly Row[])[]>
  /** As many round trips as `work` makes; holds one connection meanwhile. Rolled back when `work` rejects. */
  transaction<T>(tenant: TenantUid, work: (transaction: BoundTransaction) => Promise<T>): Promise<T>
  /** Several tenants' groups in one commit: for the inbox only, where one fsync serves many deliveries. Fails as a whole. */
  shared(
    groups: readonly {
      readonly tenant: TenantUid
      readonly statements: readonly (readonly [Statement, readonly Parameter[]])[]
    }[],
  ): Promise<readonly (readonly (readonly Row[])[])[]>
}

export interface PlainPool {
  query(statement: Statement, values: readonly Parameter[]): Promise<readonly Row[]>
  transaction<T>(work: (transaction: BoundTransaction) => Promise<T>): Promise<T>
}

/** A direct connection (never through a pooler) that listens; calls `onLost` once when it breaks. */
export interface Listener {
  query(statement: Statement, values: readonly Parameter[]): Promise<readonly Row[]>
  close(): Promise<void>
}

export interface Database {
  readonly app: BoundPool
  readonly system: PlainPool
  readonly jobs: PlainPool
  /** Opens a direct connection as pw_system and listens on `channel`. */
  listen(channel: string, onMessage: (payload: string) => void, onLost: (error: unknown) => void): Promise<Listener>
  close(): Promise<void>
}
