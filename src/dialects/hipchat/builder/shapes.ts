/**
 * The shapes of all capabilities of a descriptor (protocol A2): they check what an author wrote and make the wire's form of it.
 *
 * Unknown fields are refused, so that a misspelled one does not vanish. What depends on other capabilities, such as unique keys,
 * is checked in `declarations.ts`.
 */

import * as z from 'zod'
import { isPartywallError } from '../../../core/errors.ts'
import { WEBHOOK_EVENTS, WEBHOOK_NAME } from '../webhook-event.ts'
import type { Addresses } from './addresses.ts'
import { actionConditions, glanceConditions } from './conditions.ts'

export const keyShape = z.string().min(1).max(40)
const key = keyShape
const text = z.string().min(1).max(1_000)
const weight = z.int().optional()
const label = z.preprocess(
  value => (typeof value === 'string' ? { value } : value),
  z.strictObject({ value: z.string().min(1).max(100), i18n: key.optional() }),
)
const target = z.union(
  [z.string().min(1), z.strictObject({ key: z.string().min(1), options: z.record(z.string(), z.json()).optional() })],
  { error: 'neither a key nor { key, options }' },
)
const command = z.string().regex(/^\/[a-z_-]+$/, { error: 'a slash, then small letters, _ and - expected' })
const length = z.string().regex(/^\d+(?:\.\d+)?(?:px|%)$/, { error: 'a text in px or % expected' })
const button = z.strictObject({ key: key.optional(), name: label, enabled: z.boolean().optional() })

const dialogOptions = z.strictObject({
  style: z.enum(['normal', 'warning']).optional(),
  primaryAction: button.optional(),
  secondaryActions: z.array(button).optional(),
  size: z.strictObject({ width: length, height: length }).optional(),
  hint: label.optional(),
  filter: z.strictObject({ placeholder: label }).optional(),
})

export type Shapes = ReturnType<typeof createShapes>

/** @param addresses  how relative addresses become absolute, and which are allowed */
export function createShapes(addresses: Addresses) {
  const own = address(addresses.own)
  const icon = iconShape(addresses)
  return {
    ...uiShapes(own, icon),
    command: z.strictObject({
      name: command,
      description: text,
      usage: text.optional(),
      aliases: z.array(command).optional(),
    }),
    oauth2Consumer: z.strictObject({ redirectionUrls: z.array(address(addresses.anywhere)).min(1) }),
    webhook: webhookShape(own),
  }
}

const webhookShape = (own: ReturnType<typeof address>) =>
  z
    .strictObject({
      // Without one it arrives at the add-on's webhook route.
      url: own.optional(),
      event: z.enum(WEBHOOK_EVENTS),
      pattern: z.string().min(1).optional(),
      name: z.string().regex(WEBHOOK_NAME, { error: '1 to 40 letters, digits and ._~- expected' }).optional(),
      key: key.optional(),
      authentication: z.enum(['jwt', 'none']).optional(),
    })
    .refine(({ event, pattern }) => pattern === undefined || event === 'room_message', {
      path: ['pattern'],
      error: 'only room_message takes one',
    })

/** A picture in one or two resolutions; a text stands for both. */
export const iconShape = ({ anywhere }: Pick<Addresses, 'anywhere'>) => {
  const picture = address(anywhere)
  return z.preprocess(
    value => (typeof value === 'string' ? { url: value } : value),
    z
      .strictObject({ url: picture, 'url@2x': picture.optional() })
      .transform(({ url, 'url@2x': larger = url }) => ({ url, 'url@2x': larger })),
  )
}

/** A text that `resolve` makes absolute; what it refuses becomes an issue of the field. */
export function address(resolve: (text: string) => string) {
  return z.string().transform((value, context) => {
    try {
      return resolve(value)
    } catch (error) {
      if (!isPartywallError(error, 'ERR_OUTBOUND_URL')) throw error
      context.addIssue(String(error.details.reason))
      return z.NEVER
    }
  })
}

function uiShapes(own: ReturnType<typeof address>, icon: ReturnType<typeof iconShape>) {
  return {
    configurable: z.strictObject({ url: own, allowAccessToRoomAdmins: z.boolean().optional() }),
    adminPage: z.strictObject({ url: own }),
    glance: z.strictObject({
      key,
      name: label,
      icon,
      queryUrl: own.optional(),
      target: target.optional(),
      weight,
      conditions: glanceConditions.optional(),
    }),
    webPanel: z.strictObject({
      key,
      name: label,
      location: z.literal('hipchat.sidebar.right').default('hipchat.sidebar.right'),
      url: own,
      icon: icon.optional(),
      weight,
    }),
    dialog: z.strictObject({ key, title: label, url: own, options: dialogOptions.optional() }),
    action: z.strictObject({
      key,
      name: label,
      location: z.enum(['hipchat.message.action', 'hipchat.input.action']),
      target,
      weight,
      conditions: actionConditions.optional(),
    }),
    externalPage: z.strictObject({ key, name: label, url: own }),
  }
}
