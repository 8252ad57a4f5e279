/**
 * What a simulated host consists of: groups, rooms, users, messages. Public views are read-only; the records behind them
 * (`*Record`) are the same objects, writable inside `host/` only.
 */

import type { Installation } from './clients/installation.ts'
import type { Emoticon } from './emoticons/emoticon.ts'
import type { Delivery } from './webhooks/delivery.ts'
import type { Webhook } from './webhooks/webhook.ts'

export interface HostUser {
  readonly id: number
  readonly group: HostGroup
  readonly name: string
  /** Without `@`. */
  readonly mentionName: string
  readonly email: string
  readonly title: string
  /** IANA zone. */
  readonly timezone: string
  readonly isGroupAdmin: boolean
  readonly isGuest: boolean
  readonly isDeleted: boolean
  /** Epoch milliseconds. */
  readonly createdAt: number
  /** Epoch milliseconds; `undefined` until the user first does something in a room. */
  readonly lastActiveAt: number | undefined
  readonly photoUrl: string | undefined
  readonly presence: Presence | undefined
  /** Private messages from add-ons. */
  readonly messages: readonly HistoryItem[]
  /** To rooms, oldest first. */
  readonly invitations: readonly Invitation[]
}
export interface UserSpec {
  readonly name: string
  readonly mentionName: string
  readonly email?: string
  readonly title?: string
  readonly timezone?: string
  readonly isGroupAdmin?: boolean
  readonly isGuest?: boolean
}
export interface Presence {
  readonly status?: string
  readonly show?: 'away' | 'chat' | 'dnd' | 'xa'
}
export interface Invitation {
  readonly room: HostRoom
  readonly reason: string
  /** Whose token asked. */
  readonly oauthId: string
}

export interface HostGroup {
  readonly id: number
  readonly name: string
  /** Made with the group; creates rooms when nobody else is named. */
  readonly owner: HostUser
  /** Those who were deleted too. */
  readonly users: readonly HostUser[]
  /** Rooms that are not deleted. */
  readonly rooms: readonly HostRoom[]
  createUser(spec: UserSpec): HostUser
  /** `room_created` goes to the group's global installations in the background; `host.idle()` waits for it. */
  createRoom(spec: RoomSpec): HostRoom
  createEmoticon(spec: { readonly shortcut: string; readonly url: string }): Emoticon
}
export interface RoomSpec {
  readonly name: string
  /** Default `public`. */
  readonly privacy?: Privacy
  readonly topic?: string
  readonly owner?: HostUser
  /** Default false. */
  readonly isGuestAccessible?: boolean
}
export type Privacy = 'public' | 'private'

/** Every action resolves when each delivery it caused has had its first attempt. */
export interface HostRoom {
  readonly id: number
  readonly group: HostGroup
  readonly name: string
  readonly privacy: Privacy
  readonly topic: string
  readonly owner: HostUser
  readonly isArchived: boolean
  readonly isDeleted: boolean
  readonly isGuestAccessible: boolean
  readonly createdAt: number
  readonly members: ReadonlySet<HostUser>
  readonly participants: ReadonlySet<HostUser>
  /** Messages and notifications as the API shows them, oldest first; the newest 10,000. */
  readonly history: readonly HistoryItem[]
  /** Webhooks that add-ons registered over REST. */
  readonly webhooks: ReadonlyMap<number, Webhook>
  say(
    user: HostUser,
    text: string,
  ): Promise<{ readonly message: HistoryItem; readonly deliveries: readonly Delivery[] }>
  enter(user: HostUser): Promise<readonly Delivery[]>
  exit(user: HostUser): Promise<readonly Delivery[]>
  setTopic(user: HostUser, topic: string): Promise<readonly Delivery[]>
  uploadFile(user: HostUser, file: FileSpec): Promise<readonly Delivery[]>
  archive(user: HostUser): Promise<readonly Delivery[]>
  unarchive(user: HostUser): Promise<readonly Delivery[]>
  delete(user: HostUser): Promise<readonly Delivery[]>
}
export interface FileSpec {
  readonly name: string
  /** Bytes. */
  readonly size: number
  readonly url: string
  readonly thumbUrl?: string
  /** Posted with the file; default empty. */
  readonly message?: string
}

/** A message as the API and webhooks show it. */
export interface HistoryItem {
  readonly id: string
  /** ISO 8601 with microseconds and offset. */
  readonly date: string
  /** A user, or the label of an add-on. */
  readonly from: UserReference | string
  readonly mentions: readonly UserReference[]
  readonly message: string
  readonly type: 'message' | 'notification' | 'topic' | 'guest_access'
  readonly message_format?: 'html' | 'text'
  readonly color?: string
  readonly notify?: boolean
  readonly card?: unknown
  readonly attach_to?: string
  readonly file?: { readonly name: string; readonly size: number; readonly url: string; readonly thumb_url?: string }
  /** The web addresses in the text. */
  readonly message_links?: readonly { readonly type: 'link'; readonly url: string }[]
  /** Which installation sent a notification or a private message. */
  readonly notification_sender?: { readonly id: string; readonly type: 'addon' }
}
export interface UserReference {
  readonly id: number
  readonly name: string
  readonly mention_name: string
  readonly version: string
  readonly links: { readonly self: string }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

export interface UserRecord extends Omit<Writable<HostUser>, 'group' | 'messages' | 'invitations'> {
  readonly group: GroupRecord
  /** Another one after each change. */
  version: string
  readonly messages: HistoryItem[]
  readonly invitations: Invitation[]
}
export interface GroupRecord extends HostGroup {
  readonly owner: UserRecord
  readonly users: UserRecord[]
  readonly rooms: RoomRecord[]
  readonly emoticons: Emoticon[]
  /** Those whose webhooks may fire here. */
  readonly installations: Set<Installation>
}
export interface RoomRecord
  extends Omit<Writable<HostRoom>, 'group' | 'owner' | 'members' | 'participants' | 'history' | 'webhooks'> {
  readonly group: GroupRecord
  owner: UserRecord
  /** Another one after each change. */
  version: string
  readonly members: Set<UserRecord>
  readonly participants: Set<UserRecord>
  readonly history: HistoryItem[]
  readonly webhooks: Map<number, Webhook>
}

/** Who does something: a user, an add-on (`source`), or an add-on in a user's name. */
export interface Actor {
  readonly user?: UserRecord | undefined
  readonly source?: Installation | undefined
}
/** Over the API there is always an add-on. */
export interface ApiActor extends Actor {
  readonly source: Installation
}
