/** Rooms of a simulated group: making one, finding one, and how the API and webhooks show it. */

import type { GroupRecord, HostUser, RoomRecord, RoomSpec } from '../model.ts'
import type { HostState } from '../state.ts'
import { userRecord, userReference } from '../users/user.ts'
import * as actions from './actions.ts'
import { roomReference } from './reference.ts'

/** @throws TypeError when the name is empty, longer than 50 characters or taken in the group */
export function createRoom(state: HostState, group: GroupRecord, spec: RoomSpec): RoomRecord {
  if (spec.name.length === 0 || spec.name.length > 50) throw new TypeError('a room name has 1 to 50 characters')
  if (group.rooms.some(room => room.name === spec.name)) throw new TypeError(`the room name ${spec.name} is taken`)
  const owner = userRecord(group, spec.owner ?? group.owner)
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
    createdAt: state.clock.now(),
    version: state.random.text(8),
    members: new Set([owner]),
    participants: new Set(),
    history: [],
    webhooks: new Map(),
    say: (user, text) => actions.say(state, room, as(user), text),
    enter: user => actions.enter(state, room, as(user)),
    exit: user => actions.exit(state, room, as(user)),
    setTopic: (user, topic) => actions.setTopic(state, room, as(user), topic),
    uploadFile: (user, file) => actions.uploadFile(state, room, as(user), file),
    archive: user => actions.setArchived(state, room, as(user), true),
    unarchive: user => actions.setArchived(state, room, as(user), false),
    delete: user => actions.deleteRoom(state, room, as(user)),
  }
  group.rooms.push(room)
  state.rooms.set(room.id, room)
  state.deliveries.inBackground(actions.announceCreation(state, room, owner))
  return room
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
  is_guest_accessible: false,
  guest_access_url: null,
  created: new Date(room.createdAt).toISOString(),
  xmpp_jid: `${room.group.id}_${room.id}@conf.hipchat.invalid`,
  owner: userReference(state, room.owner),
  participants: [...room.participants].map(user => userReference(state, user)),
  statistics: { links: { self: `${state.url}/v2/room/${room.id}/statistics` } },
})
