/** An add-on's descriptor, checked as the host checks it before it offers the install. */

import type { Extension } from '../extensions/extension.ts'
import { FieldError, optional, readFlag, readList, readObject, readText, readWebUrl } from '../fields.ts'
import type { WebhookSpec } from '../webhooks/webhook.ts'
import { readCapabilities } from './capabilities.ts'
import { isScope, type Scope } from './scopes.ts'

export interface Descriptor {
  readonly key: string
  readonly name: string
  /** Sender label of notifications. */
  readonly label: string
  readonly self: string
  readonly scopes: readonly Scope[]
  readonly allowGlobal: boolean
  readonly allowRoom: boolean
  readonly callbackUrl: string | undefined
  readonly updateCallbackUrl: string | undefined
  readonly installedUrl: string | undefined
  /** Default: `installedUrl`. */
  readonly updatedUrl: string | undefined
  readonly uninstalledUrl: string | undefined
  readonly webhooks: readonly WebhookSpec[]
  readonly extensions: readonly Extension[]
  readonly configurableUrl: string | undefined
  readonly adminPageUrl: string | undefined
  /** Where authorization codes may be sent. */
  readonly redirectionUrls: readonly string[]
  /** The document as it came. */
  readonly document: Readonly<Record<string, unknown>>
}

/** @throws FieldError naming what is missing or wrong; what this host does not know is passed over */
export function readDescriptor(value: unknown): Descriptor {
  const document = readObject(value, 'the descriptor')
  const name = readText(document.name, 'name')
  readText(document.description, 'description')
  const key = readText(document.key, 'key', 255)
  const self = readWebUrl(readObject(document.links, 'links').self, 'links.self')
  checkOptional(document)
  const capabilities = readObject(document.capabilities, 'capabilities')
  const consumer = readConsumer(capabilities.hipchatApiConsumer)
  return {
    key,
    name,
    self,
    label: consumer.fromName ?? name,
    scopes: consumer.scopes,
    ...readInstallable(capabilities.installable),
    ...readCapabilities(capabilities),
    document,
  }
}

function checkOptional(document: Readonly<Record<string, unknown>>): void {
  optional(document.version, one => readText(one, 'version', 255))
  optional(document.apiVersion, one => readText(one, 'apiVersion', 255))
  optional(readObject(document.links, 'links').homepage, one => readWebUrl(one, 'links.homepage'))
  optional(document.vendor, one => {
    const vendor = readObject(one, 'vendor')
    for (const field of ['name', 'url']) optional(vendor[field], text => readText(text, `vendor.${field}`))
  })
}

function readConsumer(value: unknown): { readonly scopes: readonly Scope[]; readonly fromName: string | undefined } {
  const consumer = readObject(value, 'capabilities.hipchatApiConsumer')
  const scopes = readList(consumer.scopes, 'scopes', readScope)
  if (scopes.length === 0) throw new FieldError('scopes has no entries')
  optional(consumer.avatar, one => readWebUrl(readObject(one, 'avatar').url, 'avatar.url'))
  return { scopes, fromName: optional(consumer.fromName, one => readText(one, 'fromName')) }
}

function readScope(value: unknown): Scope {
  if (typeof value === 'string' && isScope(value)) return value
  throw new FieldError(`this host has no scope ${String(value)}`)
}

function readInstallable(value: unknown) {
  const installable = readObject(value, 'capabilities.installable')
  const url = (name: string) => optional(installable[name], one => readWebUrl(one, name))
  const callbackUrl = url('callbackUrl')
  const installedUrl = url('installedUrl')
  if (callbackUrl === undefined && installedUrl === undefined) {
    throw new FieldError('installable names neither callbackUrl nor installedUrl')
  }
  return {
    allowGlobal: readFlag(installable.allowGlobal, 'allowGlobal', true),
    allowRoom: readFlag(installable.allowRoom, 'allowRoom', true),
    callbackUrl,
    updateCallbackUrl: url('updateCallbackUrl'),
    installedUrl,
    updatedUrl: url('updatedUrl') ?? installedUrl,
    uninstalledUrl: url('uninstalledUrl'),
  }
}
