/** The optional capabilities of a descriptor. Lists may be written as one entry without its brackets. */

import { EXTENSION_KINDS, type Extension } from '../extensions/extension.ts'
import { parseExtension } from '../extensions/parse-extension.ts'
import { FieldError, optional, readFlag, readList, readObject, readText, readWebUrl } from '../fields.ts'
import { parseWebhook } from '../webhooks/parse-webhook.ts'
import type { WebhookSpec } from '../webhooks/webhook.ts'
import type { Descriptor } from './descriptor.ts'

type Fields = Readonly<Record<string, unknown>>

/** @throws FieldError */
export function readCapabilities(
  capabilities: Fields,
): Pick<Descriptor, 'webhooks' | 'extensions' | 'configurableUrl' | 'adminPageUrl' | 'redirectionUrls'> {
  entries(capabilities, 'command', checkCommand)
  return {
    webhooks: readWebhooks(capabilities),
    extensions: readExtensions(capabilities),
    configurableUrl: optional(capabilities.configurable, readConfigurable),
    adminPageUrl: optional(capabilities.adminPage, one =>
      readWebUrl(readObject(one, 'adminPage').url, 'adminPage.url'),
    ),
    redirectionUrls:
      optional(capabilities.oauth2Consumer, one =>
        readList(readObject(one, 'oauth2Consumer').redirectionUrls, 'redirectionUrls', readWebUrl),
      ) ?? [],
  }
}

function readWebhooks(capabilities: Fields): readonly WebhookSpec[] {
  const webhooks = entries(capabilities, 'webhook', parseWebhook)
  ensureDistinct(
    webhooks.flatMap(one => one.key ?? []),
    'webhooks',
  )
  return webhooks
}

function readExtensions(capabilities: Fields): readonly Extension[] {
  return EXTENSION_KINDS.flatMap(kind => {
    const found = entries(capabilities, kind, (entry, name) => parseExtension(kind, entry, name))
    ensureDistinct(
      found.map(one => one.key),
      `entries of ${kind}`,
    )
    return found
  })
}

function readConfigurable(value: unknown): string {
  const configurable = readObject(value, 'configurable')
  readFlag(configurable.allowAccessToRoomAdmins, 'configurable.allowAccessToRoomAdmins', false)
  return readWebUrl(configurable.url, 'configurable.url')
}

function checkCommand(entry: unknown, name: string): void {
  const command = readObject(entry, name)
  readText(command.description, `${name}.description`)
  optional(command.usage, one => readText(one, `${name}.usage`))
  checkSlash(command.name, `${name}.name`)
  optional(command.aliases, one => readList(one, `${name}.aliases`, checkSlash))
}

function checkSlash(value: unknown, name: string): void {
  if (!/^\/[a-z_-]+$/.test(readText(value, name, 255))) throw new FieldError(`${name} is not like /word`)
}

function entries<T>(capabilities: Fields, kind: string, read: (entry: unknown, name: string) => T): readonly T[] {
  const value = capabilities[kind]
  if (value === undefined) return []
  return Array.isArray(value) ? readList(value, kind, read) : [read(value, kind)]
}

function ensureDistinct(keys: readonly string[], what: string): void {
  if (new Set(keys).size !== keys.length) throw new FieldError(`two ${what} have the same key`)
}
