/**
 * What the host says about rooms, people and messages (protocol A9): names are its own, and whatever else it says is kept.
 * Checked is what a caller relies on; everything documented but not certain may be absent or null.
 */

import * as z from 'zod'

const text = z.string().nullish()
const flag = z.boolean().nullish()
const links = z.looseObject({ self: z.string().optional() }).nullish()

/** What a room's owner, participants and members are, unless the call expands them. */
const userReference = z.looseObject({ id: z.number(), name: text, mention_name: text, links })

export const roomShape = z.looseObject({
  id: z.number(),
  name: z.string(),
  topic: text,
  privacy: text,
  is_archived: flag,
  is_guest_accessible: flag,
  guest_access_url: text,
  created: text,
  xmpp_jid: text,
  owner: userReference.nullish(),
  participants: z.array(userReference).nullish(),
  links,
})
export type HipchatRoom = z.output<typeof roomShape>

export const userShape = z.looseObject({
  id: z.number(),
  name: z.string(),
  mention_name: text,
  email: text,
  title: text,
  timezone: text,
  is_group_admin: flag,
  is_guest: flag,
  is_deleted: flag,
  created: text,
  last_active: text,
  photo_url: text,
  xmpp_jid: text,
  links,
})
export type HipchatUser = z.output<typeof userShape>

export const historyItemShape = z.looseObject({
  id: z.string(),
  /** ISO 8601 with microseconds and offset. */
  date: z.string(),
  /** People; a bare text for add-ons and others. */
  from: z.union([z.string(), userReference]).nullish(),
  message: z.string(),
  type: text,
  color: text,
  message_format: text,
  mentions: z.array(userReference).nullish(),
})
export type HipchatHistoryItem = z.output<typeof historyItemShape>

/** One message by its id. Host quirk: some hosts wrap it in `{message}`, others send it bare. */
export const singleMessageShape = z.union([z.looseObject({ message: historyItemShape }), historyItemShape])
export type HipchatSingleMessage = z.output<typeof singleMessageShape>

export const statisticsShape = z.looseObject({ messages_sent: z.number().nullish(), last_active: text, links })
export type HipchatRoomStatistics = z.output<typeof statisticsShape>

export const webhookShape = z.looseObject({
  id: z.number(),
  name: text,
  event: text,
  url: text,
  pattern: text,
  key: text,
  authentication: text,
  links,
})
export type HipchatRoomWebhook = z.output<typeof webhookShape>

export const emoticonShape = z.looseObject({ id: z.number(), shortcut: text, url: text, type: text, links })
export type HipchatEmoticon = z.output<typeof emoticonShape>

/** What a token is good for. */
export const sessionShape = z.looseObject({
  access_token: text,
  expires_in: z.number().nullish(),
  group_id: z.number().nullish(),
  group_name: text,
  owner_type: text,
  scopes: z.array(z.string()).nullish(),
  client: z.looseObject({ id: text, name: text }).nullish(),
})
export type HipchatSession = z.output<typeof sessionShape>

/** What the host made. */
export const createdShape = z.looseObject({ id: z.number(), links })
export type HipchatCreated = z.output<typeof createdShape>

/** A message that was posted; hosts that say nothing about it answer with no body. */
export const postedShape = z.looseObject({ id: text, timestamp: text }).nullable()
export type HipchatPosted = z.output<typeof postedShape>

export const collectionShape = z.looseObject({
  items: z.array(z.unknown()),
  startIndex: z.number().nullish(),
  maxResults: z.number().nullish(),
  links: z.looseObject({ self: text, prev: text, next: text }).nullish(),
})
type Link = string | null | undefined
/** One page of a list. */
export interface HipchatCollection<T> {
  readonly items: readonly T[]
  readonly startIndex?: number | null | undefined
  readonly maxResults?: number | null | undefined
  readonly links?: { readonly self?: Link; readonly prev?: Link; readonly next?: Link } | null | undefined
}
