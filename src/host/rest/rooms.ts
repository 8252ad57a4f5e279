/** Rooms over REST: seeing them, speaking in them, their topic, members and history. */

import { optional, readObject, readText } from '../fields.ts'
import type { HistoryItem, RoomRecord } from '../model.ts'
import { notify, post, setTopic } from '../rooms/actions.ts'
import { parseNotification } from '../rooms/notification.ts'
import { roomReference } from '../rooms/reference.ts'
import { describeRoom } from '../rooms/room.ts'
import { ApiError } from '../server/api-error.ts'
import { noContent, type Reply, type Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { userReference } from '../users/user.ts'
import { type ApiCall, apiRoute, readBody, roomOf, userOf } from './access.ts'
import { collection, count } from './collection.ts'
import { countCall } from './limits.ts'

export const roomRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'GET', '/room', 'view_group', call => listRooms(state, call)),
  apiRoute(state, 'GET', '/room/:room', 'view_group', call => ({
    status: 200,
    json: describeRoom(state, roomOf(call)),
  })),
  apiRoute(state, 'POST', '/room/:room/notification', 'send_notification', call => sendNotification(state, call)),
  apiRoute(state, 'POST', '/room/:room/message', 'send_message', call => {
    const message = sendMessage(state, call, 'message')
    return { status: 201, json: { id: message.id, timestamp: message.date } }
  }),
  apiRoute(state, 'POST', '/room/:room/reply', 'send_message', call => {
    sendMessage(state, call, 'reply')
    return noContent
  }),
  apiRoute(state, 'PUT', '/room/:room/topic', 'admin_room', call => {
    const room = usableRoom(call)
    const topic = readBody(() => readTopic(call.json()))
    state.deliveries.inBackground(setTopic(state, room, call.token.installation, topic))
    return noContent
  }),
  apiRoute(state, 'GET', '/room/:room/member', 'view_room', call => people(state, call, 'member')),
  apiRoute(state, 'GET', '/room/:room/participant', 'view_room', call => people(state, call, 'participant')),
  apiRoute(state, 'PUT', '/room/:room/member/:user', 'admin_room', call => {
    roomOf(call).members.add(userOf(call))
    return noContent
  }),
  apiRoute(state, 'DELETE', '/room/:room/member/:user', 'admin_room', call => {
    roomOf(call).members.delete(userOf(call))
    return noContent
  }),
  apiRoute(state, 'GET', '/room/:room/history', 'view_messages', call => {
    const { id, history } = roomOf(call)
    const isReversed = call.query.get('reverse') !== 'false'
    return collection(call.query, `${state.url}/v2/room/${id}/history`, isReversed ? history : history.toReversed())
  }),
  apiRoute(state, 'GET', '/room/:room/history/latest', 'view_messages', call => latest(state, call)),
  apiRoute(state, 'GET', '/room/:room/history/:message', 'view_messages', call => {
    const message = roomOf(call).history.find(item => item.id === call.params.message)
    if (message === undefined) throw new ApiError(404, 'Message not found.')
    return { status: 200, json: { message } }
  }),
]

function listRooms(state: HostState, call: ApiCall): Reply {
  const { query, token } = call
  const rooms = call.group.rooms.filter(
    room =>
      token.installation.covers(room) &&
      (query.get('include-private') !== 'false' || room.privacy === 'public') &&
      (query.get('include-archived') === 'true' || !room.isArchived),
  )
  return collection(
    query,
    `${state.url}/v2/room`,
    rooms.map(room => roomReference(state, room)),
  )
}

function sendNotification(state: HostState, call: ApiCall): Reply {
  const room = usableRoom(call)
  const headers = countCall(state, call.token, `room ${room.id}`, state.settings.floodControl)
  const parsed = parseNotification(call.json())
  if (!parsed.ok) throw new ApiError(400, parsed.reason)
  state.deliveries.inBackground(notify(state, room, call.token.installation, parsed.notification).told)
  return { status: 204, headers }
}

function sendMessage(state: HostState, call: ApiCall, kind: 'message' | 'reply'): HistoryItem {
  const room = usableRoom(call)
  const { text, parent } = readBody(() => {
    const body = readObject(call.json(), 'the body')
    const read = (one: unknown) => readText(one, 'parentMessageId')
    return { text: readText(body.message, 'message', 1000), parent: optional(body.parentMessageId, read) }
  })
  if (kind === 'reply' && !room.history.some(item => item.id === parent)) throw new ApiError(404, 'Message not found.')
  const { message, told } = post(state, room, call.token.installation, text, parent)
  state.deliveries.inBackground(told)
  return message
}

function people(state: HostState, call: ApiCall, kind: 'member' | 'participant'): Reply {
  const room = roomOf(call)
  const users = [...(kind === 'member' ? room.members : room.participants)]
  return collection(
    call.query,
    `${state.url}/v2/room/${room.id}/${kind}`,
    users.map(user => userReference(state, user)),
  )
}

/** The newest messages, oldest of them first; with `not-before`, none older than that message. */
function latest(state: HostState, call: ApiCall): Reply {
  const { id, history } = roomOf(call)
  const max = count(call.query, 'max-results', 75, 1000)
  const notBefore = call.query.get('not-before')
  const first = notBefore === null ? 0 : history.findIndex(item => item.id === notBefore)
  if (first < 0) throw new ApiError(404, 'Message not found.')
  const items = max === 0 ? [] : history.slice(first).slice(-max)
  return {
    status: 200,
    json: { items, startIndex: 0, maxResults: max, links: { self: `${state.url}/v2/room/${id}/history/latest` } },
  }
}

function usableRoom(call: ApiCall): RoomRecord {
  const room = roomOf(call)
  if (room.isArchived) throw new ApiError(403, 'The room is archived.')
  return room
}

/** An empty topic clears it. */
function readTopic(value: unknown): string {
  const { topic } = readObject(value, 'the body')
  return topic === '' ? '' : readText(topic, 'topic', 250)
}
