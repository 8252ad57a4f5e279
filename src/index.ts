/** Public exports of `partywall`. A bare import loads what every app needs and no more; other parts have subpaths. */

export { type App, createApp, type HipchatApp, type HipchatOptions, type InstallationName } from './app.ts'
export type { AppOptions } from './configuration.ts'
export { currentContext, type TenantContext } from './core/context.ts'
export type { AppSpec } from './core/dialect.ts'
export { ERRORS, type ErrorCode, isPartywallError, PartywallError } from './core/errors.ts'
export type { IdentityUid, TenantUid } from './core/ids.ts'
export { createLogger } from './core/log.ts'
export type { Clock, KeyProvider, Logger, Random, Work, WorkHandler } from './core/ports.ts'
export type { ListOptions, SetOptions, StoreEntry, StorePage, TenantStore } from './core/store.ts'
export type { JsonObject, JsonValue } from './core/tenant.ts'
export type { InstallationFacts } from './dialects/hipchat/announcement.ts'
export type {
  ActionDefinition,
  CommandDefinition,
  Condition,
  ConfigurableDefinition,
  DialogDefinition,
  ExternalPageDefinition,
  GlanceDefinition,
  WebPanelDefinition,
} from './dialects/hipchat/builder/definitions.ts'
export { type GlanceContent, type GlanceInput, glanceContent } from './dialects/hipchat/glance.ts'
export type {
  HipchatInstalledContext,
  HipchatLifecycleContext,
  HipchatPageContext,
  HipchatRequestServices,
  HipchatWebhookContext,
  TenantServices,
} from './dialects/hipchat/handler-context.ts'
export type { InstallUrlOptions } from './dialects/hipchat/install-url.ts'
export type { Locals } from './dialects/hipchat/locals.ts'
export type { HipchatTenant } from './dialects/hipchat/tenant.ts'
export type { RoomClient, TenantClient } from './dialects/hipchat/tenant-client.ts'
export type { TenantWebhooks } from './dialects/hipchat/tenant-webhooks.ts'
export { type Listening, listen, serverOptions } from './http/server.ts'
export type { Answer, Guard, Guarded, Guarding, Mountable, RequestView } from './http/view.ts'
export type { DeadLetter, DeadLetters } from './jobs/dead-letters.ts'
