/**
 * The body of a webhook delivery (protocol A8): its shape, and what handlers find on their context for each event.
 *
 * Hosts differ in details, so only what the library promises is demanded; everything else stays in `webhook` as received.
 */

import * as z from 'zod'
import { PartywallError } from '../../core/errors.ts'

export const WEBHOOK_EVENTS = [
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
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number]

/** What a name may be, since it stands in the address of a delivery. */
export const WEBHOOK_NAME = /^[A-Za-z0-9._~-]{1,40}$/

export const isWebhookEvent = (event: unknown): event is WebhookEvent => WEBHOOK_EVENTS.some(known => known === event)

const named = z.looseObject({ id: z.union([z.number(), z.string()]).optional(), name: z.string().optional() })
/** A user, an OAuth client, or just a name. */
const sender = z.union([z.string().transform(name => ({ name })), named])
const room = z.looseObject({ id: z.number(), name: z.string().optional() })
const message = z.looseObject({ message: z.string(), from: sender.nullish() })
const file = z.looseObject({ name: z.string().optional(), url: z.string().optional() })

const envelope = z.object({
  event: z.enum(WEBHOOK_EVENTS),
  oauth_client_id: z.string().min(1),
  webhook_id: z.number(),
  item: z.looseObject({
    room: room.nullish(),
    sender: sender.nullish(),
    message: message.nullish(),
    topic: z.string().nullish(),
    file: file.nullish(),
  }),
})

export type HipchatRoom = z.output<typeof room>
export type HipchatSender = z.output<typeof named>
export type HipchatMessage = z.output<typeof message>
export type HipchatFile = z.output<typeof file>

/** The parts of a delivery that handlers are promised; `undefined` where the event has no such part. */
export interface WebhookFields {
  readonly event: WebhookEvent
  readonly clientId: string
  readonly webhookId: number
  readonly room: HipchatRoom | undefined
  readonly sender: HipchatSender | undefined
  readonly message: HipchatMessage | undefined
  /** Text of the message. */
  readonly content: string | undefined
  readonly topic: string | undefined
  readonly file: HipchatFile | undefined
}

/** What bodies say that were found right: a delivery is read when it arrives, and again when its handler begins. */
const fieldsOfBody = new WeakMap<object, WebhookFields>()

/** @throws PartywallError ERR_WEBHOOK_INVALID with the path that is wrong, never its value */
export function readWebhook(body: unknown): WebhookFields {
  if (typeof body !== 'object' || body === null) return checkWebhook(body)
  const fields = fieldsOfBody.get(body) ?? checkWebhook(body)
  fieldsOfBody.set(body, fields)
  return fields
}

function checkWebhook(body: unknown): WebhookFields {
  const read = envelope.safeParse(body)
  if (!read.success) {
    throw new PartywallError('ERR_WEBHOOK_INVALID', { details: { path: read.error.issues[0]?.path.join('.') } })
  }
  const { event, oauth_client_id: clientId, webhook_id: webhookId, item } = read.data
  const isMessage = event === 'room_message' || event === 'room_notification'
  if (isMessage && !item.message) throw new PartywallError('ERR_WEBHOOK_INVALID', { details: { path: 'item.message' } })
  return {
    event,
    clientId,
    webhookId,
    room: item.room ?? undefined,
    sender: (isMessage ? item.message?.from : item.sender) ?? undefined,
    message: item.message ?? undefined,
    content: item.message?.message,
    topic: item.topic ?? undefined,
    file: item.file ?? (item.message?.file as HipchatFile | undefined),
  }
}
