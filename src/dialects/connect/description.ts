/** Everything an app says about itself, from its options, a given descriptor and its builder; and the descriptor made of it. */

import type { DialectDeps } from '../../core/dialect.ts'
import type { JsonObject } from '../../core/tenant.ts'
import { buildDescriptor } from './descriptor.ts'
import { fillTemplates, readGivenDescriptor } from './given-descriptor.ts'
import { type DeclaredModule, joinModules } from './module-builder.ts'
import { type ConnectAddonOptions, type ConnectSettings, readConnectOptions } from './options.ts'
import { createWebhookDefinitions, MIGRATION_EVENT, type WebhookDefinitions } from './webhook-definitions.ts'

export interface Description {
  readonly settings: ConnectSettings
  readonly webhooks: WebhookDefinitions
  /** @throws PartywallError ERR_DESCRIPTOR_INVALID */
  declare(module: DeclaredModule): void
  /** Deeply frozen JSON; made again after a change. */
  descriptor(): JsonObject
  /** What was declared has changed. @throws PartywallError ERR_DESCRIPTOR_INVALID */
  changed(): void
}

/** @throws PartywallError ERR_DESCRIPTOR_INVALID, ERR_CONFIG */
export function createDescription(
  options: ConnectAddonOptions,
  ports: Pick<DialectDeps, 'app' | 'logger'>,
): Description {
  const { app } = ports
  const logger = tellOnce(ports.logger)
  const given = readGivenDescriptor(filled(options, ports), logger)
  const settings = readConnectOptions({ ...given.options, ...said(options) }, app)
  const webhooks = createWebhookDefinitions(given.modules.webhooks, pathsOf(settings))
  const modules: DeclaredModule[] = []
  let made: JsonObject | undefined
  const build = () =>
    buildDescriptor({
      settings,
      kept: given.kept,
      modules: { ...joinModules(given.modules, modules), ...webhookModules(webhooks) },
      tellsMigration: webhooks.all().some(({ event }) => event === MIGRATION_EVENT),
      transform: options.descriptorTransformer,
      logger,
    })
  build()
  return {
    settings,
    webhooks,
    declare: module => void modules.push(module),
    descriptor: () => {
      made ??= build()
      return made
    },
    changed() {
      made = build()
    },
  }
}

/** The descriptor is made again after every builder call; what is odd about it is said once. */
function tellOnce(logger: DialectDeps['logger']): Pick<DialectDeps['logger'], 'warn'> {
  const told = new Set<string>()
  return {
    warn(event, fields) {
      const line = JSON.stringify([event, fields])
      if (!told.has(line)) logger.warn(event, fields)
      told.add(line)
    },
  }
}

const pathsOf = ({ routes, prefix }: ConnectSettings) => ({
  webhook: routes.webhook.slice(prefix.length),
  migration: routes.migration.slice(prefix.length),
})

function filled(options: ConnectAddonOptions, { app }: Pick<DialectDeps, 'app'>): JsonObject {
  const values = {
    localBaseUrl: app.baseUrl + (options.path ?? ''),
    environment: app.environment,
    appKey: options.key ?? app.key,
    ...options.descriptorValues,
  }
  return fillTemplates(options.descriptor ?? {}, values) as JsonObject
}

/** What an author left out must not hide what the descriptor says. */
const said = (options: ConnectAddonOptions): ConnectAddonOptions =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

function webhookModules(webhooks: WebhookDefinitions): JsonObject {
  const modules = webhooks.all().flatMap(({ module }) => module ?? [])
  return modules.length === 0 ? {} : { webhooks: modules }
}
