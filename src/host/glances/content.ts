/** What a glance shows: a label, a status, and data for conditions. Pushed by the add-on, or answered to a query. */

import { readIcon } from '../extensions/parts.ts'
import { FieldError, optional, readChoice, readObject, readText } from '../fields.ts'

const LOZENGES = ['default', 'success', 'error', 'current', 'new', 'complete', 'moved'] as const
export type LozengeType = (typeof LOZENGES)[number]

export interface GlanceContent {
  readonly label: { readonly type: 'html'; readonly value: string }
  readonly status?:
    | { readonly type: 'lozenge'; readonly value: { readonly label: string; readonly type: LozengeType } }
    | { readonly type: 'icon'; readonly value: { readonly url: string; readonly 'url@2x': string } }
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** @throws FieldError */
export function parseGlanceContent(value: unknown, name: string): GlanceContent {
  const content = readObject(value, name)
  const label = readObject(content.label, `${name}.label`)
  readChoice(label.type, `${name}.label.type`, ['html'])
  const status = optional(content.status, one => readStatus(one, `${name}.status`))
  const metadata = optional(content.metadata, one => readObject(one, `${name}.metadata`))
  return {
    label: { type: 'html', value: readText(label.value, `${name}.label.value`) },
    ...(status === undefined ? {} : { status }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

function readStatus(value: unknown, name: string): GlanceContent['status'] {
  const status = readObject(value, name)
  const inner = readObject(status.value, `${name}.value`)
  switch (status.type) {
    case 'lozenge': {
      const label = readText(inner.label, `${name}.value.label`, 100)
      return {
        type: 'lozenge',
        value: { label, type: readChoice(inner.type, `${name}.value.type`, LOZENGES, 'default') },
      }
    }
    case 'icon':
      return { type: 'icon', value: readIcon(inner, `${name}.value`) }
    default:
      throw new FieldError(`${name}.type is neither lozenge nor icon`)
  }
}
