/** Reads an add-on's descriptor as the host does before it offers the install: fetches it, checks it, refuses with a reason. */

import { AddonCallError, type AddonClient } from '../addon-client.ts'
import { FieldError, optional, readFlag, readObject, readText, readWebUrl } from '../fields.ts'
import { parseWebhook } from '../webhooks/parse-webhook.ts'
import type { WebhookSpec } from '../webhooks/webhook.ts'
import { isScope, type Scope } from './scopes.ts'

const MAX_DESCRIPTOR_BYTES = 1024 * 1024

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
  readonly updatedUrl: string | undefined
  readonly uninstalledUrl: string | undefined
  readonly webhooks: readonly WebhookSpec[]
  /** The document as it came. */
  readonly document: Readonly<Record<string, unknown>>
}

/** The add-on cannot be offered for installation; nothing was created and the add-on was told nothing. */
export class DescriptorError extends Error {
  readonly reason: 'unreachable' | 'invalid'
  constructor(reason: 'unreachable' | 'invalid', message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'DescriptorError'
    this.reason = reason
  }
}

/**
 * @param source URL (`http`, `https`, `data`) or the document itself
 * @throws DescriptorError
 */
export async function loadDescriptor(
  addons: AddonClient,
  source: string | object,
  timeoutMs: number,
): Promise<Descriptor> {
  const document = typeof source === 'string' ? await fetchDocument(addons, source, timeoutMs) : source
  const descriptor = parse(document)
  if (typeof source === 'string' && /^https?:/i.test(source) && descriptor.self !== source) {
    throw new DescriptorError('invalid', `links.self is ${descriptor.self}, but it was fetched from ${source}`)
  }
  return descriptor
}

async function fetchDocument(addons: AddonClient, url: string, timeoutMs: number): Promise<unknown> {
  const text = url.startsWith('data:') ? readDataUrl(url) : await fetchText(addons, url, timeoutMs)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new DescriptorError('invalid', 'the descriptor is not JSON', error)
  }
}

async function fetchText(addons: AddonClient, url: string, timeoutMs: number): Promise<string> {
  if (!URL.canParse(url)) throw new DescriptorError('invalid', `not a URL: ${url}`)
  try {
    const headers = { accept: 'application/json' }
    const answer = await addons.call({ method: 'GET', url, headers, timeoutMs, maxBytes: MAX_DESCRIPTOR_BYTES })
    if (answer.status !== 200) throw new DescriptorError('unreachable', `the descriptor answers ${answer.status}`)
    return answer.body
  } catch (error) {
    if (error instanceof AddonCallError) throw new DescriptorError('unreachable', error.message, error)
    throw error
  }
}

function readDataUrl(url: string): string {
  const match = /^data:application\/json(?:;charset=utf-8)?(;base64)?,(.*)$/is.exec(url)
  if (match === null) throw new DescriptorError('invalid', 'the data: URI is not of type application/json')
  return match[1] === undefined ? decodeURIComponent(match[2] ?? '') : Buffer.from(match[2] ?? '', 'base64').toString()
}

function parse(value: unknown): Descriptor {
  try {
    return readDescriptor(value)
  } catch (error) {
    if (error instanceof FieldError) throw new DescriptorError('invalid', error.message, error)
    throw error
  }
}

function readDescriptor(value: unknown): Descriptor {
  const document = readObject(value, 'the descriptor')
  const capabilities = readObject(document.capabilities, 'capabilities')
  const consumer = readObject(capabilities.hipchatApiConsumer, 'capabilities.hipchatApiConsumer')
  const installable = readObject(capabilities.installable, 'capabilities.installable')
  const url = (name: string) => optional(installable[name], one => readWebUrl(one, name))
  const name = readText(document.name, 'name')
  readText(document.description, 'description')
  const descriptor: Descriptor = {
    key: readText(document.key, 'key'),
    name,
    label: optional(consumer.fromName, one => readText(one, 'fromName')) ?? name,
    self: readWebUrl(readObject(document.links, 'links').self, 'links.self'),
    scopes: readScopes(consumer.scopes),
    allowGlobal: readFlag(installable.allowGlobal, 'allowGlobal', true),
    allowRoom: readFlag(installable.allowRoom, 'allowRoom', true),
    callbackUrl: url('callbackUrl'),
    updateCallbackUrl: url('updateCallbackUrl'),
    installedUrl: url('installedUrl'),
    updatedUrl: url('updatedUrl') ?? url('installedUrl'),
    uninstalledUrl: url('uninstalledUrl'),
    webhooks: readWebhooks(capabilities.webhook),
    document,
  }
  if (descriptor.callbackUrl === undefined && descriptor.installedUrl === undefined) {
    throw new FieldError('installable names neither callbackUrl nor installedUrl')
  }
  return descriptor
}

function readWebhooks(value: unknown): WebhookSpec[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw new FieldError('capabilities.webhook is not a list')
  const specs = value.map((one: unknown) => parseWebhook(one))
  const keys = specs.flatMap(spec => spec.key ?? [])
  if (new Set(keys).size !== keys.length) throw new FieldError('two webhooks have the same key')
  return specs
}

function readScopes(value: unknown): Scope[] {
  if (!Array.isArray(value) || value.length === 0) throw new FieldError('scopes is not a list with entries')
  return value.map((scope: unknown) => {
    if (typeof scope === 'string' && isScope(scope)) return scope
    throw new FieldError(`this host has no scope ${String(scope)}`)
  })
}
