/** The body of a room notification: what the API accepts, and what a webhook may answer with. */

import { FieldError, optional, readChoice, readFlag, readObject, readText } from '../fields.ts'
import type { HistoryItem } from '../model.ts'
import { readCard } from './card.ts'
import { foreignTag } from './markup.ts'

const COLORS = ['yellow', 'green', 'red', 'purple', 'gray', 'random'] as const

export type Notification = Pick<
  HistoryItem,
  'message' | 'message_format' | 'color' | 'notify' | 'card' | 'attach_to'
> & {
  /** `undefined`: the add-on's label. */
  readonly from: string | undefined
}
export type ParsedNotification =
  | { readonly ok: true; readonly notification: Notification }
  | { readonly ok: false; readonly reason: string }

export function parseNotification(value: unknown): ParsedNotification {
  try {
    return { ok: true, notification: read(value) }
  } catch (error) {
    if (error instanceof FieldError) return { ok: false, reason: error.message }
    throw error
  }
}

function read(value: unknown): Notification {
  const body = readObject(value, 'the body')
  const attachTo = optional(body.attach_to, one => readText(one, 'attach_to', 100))
  const format = readChoice(body.message_format, 'message_format', ['html', 'text'], 'html')
  return {
    message: readMessage(body.message, format),
    message_format: format,
    color: readChoice(body.color, 'color', COLORS, 'yellow'),
    notify: readFlag(body.notify, 'notify', false),
    from: optional(body.from, one => readText(one, 'from', 64)),
    ...(attachTo === undefined ? {} : { attach_to: attachTo }),
    ...(body.card === undefined ? {} : { card: readCard(body.card) }),
  }
}

function readMessage(value: unknown, format: 'html' | 'text'): string {
  const message = readText(value, 'message', 10_000)
  const tag = format === 'html' ? foreignTag(message) : undefined
  if (tag !== undefined) throw new FieldError(`message has the tag <${tag}>, which rooms do not show`)
  return message
}
