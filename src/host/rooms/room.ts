/** Rooms of a simulated group: making one, finding one, and how the API and webhooks show it. */

import type { Actor, GroupRecord, HostUser, Privacy, RoomRecord, RoomSpec, UserRecord } from '../model.ts'
import type { HostState } from '../state.ts'
import { userRecord, userReference } from '../users/user.ts'
import * as actions from './actions.ts'
import { wireDate } from './messages.ts'
import { roomReference } from './reference.ts'

/** Tells nobody yet. @throws TypeError for a name that is none or taken, and for an owner of another group */
export function createRoom(state: HostState, group: GroupRecord, spec: RoomSpec): RoomRecord {
  const trouble = nameTrouble(group, spec.name)
  if (trouble !== undefined) throw new TypeError(trouble)
  const owner = userRecord(group, spec.owner ?? group.owner)
  const room = newRoom(state, group, spec, owner)
  group.rooms.push(room)
  state.rooms.set(room.id, room)
  return room
}

function newRoom(state: HostState, group: GroupRecord, spec: RoomSpec, owner: UserRecord): RoomRecord {
  const as = (user: HostUser) => userRecord(group, user)
  const room: RoomRecord = {
    id: state.random.nextId(),
    group,
    name: spec.name,
    privacy: spec.privacy ?? 'public',
    topic: spec.topic ?? '',
    owner,
    isArchived: false,
    isDeleted: false,
    isGuestAccessible: spec.isGuestAccessible ?? false,
    createdAt: state.clock.now(),
    version: state.random.text(8),
    members: new Set([owner]),
    participants: new Set(),
    history: [],
    webhooks: new Map(),
    say: (user, text) => actions.say(state, room, as(user), text),
    enter: user => actions.enter(state, room, as(user)),
    exit: user => actions.exit(state, room, as(user)),
    setTopic: (user, topic) => actions.setTopic(state, room, { user: as(user) }, topic),
    uploadFile: (user, file) => actions.uploadFile(state, room, { user: as(user) }, file),
    archive: user => actions.setArchived(state, room, { user: as(user) }, true),
    unarchive: user => actions.setArchived(state, room, { user: as(user) }, false),
    delete: user => actions.deleteRoom(state, room, { user: as(user) }),
  }
  return room
}

/**
 * Why a room cannot have this name.
 * @param own the room that is to get it, if it is there already
 */
export function nameTrouble(group: GroupRecord, name: string, own?: RoomRecord): string | undefined {
  if (name.length === 0 || name.length > 50) return 'a room name has 1 to 50 characters'
  const isTaken = group.rooms.some(room => room !== own && room.name === name)
  return isTaken ? `the room name ${name} is taken` : undefined
}

export interface RoomChange {
  readonly name: string
  readonly privacy: Privacy
  readonly isArchived: boolean
  readonly isGuestAccessible: boolean
  readonly topic: string
  readonly owner: UserRecord
}

/** Changes a room as a whole; what webhooks can listen to is told in the background. */
export function changeRoom(state: HostState, room: RoomRecord, actor: Actor, change: RoomChange): void {
  const { isArchived, topic, ...rest } = change
  Object.assign(room, rest, { version: state.random.text(8) })
  room.members.add(change.owner)
  const tell = (work: Promise<unknown>) => state.deliveries.inBackground(work)
  if (room.isArchived && !isArchived) tell(actions.setArchived(state, room, actor, false))
  if (room.topic !== topic && !room.isArchived) tell(actions.setTopic(state, room, actor, topic))
  room.topic = topic
  if (!room.isArchived && isArchived) tell(actions.setArchived(state, room, actor, true))
}

/** By id, else by name; `undefined` outside the group or when deleted. */
export const findRoom = (group: GroupRecord, name: string): RoomRecord | undefined =>
  group.rooms.find(room => String(room.id) === name) ?? group.rooms.find(room => room.name === name)

/** The record behind a room of this host. @throws TypeError for a room of another host */
export function roomRecord(state: HostState, room: { readonly id: number; readonly name: string }): RoomRecord {
  const record = state.rooms.get(room.id)
  if (record === undefined || record !== room) throw new TypeError(`the room ${room.name} is not on this host`)
  return record
}

export const describeRoom = (state: HostState, room: RoomRecord) => ({
  ...roomReference(state, room),
  topic: room.topic,
  is_guest_accessible: room.isGuestAccessible,
  guest_access_url: room.isGuestAccessible ? `${state.url}/guest/${room.id}` : null,
  created: wireDate(room.createdAt),
  xmpp_jid: `${room.group.id}_${room.id}@conf.hipchat.invalid`,
  owner: userReference(state, room.owner),
  participants: [...room.participants].map(user => userReference(state, user)),
  statistics: { links: { self: `${state.url}/v2/room/${room.id}/statistics` } },
})
