/** What happens in rooms: each action changes the room and sends the event to the webhooks that listen. */

import type { Installation } from '../clients/installation.ts'
import type { FileSpec, HistoryItem, RoomRecord, UserRecord } from '../model.ts'
import type { HostState } from '../state.ts'
import { mentionsIn, userReference } from '../users/user.ts'
import type { Delivery } from '../webhooks/delivery.ts'
import { newMessage, remember } from './messages.ts'
import { clientReference, roomReference } from './reference.ts'

type Deliveries = Promise<readonly Delivery[]>

export async function say(state: HostState, room: RoomRecord, user: UserRecord, text: string) {
  ensureUsable(room)
  if (text.length === 0 || text.length > 10_000) throw new TypeError('a message has 1 to 10,000 characters')
  const message = newMessage(state, {
    from: userReference(state, user),
    mentions: mentionsIn(state, room.group, text),
    message: text,
    type: user.isGuest ? 'guest_access' : 'message',
  })
  remember(room, message)
  return { message, deliveries: await sendMessage(state, room, message, user) }
}

export function enter(state: HostState, room: RoomRecord, user: UserRecord): Deliveries {
  ensureUsable(room)
  room.participants.add(user)
  return bySender(state, 'room_enter', room, user)
}

export function exit(state: HostState, room: RoomRecord, user: UserRecord): Deliveries {
  ensureUsable(room)
  room.participants.delete(user)
  return bySender(state, 'room_exit', room, user)
}

/** @param actor the user, or the installation that asked over REST */
export function setTopic(
  state: HostState,
  room: RoomRecord,
  actor: UserRecord | Installation,
  topic: string,
): Deliveries {
  ensureUsable(room)
  room.topic = topic
  const isUser = 'mentionName' in actor
  const item = {
    room: roomReference(state, room),
    sender: isUser ? userReference(state, actor) : clientReference(state, actor),
    topic,
  }
  return state.deliveries.send({
    event: 'room_topic_change',
    room,
    item,
    ...(isUser ? { user: actor } : { source: actor }),
  })
}

export async function uploadFile(state: HostState, room: RoomRecord, user: UserRecord, file: FileSpec): Deliveries {
  ensureUsable(room)
  const { name, size, url, thumbUrl, message: text = '' } = file
  const shown = { name, size, url, ...(thumbUrl === undefined ? {} : { thumb_url: thumbUrl }) }
  const sender = userReference(state, user)
  const message = newMessage(state, { from: sender, message: text, type: 'message', file: shown })
  remember(room, message)
  const item = { room: roomReference(state, room), sender, file: shown }
  return [
    ...(await state.deliveries.send({ event: 'room_file_upload', room, item, user })),
    ...(await sendMessage(state, room, message, user)),
  ]
}

export function setArchived(state: HostState, room: RoomRecord, user: UserRecord, isArchived: boolean): Deliveries {
  if (room.isDeleted || room.isArchived === isArchived) throw new TypeError(`the room ${room.name} is so already`)
  room.isArchived = isArchived
  return bySender(state, isArchived ? 'room_archived' : 'room_unarchived', room, user)
}

/** The event is the last thing the room's installations hear of it. */
export function deleteRoom(state: HostState, room: RoomRecord, user: UserRecord): Deliveries {
  if (room.isDeleted) throw new TypeError(`the room ${room.name} has been deleted`)
  const told = bySender(state, 'room_deleted', room, user)
  room.isDeleted = true
  room.group.rooms.splice(room.group.rooms.indexOf(room), 1)
  return told
}

export const announceCreation = (state: HostState, room: RoomRecord, user: UserRecord): Deliveries =>
  bySender(state, 'room_created', room, user)

/** A notification of an add-on; the others hear of it, its sender does not. */
export function notify(
  state: HostState,
  room: RoomRecord,
  source: Installation,
  notification: Pick<HistoryItem, 'message' | 'message_format' | 'color' | 'notify' | 'card' | 'attach_to'> & {
    readonly from: string | undefined
  },
): { readonly message: HistoryItem; readonly told: Deliveries } {
  const { from, ...content } = notification
  const message = newMessage(state, {
    ...content,
    from: from ?? source.label,
    type: 'notification',
    notification_sender: { id: source.oauthId, type: 'addon' },
  })
  remember(room, message)
  const item = { room: roomReference(state, room), message }
  return { message, told: state.deliveries.send({ event: 'room_notification', room, item, source }) }
}

/** A message that an add-on sends in its own name. */
export function post(
  state: HostState,
  room: RoomRecord,
  source: Installation,
  text: string,
  attachTo?: string,
): { readonly message: HistoryItem; readonly told: Deliveries } {
  const message = newMessage(state, {
    from: source.label,
    message: text,
    type: 'message',
    ...(attachTo === undefined ? {} : { attach_to: attachTo }),
  })
  remember(room, message)
  const item = { room: roomReference(state, room), message }
  return { message, told: state.deliveries.send({ event: 'room_message', room, item, text, source }) }
}

function sendMessage(state: HostState, room: RoomRecord, message: HistoryItem, user: UserRecord): Deliveries {
  const item = { room: roomReference(state, room), message }
  return state.deliveries.send({ event: 'room_message', room, item, text: message.message, user })
}

function bySender(
  state: HostState,
  event: 'room_enter' | 'room_exit' | 'room_created' | 'room_archived' | 'room_unarchived' | 'room_deleted',
  room: RoomRecord,
  user: UserRecord,
): Deliveries {
  const item = { room: roomReference(state, room), sender: userReference(state, user) }
  return state.deliveries.send({ event, room, item, user })
}

function ensureUsable(room: RoomRecord): void {
  if (room.isDeleted) throw new TypeError(`the room ${room.name} has been deleted`)
  if (room.isArchived) throw new TypeError(`the room ${room.name} is archived`)
}
