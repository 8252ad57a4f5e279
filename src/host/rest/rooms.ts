/** Rooms over REST: listing, making, reading, changing and deleting them; their topic and statistics. */

import { FieldError, optional, readChoice, readFlag, readNumber, readObject, readText, refuse } from '../fields.ts'
import type { RoomRecord, UserRecord } from '../model.ts'
import { announceCreation, deleteRoom, setTopic } from '../rooms/actions.ts'
import { roomReference } from '../rooms/reference.ts'
import { changeRoom, createRoom, describeRoom, nameTrouble } from '../rooms/room.ts'
import { describeStatistics } from '../rooms/statistics.ts'
import { noContent, type Reply, type Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { findUser } from '../users/user.ts'
import { type ApiCall, apiRoute, ensureGlobal, readBody, roomOf, usableRoom } from './access.ts'
import { collection, flag } from './collection.ts'

const PRIVACIES = ['public', 'private'] as const
const MAX_TOPIC = 250

export const roomRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'GET', '/room', 'view_group', call => list(state, call)),
  apiRoute(state, 'POST', '/room', 'manage_rooms', call => create(state, call)),
  apiRoute(state, 'GET', '/room/:room', 'view_group', call => ({
    status: 200,
    json: describeRoom(state, roomOf(call)),
  })),
  apiRoute(state, 'PUT', '/room/:room', 'admin_room', call => update(state, call)),
  apiRoute(state, 'DELETE', '/room/:room', 'manage_rooms', call => {
    state.deliveries.inBackground(deleteRoom(state, roomOf(call), call.actor))
    return noContent
  }),
  apiRoute(state, 'PUT', '/room/:room/topic', 'admin_room', call => {
    const room = usableRoom(call)
    const topic = readBody(call, body => readTopic(body.topic))
    state.deliveries.inBackground(setTopic(state, room, call.actor, topic))
    return noContent
  }),
  apiRoute(state, 'GET', '/room/:room/statistics', 'view_group', call => ({
    status: 200,
    json: describeStatistics(state, roomOf(call)),
  })),
]

function list(state: HostState, { query, group, token }: ApiCall): Reply {
  const hasPrivate = flag(query, 'include-private', true)
  const hasArchived = flag(query, 'include-archived', false)
  const rooms = group.rooms.filter(
    room =>
      token.installation.covers(room) && (hasPrivate || room.privacy === 'public') && (hasArchived || !room.isArchived),
  )
  return collection(
    query,
    `${state.url}/v2/room`,
    rooms.map(room => roomReference(state, room)),
  )
}

function create(state: HostState, call: ApiCall): Reply {
  ensureGlobal(call)
  const spec = readBody(call, body => ({
    name: readName(call, body.name),
    topic: optional(body.topic, readTopic),
    privacy: readChoice(body.privacy, 'privacy', PRIVACIES, 'public'),
    isGuestAccessible: readFlag(body.guest_access, 'guest_access', false),
    owner: optional(body.owner_user_id, one => readOwner(call, one, 'owner_user_id')),
  }))
  const room = createRoom(state, call.group, spec)
  state.deliveries.inBackground(announceCreation(state, room, call.actor))
  return { status: 201, json: { id: room.id, links: { self: `${state.url}/v2/room/${room.id}` } } }
}

function update(state: HostState, call: ApiCall): Reply {
  const room = roomOf(call)
  const change = readBody(call, body => ({
    name: readName(call, body.name, room),
    privacy: readChoice(body.privacy, 'privacy', PRIVACIES),
    isArchived: readFlag(body.is_archived, 'is_archived'),
    isGuestAccessible: readFlag(body.is_guest_accessible, 'is_guest_accessible'),
    topic: readTopic(body.topic),
    owner: readOwner(call, readObject(body.owner, 'owner').id, 'owner.id'),
  }))
  changeRoom(state, room, call.actor, change)
  return noContent
}

function readName(call: ApiCall, value: unknown, own?: RoomRecord): string {
  const name = readText(value, 'name')
  refuse(nameTrouble(call.group, name, own))
  return name
}

/** Ids come as numbers; some clients send them as text. */
function readOwner(call: ApiCall, value: unknown, name: string): UserRecord {
  const id = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : readNumber(value, name)
  const user = findUser(call.group, String(id))
  if (user === undefined || user.isDeleted) throw new FieldError(`${name} names nobody in the group`)
  return user
}

/** An empty topic clears it. */
const readTopic = (value: unknown): string => (value === '' ? '' : readText(value, 'topic', MAX_TOPIC))
