/**
 * The add-on's descriptor: the JSON a HipChat host reads before it installs (protocol A2).
 *
 * Every webhook asks the host for a signature, and `updateCallbackUrl` is always published, so that a re-install keeps its id.
 */

import type { JsonObject } from '../../core/tenant.ts'
import { frozenJson } from '../common/frozen-json.ts'
import type { GivenDescriptor } from './builder/given-descriptor.ts'
import type { AddonSettings } from './options.ts'
import type { WebhookDefinition } from './webhook-definitions.ts'

export interface DescriptorParts {
  readonly settings: AddonSettings
  readonly webhooks: readonly WebhookDefinition[]
  /** Capabilities the builder and a given descriptor declared, by name. */
  readonly declared: Readonly<Record<string, unknown>>
  /** What of a given descriptor means nothing to us. */
  readonly kept: GivenDescriptor['kept']
}

/** @returns deeply frozen JSON, fields that were not given left out */
export function buildDescriptor({ settings, webhooks, declared, kept }: DescriptorParts): JsonObject {
  const installableUrl = urlOf(settings, settings.routes.installable)
  return frozenJson({
    key: settings.key,
    name: settings.name,
    description: settings.description,
    version: settings.version,
    vendor: settings.vendor,
    apiVersion: '1:1',
    ...kept.top,
    links: { self: urlOf(settings, settings.routes.descriptor), homepage: settings.homepage, ...kept.links },
    capabilities: {
      hipchatApiConsumer: { scopes: settings.scopes, fromName: settings.fromName, avatar: settings.avatar },
      installable: {
        allowGlobal: settings.allowGlobal,
        allowRoom: settings.allowRoom,
        callbackUrl: installableUrl,
        updateCallbackUrl: installableUrl,
        ...(settings.clientSideInstall ? browserUrls(settings) : {}),
      },
      webhook: webhooks.length === 0 ? undefined : webhooks.map(webhook => describe(settings, webhook)),
      ...declared,
      ...kept.capabilities,
    },
  })
}

const browserUrls = (settings: AddonSettings): JsonObject => ({
  installedUrl: urlOf(settings, settings.routes.installed),
  updatedUrl: urlOf(settings, settings.routes.updated),
  uninstalledUrl: urlOf(settings, settings.routes.uninstalled),
})

/** Public address of one of our paths (which have the prefix already). */
export const urlOf = (settings: AddonSettings, path: string): string =>
  settings.baseUrl.slice(0, settings.baseUrl.length - settings.prefix.length) + path

const describe = (settings: AddonSettings, webhook: WebhookDefinition) => ({
  url: webhook.url ?? `${urlOf(settings, settings.routes.webhook)}?name=${encodeURIComponent(webhook.name)}`,
  event: webhook.event,
  pattern: webhook.pattern?.hostPattern,
  name: webhook.name,
  key: webhook.key,
  authentication: 'jwt',
})
