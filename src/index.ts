/** Public exports of `partywall`. A bare import loads what every app needs and no more; other parts have subpaths. */

export { createApp } from './app.ts'
export type { App, ConnectApp, ConnectOptions, HipchatApp, HipchatOptions, InstallationName } from './app-types.ts'
export type { AppOptions } from './configuration.ts'
export { currentContext, type TenantContext } from './core/context.ts'
export type { AppSpec } from './core/dialect.ts'
export { ERRORS, type ErrorCode, isPartywallError, PartywallError } from './core/errors.ts'
export type { IdentityUid, TenantUid } from './core/ids.ts'
export { createLogger } from './core/log.ts'
export type { Clock, KeyProvider, Logger, Random, Work, WorkHandler } from './core/ports.ts'
export type { ListOptions, SetOptions, StoreEntry, StorePage, TenantStore } from './core/store.ts'
export type { JsonObject, JsonValue } from './core/tenant.ts'
export type { ProductProperties } from './dialects/connect/app-properties.ts'
export type { ProductLimits } from './dialects/connect/call-pace.ts'
export type { ProductRequest } from './dialects/connect/call-request.ts'
export type { DynamicModules } from './dialects/connect/dynamic-modules.ts'
export type {
  ConnectInstalledContext,
  ConnectLifecycleContext,
  ConnectPageContext,
  ConnectRequestServices,
  ConnectTenantServices,
} from './dialects/connect/handler-context.ts'
export type { ConnectLocals } from './dialects/connect/locals.ts'
export type { ModuleDefinition } from './dialects/connect/module-builder.ts'
export type { ConnectScope } from './dialects/connect/options.ts'
export type { Permissions } from './dialects/connect/permissions.ts'
export type { PersonalData, PersonalDataCallbacks } from './dialects/connect/personal-data.ts'
export type { ProductAnswer } from './dialects/connect/product-answer.ts'
export type { ConnectTenant } from './dialects/connect/tenant.ts'
export type {
  ProductCalls,
  TenantClient as ConnectTenantClient,
  UserClient as ConnectUserClient,
} from './dialects/connect/tenant-client.ts'
export type { TenantWebhooks as ConnectTenantWebhooks } from './dialects/connect/tenant-webhooks.ts'
export type { ConnectWebhookOptions } from './dialects/connect/webhook-definitions.ts'
export type { ConnectWebhookContext } from './dialects/connect/webhook-work.ts'
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
export { type GlanceContent, type GlanceInput, glanceContent } from './dialects/hipchat/glance-content.ts'
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
export type { GlanceUpdate } from './dialects/hipchat/rest/glance-push-api.ts'
export type { HipchatCard, NotificationOptions } from './dialects/hipchat/rest/notification.ts'
export type { RateLimit } from './dialects/hipchat/rest/rate-limit.ts'
export type {
  HipchatCollection,
  HipchatEmoticon,
  HipchatHistoryItem,
  HipchatRoom,
  HipchatRoomWebhook,
  HipchatSession,
  HipchatUser,
} from './dialects/hipchat/rest/shapes.ts'
export type { SharedFile } from './dialects/hipchat/rest/share.ts'
export type { HipchatTenant } from './dialects/hipchat/tenant.ts'
export type { RoomClient, TenantClient, UserClient } from './dialects/hipchat/tenant-client.ts'
export type { TenantWebhooks } from './dialects/hipchat/tenant-webhooks.ts'
export type {
  ForgeApp,
  ForgeInstallation,
  ForgeOptions,
  ForgeVariables,
  InstallSite,
} from './forge/forge-types.ts'
export type { InvokeOptions } from './forge/invocations/invoke.ts'
export type { EventFacts, ForgeEvent } from './forge/invocations/triggers.ts'
export type { Manifest } from './forge/manifest/types.ts'
export type { Deployment } from './forge/platform/deploy.ts'
export type { AppLogLine } from './forge/platform/runner.ts'
export type { IsolationReport, Leak, PolicyReport, ReportCall } from './forge/report/isolation-report.ts'
export { type Listening, listen, serverOptions } from './http/server.ts'
export type { Answer, Guard, Guarded, Guarding, GuardOptions, Mountable, RequestView } from './http/view.ts'
export type { DeadLetter, DeadLetters } from './jobs/dead-letters.ts'
