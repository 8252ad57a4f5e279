/** Simulated hosts for tests and local development. A host is driven from code; its HTTP side is what add-ons see. */

export type { AuthorizeOptions } from './clients/authorize.ts'
export type { BrowserVisit } from './clients/browser-flow.ts'
export type { Descriptor } from './clients/descriptor.ts'
export type {
  Installation,
  InstallationState,
  LifecycleResult,
  PageOptions,
  TokenSubject,
  UninstallOptions,
  UpdateOptions,
} from './clients/installation.ts'
export type { InstallTarget } from './clients/lifecycle.ts'
export type { AppDescriptor, LifecycleEvent } from './connect/apps/descriptor.ts'
export type {
  AppLifecycleResult,
  AppState,
  AppUninstallOptions,
  ConnectInstallation,
  Licence,
  RealmMoveOptions,
  SendOptions,
} from './connect/apps/installation.ts'
export type { ConnectInstallOptions } from './connect/apps/lifecycle.ts'
export { CONNECT_FAULTS, quotaExceeded } from './connect/faults.ts'
export { type ConnectHost, type ConnectHostOptions, startConnectHost } from './connect/host.ts'
export type { OpenedAppPage } from './connect/pages/open.ts'
export type { Content, ContentSpec, Space } from './connect/sites/content.ts'
export type { Issue, IssueSpec, Project } from './connect/sites/issue.ts'
export type { Product, ProductType } from './connect/sites/product.ts'
export type { Site } from './connect/sites/site.ts'
export type { ConnectUser, ConnectUserSpec } from './connect/sites/user.ts'
export type { ConnectEvents, ConnectFaultPoint, ConnectHostSettings, ConnectRequest } from './connect/state.ts'
export type { Place } from './connect/tokens/claims.ts'
export type { ConnectDelivery } from './connect/webhooks/delivery.ts'
export { DescriptorError } from './descriptor-document.ts'
export type { Emoticon } from './emoticons/emoticon.ts'
export type { Extension, ExtensionKind } from './extensions/extension.ts'
export type { Fault, FaultEffect, FaultPoint, Faults } from './faults/faults.ts'
export { FAULTS, floodControlled, oddExpiresIn, rateLimited, slow } from './faults/presets.ts'
export type { GlanceContent } from './glances/content.ts'
export { GlanceError } from './glances/query.ts'
export type { Audience } from './glances/table.ts'
export type { HostEvents, HostRequest } from './hooks.ts'
export { type HipchatHost, type HipchatHostOptions, startHipchatHost } from './host.ts'
export type {
  FileSpec,
  HistoryItem,
  HostGroup,
  HostRoom,
  HostUser,
  Invitation,
  Presence,
  RoomSpec,
  UserReference,
  UserSpec,
} from './model.ts'
export type { OpenedPage, Opening } from './pages/open.ts'
export type { HostClock, HostSettings, Limit } from './state.ts'
export type { Attempt, Delivery } from './webhooks/delivery.ts'
export type { Webhook, WebhookEvent } from './webhooks/webhook.ts'
