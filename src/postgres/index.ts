/** `partywall/postgres`: preparing and opening a database by hand, for tools and tests of apps. `createApp` does it by itself. */

export type {
  BoundPool,
  BoundTransaction,
  Database,
  Listener,
  Parameter,
  PlainPool,
  Row,
  Statement,
} from './database.ts'
export { type MigrateAppOptions, migrateApp } from './migrate-app.ts'
export { type DatabaseUrls, type OpenDatabase, type OpenDatabaseOptions, openDatabase, type PoolSize } from './open.ts'
export { type PreparedDatabase, type PrepareOptions, prepareDatabase } from './prepare.ts'
export { createTenantSql, type SqlTag, type TenantSql } from './sql-tag.ts'
export type { SqlRow, SqlValue } from './sql-values.ts'
