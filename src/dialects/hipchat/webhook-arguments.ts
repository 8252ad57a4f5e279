/**
 * The ways to write `addon.webhook(...)`, those of the old library among them, made one specification with perhaps a handler.
 * What the parts must look like is checked in `webhook-definitions.ts`.
 */

import type { WebhookHandler, WebhookOptions, WebhookSpec } from './webhook-definitions.ts'

/** A function, or the address of a route of the author's own. */
export type WebhookTarget = WebhookHandler | string

export interface WebhookDeclaration extends WebhookOptions {
  readonly event: string
  /** For `room_message`: a RegExp, or a text in the host's dialect. */
  readonly pattern?: RegExp | string
  /** Where the host delivers, on the add-on's own origin; left out: the add-on's webhook route. */
  readonly url?: string
}

export interface WebhookBuilder<Self> {
  /**
   * Declares a webhook and what it does. With an address instead of a handler it is only declared: an address that is not the
   * add-on's webhook route is answered by the author.
   *
   * @throws PartywallError ERR_PATTERN_UNSUPPORTED, ERR_DESCRIPTOR_INVALID · TypeError unknown event, pattern on another event than
   *   `room_message`, neither handler nor address
   * @example addon.webhook('room_message', /^\/hello$/, async ctx => ctx.roomClient.sendNotification(`Hello ${ctx.sender?.name}`))
   */
  webhook(event: string, target: WebhookTarget, options?: WebhookOptions): Self
  webhook(event: string, pattern: RegExp, target: WebhookTarget, options?: WebhookOptions): Self
  webhook(event: string, name: string, target: WebhookTarget, options?: WebhookOptions): Self
  webhook(event: string, name: string, pattern: RegExp, target: WebhookTarget, options?: WebhookOptions): Self
  webhook(definition: WebhookDeclaration, handler?: WebhookHandler): Self
}

export type WebhookArguments =
  | [event: string, target: WebhookTarget, options?: WebhookOptions]
  | [event: string, pattern: RegExp, target: WebhookTarget, options?: WebhookOptions]
  | [event: string, name: string, target: WebhookTarget, options?: WebhookOptions]
  | [event: string, name: string, pattern: RegExp, target: WebhookTarget, options?: WebhookOptions]
  | [definition: WebhookDeclaration, handler?: WebhookHandler]

/** @throws TypeError when there is neither a handler nor an address */
export function readWebhookArguments(said: WebhookArguments): {
  readonly spec: WebhookSpec
  readonly handler: WebhookHandler | undefined
} {
  const [first] = said
  const parts: readonly WebhookArguments[number][] = said
  const handler = parts.find(part => typeof part === 'function')
  if (typeof first === 'object') return { spec: first, handler }
  const [event = '', ...texts] = parts.filter(part => typeof part === 'string')
  const pattern = parts.find(part => part instanceof RegExp)
  const last = parts.at(-1)
  const options: WebhookOptions = typeof last === 'object' && !(last instanceof RegExp) ? last : {}
  // A handler that was imported wrongly is undefined, and the name before it would pass for an address.
  if (handler === undefined && (texts.length === 0 || parts.includes(undefined))) {
    throw new TypeError('a webhook needs a handler function, or an address of its own')
  }
  const [name, url] = handler === undefined && texts.length === 1 ? [undefined, texts[0]] : texts
  return { spec: { ...options, event, pattern, name: name ?? options.name, url }, handler }
}
