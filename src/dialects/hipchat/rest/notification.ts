/** Notifications and their cards (protocol A9): what an author writes, checked, and the body the host gets. */

import * as z from 'zod'
import { checkFields } from '../../common/check.ts'
import { hostSpelling } from './spelling.ts'

export interface NotificationOptions {
  /** The host takes `yellow` when left out. */
  readonly color?: 'yellow' | 'green' | 'red' | 'purple' | 'gray' | 'random'
  /** Makes clients ring and blink; default false. */
  readonly notify?: boolean
  /** How the message is written; the host takes `html` when left out. */
  readonly format?: 'html' | 'text'
  /** The host's name of `format`. */
  readonly messageFormat?: 'html' | 'text'
  /** Second label of the sender. */
  readonly from?: string
  /** Shown in place of the message where a client can. */
  readonly card?: HipchatCard
  /** Message under which the notification is shown. */
  readonly attachTo?: string
}

const filled = z.string().min(1)
const picture = z.union([filled, z.looseObject({ url: filled, 'url@2x': filled.optional() })])
const formatted = z.union([z.string(), z.looseObject({ value: z.string(), format: z.enum(['html', 'text']) })])

const cardShape = z.looseObject({
  style: z.enum(['file', 'image', 'application', 'link', 'media']),
  id: filled,
  title: filled,
  url: filled.optional(),
  format: z.enum(['compact', 'medium']).optional(),
  description: formatted.optional(),
  thumbnail: z
    .looseObject({
      url: filled,
      'url@2x': filled.optional(),
      width: z.number().optional(),
      height: z.number().optional(),
    })
    .optional(),
  images: z.looseObject({ image: filled }).optional(),
  icon: picture.optional(),
  activity: z.looseObject({ html: filled, icon: picture.optional() }).optional(),
  attributes: z
    .array(
      z.looseObject({
        label: z.string().optional(),
        value: z.looseObject({
          label: z.string(),
          url: filled.optional(),
          style: z.string().optional(),
          icon: picture.optional(),
        }),
      }),
    )
    .optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
})
/** Names are the host's own. */
export type HipchatCard = z.input<typeof cardShape>

const notificationShape = z.looseObject({
  message: z.string().min(1).max(10_000),
  message_format: z.enum(['html', 'text']).optional(),
  color: z.enum(['yellow', 'green', 'red', 'purple', 'gray', 'random']).optional(),
  notify: z.boolean().optional(),
  from: filled.optional(),
  attach_to: filled.optional(),
  card: cardShape.optional(),
})

/**
 * The body of a notification, also of a webhook's reply, under the host's names.
 * @param options  in our spelling or in the host's
 * @throws PartywallError ERR_CALL_INVALID with the field: the message has 1 to 10,000 characters, the rest is as A9 says
 */
export function notificationBody(message: string, options: object = {}): Record<string, unknown> {
  const { format, ...rest } = hostSpelling<unknown>({ ...options }, '_')
  const body = { message, ...(format === undefined ? {} : { message_format: format }), ...rest }
  return checkFields(notificationShape, { ...body, message }, 'the notification')
}
