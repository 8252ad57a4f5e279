/** Public exports of `partywall/hipchat`: what a port from ac-koa-hipchat needs beside the app, bound to no framework. */

export type { RedisClient } from './dialects/common/redis/client.ts'
export { connectRedis, type RedisConnection } from './dialects/common/redis/connection.ts'
export { type HipchatEnvironment, hipchatEnvironment } from './dialects/hipchat/legacy/environment.ts'
export type {
  ImportedInstallation,
  ImportInstallationOptions,
  ImportStores,
} from './dialects/hipchat/legacy/import-installation.ts'
export type {
  HipchatImportReport,
  RefusedKey,
  TenantReport,
  WebhookReport,
} from './dialects/hipchat/legacy/import-report.ts'
export {
  type HipchatImportOptions,
  type ImportTarget,
  importHipchatStore,
} from './dialects/hipchat/legacy/import-store.ts'
export type { KeyMapping, NewPlace } from './dialects/hipchat/legacy/import-values.ts'
export { memoryStoreSource } from './dialects/hipchat/legacy/memory-source.ts'
export type { OldStoreSource, OldTenant, OldValue } from './dialects/hipchat/legacy/old-store.ts'
export { type HipchatCommand, type HipchatPackage, hipchatPackage } from './dialects/hipchat/legacy/package.ts'
export { redisStoreSource } from './dialects/hipchat/legacy/redis-source.ts'
export { patternToRegExp, regExpToPattern } from './dialects/hipchat/pattern-translation.ts'
export { readWebhook, WEBHOOK_EVENTS, type WebhookEvent, type WebhookFields } from './dialects/hipchat/webhook-event.ts'
