/** A webhook: what an add-on asked to hear of. */

import type { Installation } from '../clients/installation.ts'

export const EVENTS = [
  'room_archived',
  'room_created',
  'room_deleted',
  'room_enter',
  'room_exit',
  'room_file_upload',
  'room_message',
  'room_notification',
  'room_topic_change',
  'room_unarchived',
] as const

export type WebhookEvent = (typeof EVENTS)[number]

export interface WebhookSpec {
  readonly url: string
  readonly event: WebhookEvent
  readonly authentication: 'jwt' | 'none'
  /** Source as registered; only with `room_message`. */
  readonly pattern: string | undefined
  readonly matches: (message: string) => boolean
  readonly name: string | undefined
  readonly key: string | undefined
}

export interface Webhook extends WebhookSpec {
  readonly id: number
  readonly installation: Installation
  /** Registered in the descriptor, or over REST for one room. */
  readonly source: 'descriptor' | 'rest'
}
