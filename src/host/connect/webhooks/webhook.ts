/** A webhook of the descriptor, or one that an app made by REST: what it hears of and where it is told. */

import { optional, readFlag, readList, readObject, readText } from '../../fields.ts'

export interface ConnectWebhookSpec {
  readonly event: string
  /** Relative to the app's base URL, or absolute; with `{variables}`. */
  readonly url: string
  /** JQL, of which this host knows equality. */
  readonly filter: string | undefined
  readonly excludeBody: boolean
  readonly propertyKeys: readonly string[]
}

/** @throws FieldError */
export function readWebhook(value: unknown, name: string): ConnectWebhookSpec {
  const webhook = readObject(value, name)
  return {
    event: readText(webhook.event, `${name}.event`, 255),
    url: readText(webhook.url, `${name}.url`),
    filter: optional(webhook.filter, filter => readText(filter, `${name}.filter`)),
    excludeBody: readFlag(webhook.excludeBody, `${name}.excludeBody`, false),
    propertyKeys: readList(webhook.propertyKeys ?? [], `${name}.propertyKeys`, readText),
  }
}
