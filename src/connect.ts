/** Public exports of `partywall/connect`: what a port from atlassian-connect-express needs beside the app, bound to no framework. */

export type { RedisClient } from './dialects/common/redis/client.ts'
export { connectRedis, type RedisConnection } from './dialects/common/redis/connection.ts'
export type { ImportedInstallation, ImportInstallationOptions } from './dialects/connect/legacy/import-installation.ts'
export {
  type ConnectImportOptions,
  type ConnectImportReport,
  type ConnectImportTarget,
  type ConnectTenantReport,
  importConnectStore,
} from './dialects/connect/legacy/import-store.ts'
export { type ConnectConfiguration, connectConfiguration } from './dialects/connect/legacy/old-configuration.ts'
export {
  type ConnectStoreSource,
  databaseRows,
  jsonLinesRows,
  type OldRow,
  type QueryRows,
  redisRows,
} from './dialects/connect/legacy/old-rows.ts'
