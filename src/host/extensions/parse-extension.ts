/** Reads one extension, from a descriptor or from REST. */

import { optional, readChoice, readNumber, readObject, readText, readWebUrl } from '../fields.ts'
import { checkConditions } from './conditions.ts'
import { readDialogOptions } from './dialog-options.ts'
import type { Extension, ExtensionKind, Target } from './extension.ts'
import { readIcon, readKey, readName } from './parts.ts'

type Fields = Readonly<Record<string, unknown>>

/** @throws FieldError */
export function parseExtension(kind: ExtensionKind, value: unknown, name: string = kind): Extension {
  const fields = readObject(value, name)
  const label = kind === 'dialog' ? 'title' : 'name'
  const common = {
    key: readKey(fields.key, `${name}.key`),
    name: readName(fields[label], `${name}.${label}`),
    weight: optional(fields.weight, one => readNumber(one, `${name}.weight`, -1_000_000, 1_000_000)) ?? 100,
    document: fields,
  }
  switch (kind) {
    case 'glance':
      return { kind, ...common, ...readGlance(fields, name) }
    case 'action':
      return { kind, ...common, ...readAction(fields, name) }
    default:
      return { kind, ...common, ...readView(kind, fields, name) }
  }
}

function readGlance(fields: Fields, name: string) {
  readIcon(fields.icon, `${name}.icon`)
  checkConditions('glance', fields.conditions, `${name}.conditions`)
  return {
    queryUrl: optional(fields.queryUrl, one => readWebUrl(one, `${name}.queryUrl`)),
    target: optional(fields.target, one => readTarget(one, `${name}.target`)),
  }
}

function readAction(fields: Fields, name: string) {
  checkConditions('action', fields.conditions, `${name}.conditions`)
  const locations = ['hipchat.message.action', 'hipchat.input.action'] as const
  return {
    location: readChoice(fields.location, `${name}.location`, locations),
    target: readTarget(fields.target, `${name}.target`),
  }
}

function readView(kind: 'webPanel' | 'dialog' | 'externalPage', fields: Fields, name: string) {
  if (kind === 'webPanel') {
    readChoice(fields.location, `${name}.location`, ['hipchat.sidebar.right'])
    optional(fields.icon, one => readIcon(one, `${name}.icon`))
  }
  const options =
    kind === 'dialog' ? optional(fields.options, one => readDialogOptions(one, `${name}.options`)) : undefined
  return { url: readWebUrl(fields.url, `${name}.url`), options }
}

/** A key, or one with options for what it opens. */
function readTarget(value: unknown, name: string): Target {
  if (typeof value === 'string') return { key: readText(value, name, 255), options: undefined }
  const fields = readObject(value, name)
  return {
    key: readText(fields.key, `${name}.key`, 255),
    options: optional(fields.options, one => readObject(one, `${name}.options`)),
  }
}
