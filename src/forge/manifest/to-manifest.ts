/** From what the file says to what the platform acts on. Everything was checked before. */

import type { z } from 'zod'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import { uuidOf } from '../uuid-of.ts'
import {
  type CONSUMER,
  type ENTITY,
  type FILTER,
  type FUNCTION,
  type GivenManifest,
  MODULE_SCHEMAS,
  NOT_SIMULATED_MODULES,
  type PRE_UNINSTALL,
  type SCHEDULED_TRIGGER,
  type TRIGGER,
  UI_MODULE_TYPE,
  type WEB_TRIGGER,
} from './schema.ts'
import type {
  ConsumerModule,
  EntityDefinition,
  EventFilter,
  FunctionTarget,
  Manifest,
  ManifestProblem,
  Permissions,
  TriggerModule,
  UiModule,
  WebTriggerModule,
} from './types.ts'

export function toManifest(given: GivenManifest, warnings: readonly ManifestProblem[], place: string): Manifest {
  const { app } = given
  const appId = appIdOf(app.id ?? '', place)
  const list = <T>(type: string): readonly T[] => (given.modules?.[type] ?? []) as unknown as readonly T[]
  return {
    appAri: `ari:cloud:ecosystem::app/${appId}`,
    appId,
    name: app.name,
    runtime: { name: app.runtime?.name ?? 'sandbox', memoryMb: app.runtime?.memoryMB },
    package: {
      isPrebuilt: app.package?.bundler?.startsWith('manual') ?? false,
      path: app.package?.path,
      extraFiles: app.package?.extraFiles ?? [],
    },
    functions: list<z.infer<typeof FUNCTION>>('function').map(({ key, handler, timeoutSeconds, runtime }) => ({
      key,
      handler,
      timeoutSeconds,
      memoryMb: runtime?.memoryMB,
    })),
    webTriggers: list<z.infer<typeof WEB_TRIGGER>>('webtrigger').map(toWebTrigger),
    scheduledTriggers: list<z.infer<typeof SCHEDULED_TRIGGER>>('scheduledTrigger').map(module => ({
      key: module.key,
      target: targetOf(module),
      interval: module.interval,
    })),
    triggers: list<z.infer<typeof TRIGGER>>('trigger').map(toTrigger),
    consumers: list<z.infer<typeof CONSUMER>>('consumer').map(toConsumer),
    preUninstalls: list<z.infer<typeof PRE_UNINSTALL>>('preUninstall').map(module => ({
      key: module.key,
      target: targetOf(module),
    })),
    uiModules: uiModulesOf(given),
    entities: (app.storage?.entities ?? []).map(toEntity),
    permissions: toPermissions(given),
    remotes: (given.remotes ?? []).map(({ key, baseUrl, operations = [], auth }) => ({
      key,
      baseUrl,
      operations,
      auth: {
        appSystemToken: auth?.appSystemToken?.enabled ?? false,
        appUserToken: auth?.appUserToken?.enabled ?? false,
      },
    })),
    notSimulated: Object.entries(given.modules ?? {}).flatMap(([type, modules]) =>
      Object.hasOwn(MODULE_SCHEMAS, type) || isUiModule(type)
        ? []
        : (modules ?? []).map(({ key }) => ({ type, key: typeof key === 'string' ? key : undefined })),
    ),
    translations: given.translations
      ? {
          resources: given.translations.resources.map(({ key, path }) => ({ key, path })),
          fallback: given.translations.fallback ?? {},
        }
      : undefined,
    connectKey: app.connect?.key,
    warnings,
  }
}

const APP_UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export const hasAppUuid = (id: string): boolean => APP_UUID.test(id.toLowerCase())

/** Samples come with a placeholder, or with nothing, for their developer to fill in: a UUID stands for it that is always the same. */
function appIdOf(id: string, place: string): string {
  const text = id.slice(id.indexOf('/') + 1).toLowerCase()
  return APP_UUID.exec(text)?.[0] ?? uuidOf(`partywall app ${text} ${place}`)
}

/** Types whose parts were checked to name one of the two. */
const targetOf = (module: {
  readonly function?: string | undefined
  readonly endpoint?: string | undefined
}): FunctionTarget =>
  module.function === undefined ? { endpointKey: module.endpoint ?? '' } : { functionKey: module.function }

function toWebTrigger(module: z.infer<typeof WEB_TRIGGER>): WebTriggerModule {
  const { response } = module
  const outputs = (response?.outputs ?? []).map(({ key, statusCode, contentType, body }) => ({
    key,
    statusCode,
    contentType,
    body,
  }))
  return {
    key: module.key,
    isSigned: module.request?.authentication === 'hmacSharedSecret',
    target: targetOf(module),
    response: response?.type === 'static' ? { type: 'static', outputs } : { type: 'dynamic' },
  }
}

const toTrigger = (module: z.infer<typeof TRIGGER>): TriggerModule => ({
  key: module.key,
  target: targetOf(module),
  events: module.events.map(event =>
    typeof event === 'string'
      ? { eventType: event, filter: undefined }
      : { eventType: event.eventType, filter: toFilter(event.filter) },
  ),
  filter: toFilter(module.filter),
})

const toFilter = (filter: z.infer<typeof FILTER> | undefined): EventFilter | undefined =>
  filter && {
    ignoreSelf: filter.ignoreSelf ?? false,
    appIsLicensed: filter.appIsLicensed,
    expression: filter.expression,
    onError: filter.onError,
  }

const toConsumer = ({ key, queue, resolver, ...module }: z.infer<typeof CONSUMER>): ConsumerModule => ({
  key,
  queue,
  target: resolver === undefined ? targetOf(module) : { functionKey: resolver.function, method: resolver.method },
})

const isUiModule = (type: string): boolean => UI_MODULE_TYPE.test(type) && !NOT_SIMULATED_MODULES.has(type)

function uiModulesOf(given: GivenManifest): UiModule[] {
  return Object.entries(given.modules ?? {}).flatMap(([type, list]) => {
    if (!isUiModule(type)) return []
    return (list ?? []).map((module, index): UiModule => {
      const { key, title, resolver } = module as {
        key?: unknown
        title?: unknown
        resolver?: Parameters<typeof targetOf>[0]
      }
      return {
        type,
        key: typeof key === 'string' ? key : `${type}-${index + 1}`,
        title: typeof title === 'string' ? title : undefined,
        resolver: resolver && targetOf(resolver),
        given: module as JsonObject,
      }
    })
  })
}

/** An index that is one attribute's name is a range over that attribute. */
const toEntity = ({ name, attributes, indexes = [] }: z.infer<typeof ENTITY>): EntityDefinition => ({
  name,
  attributes: Object.fromEntries(Object.entries(attributes).map(([attribute, { type }]) => [attribute, type])),
  indexes: indexes.map(index =>
    typeof index === 'string'
      ? { name: index, partition: [], range: [index] }
      : { name: index.name, partition: index.partition ?? [], range: [index.range[0] ?? ''] },
  ),
})

function toPermissions({ permissions, remotes }: GivenManifest): Permissions {
  const scopes = permissions?.scopes ?? []
  const named: readonly [string, unknown][] = Array.isArray(scopes)
    ? scopes.map((scope): [string, unknown] => [scope, {}])
    : Object.entries(scopes)
  const external = permissions?.external ?? {}
  const egress = (external.fetch?.backend ?? []).flatMap(entry => {
    if (typeof entry === 'string') return [entry]
    if ('address' in entry) return [String(entry.address)]
    const remote = (remotes ?? []).find(({ key }) => key === entry.remote)
    return remote === undefined
      ? []
      : typeof remote.baseUrl === 'string'
        ? [remote.baseUrl]
        : Object.values(remote.baseUrl)
  })
  return {
    scopes: named.map(([scope]) => scope),
    impersonation: named.flatMap(([scope, options]) => (mayImpersonate(options) ? [scope] : [])),
    egress,
    external: external as JsonValue,
  }
}

const mayImpersonate = (options: unknown): boolean =>
  typeof options === 'object' &&
  options !== null &&
  'allowImpersonation' in options &&
  options.allowImpersonation === true
