/** A webhook definition, from a descriptor or from REST. */

import { readKey } from '../extensions/parts.ts'
import { FieldError, optional, readChoice, readObject, readText, readWebUrl } from '../fields.ts'
import { parsePattern } from './pattern.ts'
import { EVENTS, type WebhookSpec } from './webhook.ts'

/** @throws FieldError */
export function parseWebhook(value: unknown, name = 'webhook'): WebhookSpec {
  const fields = readObject(value, name)
  const event = EVENTS.find(one => one === fields.event)
  if (event === undefined) throw new FieldError(`${name}.event is none of ${EVENTS.join(', ')}`)
  const pattern = optional(fields.pattern, one => readText(one, 'pattern'))
  if (pattern !== undefined && event !== 'room_message') throw new FieldError(`${event} takes no pattern`)
  return {
    url: readWebUrl(fields.url, `${name}.url`),
    event,
    authentication: readChoice(fields.authentication, 'authentication', ['jwt', 'none'], 'none'),
    pattern,
    matches: pattern === undefined ? () => true : compile(pattern),
    name: optional(fields.name, one => readText(one, `${name}.name`)),
    key: optional(fields.key, one => readKey(one, `${name}.key`)),
  }
}

function compile(pattern: string): (message: string) => boolean {
  const parsed = parsePattern(pattern)
  if (!parsed.ok) throw new FieldError(`the pattern ${pattern} is not understood: ${parsed.reason}`)
  return parsed.matches
}
