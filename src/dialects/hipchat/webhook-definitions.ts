/**
 * Which webhooks an add-on has: the static ones of its descriptor, with their handlers, and the listeners per event.
 *
 * Names are made of the content, so that they stay the same over restarts and change with any field.
 */

import { createHash } from 'node:crypto'
import type { HipchatWebhookContext } from './handler-context.ts'
import type { Pattern } from './pattern.ts'
import { compilePattern } from './pattern.ts'
import { isWebhookEvent, type WebhookEvent } from './webhook-event.ts'

/** Runs bound to the tenant of the delivery. With `reply`, what it returns is posted to the room. */
export type WebhookHandler = (context: HipchatWebhookContext) => unknown

export interface WebhookOptions {
  /** Label of the definition, 1 to 40 characters; left out: made of its content. */
  readonly name?: string
  /** Answer with the handler's result within 2 s: a text or `{ message, color, format, notify, card }`. */
  readonly reply?: boolean
}

export interface WebhookDefinition {
  readonly name: string
  readonly event: WebhookEvent
  readonly pattern: Pattern | undefined
  readonly reply: boolean
  readonly handlers: readonly WebhookHandler[]
}

export interface WebhookDefinitions {
  add(event: string, pattern: RegExp | undefined, handler: WebhookHandler, options: WebhookOptions): void
  listen(event: string, handler: WebhookHandler): void
  all(): readonly WebhookDefinition[]
  get(name: string): WebhookDefinition | undefined
  of(event: WebhookEvent): readonly WebhookDefinition[]
  listeners(event: WebhookEvent): readonly WebhookHandler[]
}

export function createWebhookDefinitions(): WebhookDefinitions {
  const definitions = new Map<string, WebhookDefinition>()
  const listeners = new Map<WebhookEvent, WebhookHandler[]>()
  return {
    add(event, expression, handler, options) {
      const known = checkEvent(event)
      if (expression !== undefined && known !== 'room_message') throw new TypeError(`${event} takes no pattern`)
      checkHandler(handler)
      const pattern = expression && compilePattern(expression)
      const name = checkName(options.name ?? contentName(known, pattern?.hostPattern))
      const earlier = definitions.get(name)
      if (earlier && (earlier.event !== known || earlier.pattern?.hostPattern !== pattern?.hostPattern)) {
        throw new TypeError(`another webhook has the name ${name}`)
      }
      // The same event and pattern twice is one registration at the host with two handlers, not two deliveries.
      const handlers = [...(earlier?.handlers ?? []), handler]
      const reply = (earlier?.reply ?? false) || (options.reply ?? false)
      definitions.set(name, { name, event: known, pattern, reply, handlers })
    },
    listen(event, handler) {
      const known = checkEvent(event)
      checkHandler(handler)
      listeners.set(known, [...(listeners.get(known) ?? []), handler])
    },
    all: () => [...definitions.values()],
    get: name => definitions.get(name),
    of: event => [...definitions.values()].filter(definition => definition.event === event),
    listeners: event => listeners.get(event) ?? [],
  }
}

/** Name of a webhook by its content: 40 hexadecimal characters. */
export function contentName(event: string, ...parts: readonly (string | undefined)[]): string {
  return createHash('sha256')
    .update(JSON.stringify([event, ...parts.map(part => part ?? null)]))
    .digest('hex')
    .slice(0, 40)
}

function checkEvent(event: string): WebhookEvent {
  if (isWebhookEvent(event)) return event
  throw new TypeError(`${event} is no webhook event of HipChat`)
}

function checkHandler(handler: unknown): void {
  if (typeof handler !== 'function') throw new TypeError('a webhook needs a handler function')
}

function checkName(name: string): string {
  if (/^[A-Za-z0-9._~-]{1,40}$/.test(name)) return name
  throw new TypeError('a webhook name has 1 to 40 letters, digits and ._~-')
}
