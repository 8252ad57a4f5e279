/** A manifest that was read and checked: what the platform acts on. Types alone. (Forge protocol s. 2, 2026-11.) */

import type { JsonObject, JsonValue } from '../../core/tenant.ts'

export interface Manifest {
  /** `ari:cloud:ecosystem::app/<uuid>`. */
  readonly appAri: string
  /** The UUID alone. */
  readonly appId: string
  readonly name: string | undefined
  readonly runtime: { readonly name: string; readonly memoryMb: number | undefined }
  /** `isPrebuilt`: the folder at `path` is a bundle already. */
  readonly package: {
    readonly isPrebuilt: boolean
    readonly path: string | undefined
    readonly extraFiles: readonly string[]
  }
  readonly functions: readonly FunctionModule[]
  readonly webTriggers: readonly WebTriggerModule[]
  readonly scheduledTriggers: readonly ScheduledTriggerModule[]
  readonly triggers: readonly TriggerModule[]
  readonly consumers: readonly ConsumerModule[]
  readonly preUninstalls: readonly { readonly key: string; readonly target: FunctionTarget }[]
  /** Modules that show something, with their type; their resolvers are what `invoke` calls. */
  readonly uiModules: readonly UiModule[]
  readonly entities: readonly EntityDefinition[]
  readonly permissions: Permissions
  readonly remotes: readonly Remote[]
  /** Modules that are known but not simulated, and types that nobody knows. */
  readonly notSimulated: readonly { readonly type: string; readonly key: string | undefined }[]
  readonly translations:
    | {
        readonly resources: readonly { readonly key: string; readonly path: string }[]
        readonly fallback: Readonly<Record<string, unknown>>
      }
    | undefined
  /** Key of `app.connect`, of an app that was a Connect app. */
  readonly connectKey: string | undefined
  readonly warnings: readonly ManifestProblem[]
}

/** Where something stands in the file, from 1. */
export interface ManifestProblem {
  readonly line: number
  readonly column: number
  /** `modules.function[0].handler`. */
  readonly path: string
  readonly message: string
}

/** A module runs a function of the app, or calls an endpoint of a remote. */
export type FunctionTarget = { readonly functionKey: string } | { readonly endpointKey: string }

export interface FunctionModule {
  readonly key: string
  /** `file.export`; the file is relative to `src/`, without extension. */
  readonly handler: string
  readonly timeoutSeconds: number | undefined
  readonly memoryMb: number | undefined
}
export interface WebTriggerModule {
  readonly key: string
  /** Callers are to sign with a secret that both know. */
  readonly isSigned: boolean
  readonly target: FunctionTarget
  readonly response:
    | { readonly type: 'dynamic' }
    | {
        readonly type: 'static'
        readonly outputs: readonly {
          readonly key: string
          readonly statusCode: number
          readonly contentType: string | undefined
          readonly body: string | undefined
        }[]
      }
}
export interface ScheduledTriggerModule {
  readonly key: string
  readonly target: FunctionTarget
  readonly interval: 'fiveMinute' | 'hour' | 'day' | 'week'
}
export interface TriggerModule {
  readonly key: string
  readonly target: FunctionTarget
  readonly events: readonly { readonly eventType: string; readonly filter: EventFilter | undefined }[]
  readonly filter: EventFilter | undefined
}
export interface EventFilter {
  readonly ignoreSelf: boolean
  readonly appIsLicensed: boolean | undefined
  readonly expression: string | undefined
  readonly onError: string | undefined
}
export interface ConsumerModule {
  readonly key: string
  readonly queue: string
  /** `resolver`: SDK 1.x, a method of a resolver; `function`: 2.x and later. */
  readonly target: FunctionTarget | { readonly functionKey: string; readonly method: string }
}
export interface UiModule {
  /** `jira:issuePanel`, `macro` ... */
  readonly type: string
  readonly key: string
  readonly title: string | undefined
  readonly resolver: FunctionTarget | undefined
  /** The module as the manifest wrote it. */
  readonly given: JsonObject
}
export interface EntityDefinition {
  readonly name: string
  readonly attributes: Readonly<Record<string, 'string' | 'boolean' | 'float' | 'integer' | 'any'>>
  readonly indexes: readonly EntityIndex[]
}
export interface EntityIndex {
  readonly name: string
  readonly partition: readonly string[]
  readonly range: readonly [string]
}
export interface Permissions {
  readonly scopes: readonly string[]
  /** Scopes that allow acting as a named user. */
  readonly impersonation: readonly string[]
  /** Addresses of `external.fetch.backend` and base URLs of remotes that it names. */
  readonly egress: readonly string[]
  /** `external` as written, for the SDK's own look-ups. */
  readonly external: JsonValue
}
export interface Remote {
  readonly key: string
  readonly baseUrl: string | Readonly<Record<string, string>>
  readonly operations: readonly string[]
  readonly auth: { readonly appSystemToken: boolean; readonly appUserToken: boolean }
}
