/** The body of a room notification: what the API accepts, and what a webhook may answer with. */

import { FieldError, optional, readChoice, readFlag, readObject, readText } from '../fields.ts'
import type { notify } from './actions.ts'

const COLORS = ['yellow', 'green', 'red', 'purple', 'gray', 'random'] as const
const CARD_STYLES = ['file', 'image', 'application', 'link', 'media'] as const

type Notification = Parameters<typeof notify>[3]
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
  const attachTo = optional(body.attach_to, one => readText(one, 'attach_to'))
  return {
    message: readText(body.message, 'message', 10_000),
    message_format: readChoice(body.message_format, 'message_format', ['html', 'text'], 'html'),
    color: readChoice(body.color, 'color', COLORS, 'yellow'),
    notify: readFlag(body.notify, 'notify', false),
    from: optional(body.from, one => readText(one, 'from', 64)),
    ...(attachTo === undefined ? {} : { attach_to: attachTo }),
    ...(body.card === undefined ? {} : { card: readCard(body.card) }),
  }
}

function readCard(value: unknown): Readonly<Record<string, unknown>> {
  const card = readObject(value, 'card')
  if (!CARD_STYLES.some(style => style === card.style))
    throw new FieldError(`card.style is none of ${CARD_STYLES.join(', ')}`)
  readText(card.id, 'card.id')
  readText(card.title, 'card.title')
  return card
}
