/**
 * The app's descriptor: the JSON a product reads before it installs (protocol s. 1). Built of the options, what an author gave as a
 * file, and what the builder declared; whatever those say, our addresses are ours.
 */

import type { Logger } from '../../core/ports.ts'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import { frozenJson } from '../common/frozen-json.ts'
import { invalidDescriptor } from '../common/settings.ts'
import { type GivenDescriptor, readGivenDescriptor } from './given-descriptor.ts'
import { checkKeys, checkModule, isKnownModule } from './modules.ts'
import type { ConnectAddonOptions, ConnectSettings } from './options.ts'

export interface DescriptorParts {
  readonly settings: ConnectSettings
  /** Of a given descriptor, for what no option says. */
  readonly kept: GivenDescriptor['kept']
  readonly modules: Readonly<Record<string, JsonValue>>
  /** Whether moves between realms have a listener. */
  readonly tellsMigration: boolean
  readonly transform: ConnectAddonOptions['descriptorTransformer']
  readonly logger: Pick<Logger, 'warn'>
}

/** Opt-ins that Jira and Confluence enforce by now. */
const MIGRATIONS = { gdpr: true, 'signed-install': true, 'context-qsh': true }

/** @returns deeply frozen JSON @throws PartywallError ERR_DESCRIPTOR_INVALID naming the path */
export function buildDescriptor(parts: DescriptorParts): JsonObject {
  const { settings, kept, modules, transform = same => same, logger } = parts
  const built = frozenJson({
    name: settings.name,
    description: settings.description,
    vendor: settings.vendor,
    scopes: settings.scopes.length === 0 ? ['NONE'] : settings.scopes,
    apiVersion: settings.apiVersion,
    enableLicensing: settings.enableLicensing,
    regionBaseUrls: Object.keys(settings.regionBaseUrls).length === 0 ? undefined : settings.regionBaseUrls,
    ...(settings.family === 'bitbucket' ? {} : { apiMigrations: MIGRATIONS }),
    ...kept,
    modules,
  })
  const descriptor = withOurs(transform(built), parts)
  checkDescriptor(descriptor, settings, logger)
  return descriptor
}

function withOurs(descriptor: JsonObject, { settings, tellsMigration }: DescriptorParts): JsonObject {
  const { routes, baseUrl, homepage } = settings
  const below = (path: string) => path.slice(settings.prefix.length)
  const links = typeof descriptor.links === 'object' && descriptor.links !== null ? descriptor.links : {}
  return frozenJson({
    ...descriptor,
    key: settings.key,
    baseUrl,
    authentication: { type: 'jwt' },
    lifecycle: {
      installed: below(routes.installed),
      uninstalled: below(routes.uninstalled),
      enabled: below(routes.enabled),
      disabled: below(routes.disabled),
      'dare-migration': tellsMigration ? below(routes.migration) : undefined,
    },
    links: { homepage, ...links, self: baseUrl + below(routes.descriptor) },
  })
}

function checkDescriptor(descriptor: JsonObject, { family }: ConnectSettings, logger: Pick<Logger, 'warn'>): void {
  const { modules } = readGivenDescriptor(descriptor, logger)
  if (family === 'bitbucket' && descriptor.apiMigrations !== undefined) {
    throw invalidDescriptor('descriptor.apiMigrations: Bitbucket takes none')
  }
  for (const [kind, value] of Object.entries(modules)) {
    if (!isKnownModule(kind)) logger.warn('descriptor-module-unknown', { kind })
    if (!Array.isArray(value)) checkModule(kind, value)
    else for (const [index, module] of value.entries()) checkModule(`${kind}[${index}]`, module)
  }
  checkKeys(modules)
}
