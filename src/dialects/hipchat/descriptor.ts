/**
 * The add-on's descriptor: the JSON a HipChat host reads before it installs (protocol A2).
 *
 * Every webhook asks the host for a signature, and `updateCallbackUrl` is always published, so that a re-install keeps its id.
 */

import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import type { AddonSettings } from './options.ts'
import type { WebhookDefinition } from './webhook-definitions.ts'

/** @returns deeply frozen JSON, fields that were not given left out */
export function buildDescriptor(settings: AddonSettings, webhooks: readonly WebhookDefinition[]): JsonObject {
  const installableUrl = urlOf(settings, settings.routes.installable)
  return freeze({
    key: settings.key,
    name: settings.name,
    description: settings.description,
    ...present('version', settings.version),
    ...present('vendor', settings.vendor),
    apiVersion: '1:1',
    links: { self: urlOf(settings, settings.routes.descriptor), homepage: settings.homepage },
    capabilities: {
      hipchatApiConsumer: {
        scopes: [...settings.scopes],
        ...present('fromName', settings.fromName),
        ...present('avatar', settings.avatar),
      },
      installable: {
        allowGlobal: settings.allowGlobal,
        allowRoom: settings.allowRoom,
        callbackUrl: installableUrl,
        updateCallbackUrl: installableUrl,
        ...(settings.clientSideInstall ? browserUrls(settings) : {}),
      },
      ...present('webhook', webhooks.length === 0 ? undefined : webhooks.map(webhook => describe(settings, webhook))),
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

const describe = (settings: AddonSettings, webhook: WebhookDefinition): JsonObject => ({
  url: `${urlOf(settings, settings.routes.webhook)}?name=${encodeURIComponent(webhook.name)}`,
  event: webhook.event,
  ...present('pattern', webhook.pattern?.hostPattern),
  name: webhook.name,
  authentication: 'jwt',
})

const present = (name: string, value: JsonValue | undefined): JsonObject =>
  value === undefined ? {} : { [name]: value }

function freeze<T extends JsonValue>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) freeze(part)
    Object.freeze(value)
  }
  return value
}
