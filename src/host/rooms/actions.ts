/** What happens in rooms: each action changes the room and sends the event to the webhooks that listen. */

import type { Actor, FileSpec, HistoryItem, RoomRecord, UserRecord } from '../model.ts'
import type { HostState } from '../state.ts'
import { mentionsIn, userReference } from '../users/user.ts'
import type { Delivery } from '../webhooks/delivery.ts'
import { newMessage, remember } from './messages.ts'
import { clientReference, roomReference } from './reference.ts'

type Deliveries = Promise<readonly Delivery[]>

export async function say(state: HostState, room: RoomRecord, user: UserRecord, text: string) {
  ensureUsable(room)
  if (text.length === 0 || text.length > 10_000) throw new TypeError('a message has 1 to 10,000 characters')
  user.lastActiveAt = state.clock.now()
  const { message, told } = post(state, room, { user }, text)
  return { message, deliveries: await told }
}

export function enter(state: HostState, room: RoomRecord, user: UserRecord): Deliveries {
  ensureUsable(room)
  room.participants.add(user)
  user.lastActiveAt = state.clock.now()
  return tell(state, 'room_enter', room, { user })
}

export function exit(state: HostState, room: RoomRecord, user: UserRecord): Deliveries {
  ensureUsable(room)
  room.participants.delete(user)
  return tell(state, 'room_exit', room, { user })
}

export function setTopic(state: HostState, room: RoomRecord, actor: Actor, topic: string): Deliveries {
  ensureUsable(room)
  room.topic = topic
  const item = { room: roomReference(state, room), sender: senderOf(state, actor), topic }
  return state.deliveries.send({ event: 'room_topic_change', room, item, ...actor })
}

/** A file in the room: the event of its own, and the message that shows it. */
export async function uploadFile(state: HostState, room: RoomRecord, actor: Actor, spec: FileSpec): Deliveries {
  ensureUsable(room)
  const { name, size, url, thumbUrl, message: text = '' } = spec
  const file = { name, size, url, ...(thumbUrl === undefined ? {} : { thumb_url: thumbUrl }) }
  const { told } = post(state, room, actor, text, { file })
  const item = { room: roomReference(state, room), sender: senderOf(state, actor), file }
  return [...(await state.deliveries.send({ event: 'room_file_upload', room, item, ...actor })), ...(await told)]
}

export function setArchived(state: HostState, room: RoomRecord, actor: Actor, isArchived: boolean): Deliveries {
  if (room.isDeleted || room.isArchived === isArchived) throw new TypeError(`the room ${room.name} is so already`)
  room.isArchived = isArchived
  return tell(state, isArchived ? 'room_archived' : 'room_unarchived', room, actor)
}

/** The event is the last thing the room's installations hear of it. */
export function deleteRoom(state: HostState, room: RoomRecord, actor: Actor): Deliveries {
  if (room.isDeleted) throw new TypeError(`the room ${room.name} has been deleted`)
  const told = tell(state, 'room_deleted', room, actor)
  room.isDeleted = true
  room.group.rooms.splice(room.group.rooms.indexOf(room), 1)
  return told
}

export const announceCreation = (state: HostState, room: RoomRecord, actor: Actor): Deliveries =>
  tell(state, 'room_created', room, actor)

/** A message of a user, of an add-on in its own name, or of an add-on in a user's. */
export function post(
  state: HostState,
  room: RoomRecord,
  actor: Actor,
  text: string,
  extra: Pick<HistoryItem, 'attach_to' | 'file' | 'message_links'> = {},
): { readonly message: HistoryItem; readonly told: Deliveries } {
  const message = newMessage(state, {
    from: actor.user === undefined ? labelOf(actor) : userReference(state, actor.user),
    mentions: mentionsIn(state, room.group, text),
    message: text,
    type: actor.user?.isGuest === true ? 'guest_access' : 'message',
    ...extra,
  })
  remember(room, message)
  const item = { room: roomReference(state, room), message }
  return { message, told: state.deliveries.send({ event: 'room_message', room, item, text, ...actor }) }
}

function tell(
  state: HostState,
  event: 'room_enter' | 'room_exit' | 'room_created' | 'room_archived' | 'room_unarchived' | 'room_deleted',
  room: RoomRecord,
  actor: Actor,
): Deliveries {
  const item = { room: roomReference(state, room), sender: senderOf(state, actor) }
  return state.deliveries.send({ event, room, item, ...actor })
}

const labelOf = ({ source }: Actor): string => source?.label ?? ''

function senderOf(state: HostState, { user, source }: Actor): unknown {
  if (user !== undefined) return userReference(state, user)
  return source === undefined ? '' : clientReference(state, source)
}

function ensureUsable(room: RoomRecord): void {
  if (room.isDeleted) throw new TypeError(`the room ${room.name} has been deleted`)
  if (room.isArchived) throw new TypeError(`the room ${room.name} is archived`)
}
