/**
 * Which webhooks an add-on has: the static ones of its descriptor, with their handlers, and the listeners per event.
 *
 * Names are made of the content, so that they stay the same over restarts and change with any field.
 */

import { createHash } from 'node:crypto'
import { invalidAt, parseAt } from '../common/parse.ts'
import { address, keyShape } from './builder/shapes.ts'
import type { HipchatWebhookContext } from './handler-context.ts'
import type { Pattern } from './pattern.ts'
import { compilePattern } from './pattern.ts'
import { isWebhookEvent, WEBHOOK_NAME, type WebhookEvent } from './webhook-event.ts'

/** Runs bound to the tenant of the delivery. With `reply`, what it returns is posted to the room. */
export type WebhookHandler = (context: HipchatWebhookContext) => unknown

export interface WebhookOptions {
  /** Label of the definition, 1 to 40 characters; left out: made of its content. */
  readonly name?: string | undefined
  /** The host's key of the definition, 1 to 40 characters, unique among webhooks. */
  readonly key?: string | undefined
  /** Answer with the handler's result within 2 s: a text or `{ message, color, format, notify, card }`. */
  readonly reply?: boolean | undefined
}

/** What is to be declared; addresses may still be relative. */
export interface WebhookSpec extends WebhookOptions {
  readonly event: string
  readonly pattern?: RegExp | string | undefined
  readonly url?: string | undefined
}

export interface WebhookDefinition {
  readonly name: string
  readonly event: WebhookEvent
  readonly pattern: Pattern | undefined
  readonly key: string | undefined
  /** A route of the author's own, absolute; `undefined` for the add-on's webhook route. */
  readonly url: string | undefined
  readonly reply: boolean
  readonly handlers: readonly WebhookHandler[]
}

export interface WebhookDefinitions {
  /** @param handler  left out: only declared */
  add(spec: WebhookSpec, handler?: WebhookHandler): void
  listen(event: string, handler: WebhookHandler): void
  all(): readonly WebhookDefinition[]
  /** Of those that arrive at the add-on's webhook route. */
  get(name: string): WebhookDefinition | undefined
  of(event: WebhookEvent): readonly WebhookDefinition[]
  listeners(event: WebhookEvent): readonly WebhookHandler[]
}

export interface WebhookPlace {
  /** Makes an address absolute, on the add-on's own origin. @throws PartywallError ERR_OUTBOUND_URL */
  readonly own: (url: string) => string
  /** Absolute address of the add-on's webhook route. */
  readonly route: string
}

export function createWebhookDefinitions(place: WebhookPlace): WebhookDefinitions {
  const definitions = new Map<string, WebhookDefinition>()
  const listeners = new Map<WebhookEvent, WebhookHandler[]>()
  const isHere = (definition: WebhookDefinition | undefined) => definition?.url === undefined
  return {
    add(spec, handler) {
      const path = `webhook[${definitions.size}]`
      const made = define(spec, path, place)
      if (handler !== undefined) checkHandler(handler)
      const earlier = definitions.get(made.name)
      if (earlier !== undefined && !isSame(earlier, made))
        throw new TypeError(`another webhook has the name ${made.name}`)
      const others = [...definitions.values()].filter(other => other !== earlier)
      if (made.key !== undefined && others.some(other => other.key === made.key)) {
        throw invalidAt(`${path}.key`, 'another webhook has it')
      }
      definitions.set(made.name, merge(earlier, made, handler))
    },
    listen(event, handler) {
      const known = checkEvent(event)
      checkHandler(handler)
      listeners.set(known, [...(listeners.get(known) ?? []), handler])
    },
    all: () => [...definitions.values()],
    get(name) {
      const definition = definitions.get(name)
      return isHere(definition) ? definition : undefined
    },
    of: event => [...definitions.values()].filter(definition => definition.event === event && isHere(definition)),
    listeners: event => listeners.get(event) ?? [],
  }
}

function define(spec: WebhookSpec, path: string, place: WebhookPlace): WebhookDefinition {
  const event = checkEvent(spec.event)
  if (spec.pattern !== undefined && event !== 'room_message') throw new TypeError(`${event} takes no pattern`)
  const pattern = spec.pattern === undefined ? undefined : compilePattern(spec.pattern)
  const key = spec.key === undefined ? undefined : parseAt(`${path}.key`, keyShape, spec.key)
  const absolute = spec.url === undefined ? undefined : parseAt(`${path}.url`, address(place.own), spec.url)
  const url = absolute === undefined || isRoute(absolute, place.route) ? undefined : absolute
  const content = [pattern?.hostPattern, ...(url === undefined ? [] : [url])]
  const name = checkName(spec.name ?? contentName(event, ...content))
  return { name, event, pattern, key, url, reply: spec.reply ?? false, handlers: [] }
}

/** Whatever query an older descriptor gave it. */
function isRoute(url: string, route: string): boolean {
  const { origin, pathname } = new URL(url)
  return origin + pathname === route
}

const isSame = (one: WebhookDefinition, other: WebhookDefinition): boolean =>
  one.event === other.event && one.pattern?.hostPattern === other.pattern?.hostPattern && one.url === other.url

/** The same event and pattern twice is one registration at the host with two handlers, not two deliveries. */
const merge = (
  earlier: WebhookDefinition | undefined,
  made: WebhookDefinition,
  handler: WebhookHandler | undefined,
): WebhookDefinition => ({
  ...made,
  key: made.key ?? earlier?.key,
  reply: made.reply || (earlier?.reply ?? false),
  handlers: [...(earlier?.handlers ?? []), ...(handler === undefined ? [] : [handler])],
})

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
  if (WEBHOOK_NAME.test(name)) return name
  throw new TypeError('a webhook name has 1 to 40 letters, digits and ._~-')
}
