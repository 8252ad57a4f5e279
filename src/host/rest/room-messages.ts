/** Speaking in a room over REST: notifications, messages, replies. */

import { readText } from '../fields.ts'
import { post } from '../rooms/actions.ts'
import { parseNotification } from '../rooms/notification.ts'
import { notify } from '../rooms/notify.ts'
import { ApiError } from '../server/api-error.ts'
import type { Reply, Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { type ApiCall, apiRoute, readBody, usableRoom } from './access.ts'
import { countMessage } from './limits.ts'

const MAX_MESSAGE = 1000

export const roomMessageRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'POST', '/room/:room/notification', 'send_notification', call => sendNotification(state, call)),
  apiRoute(state, 'POST', '/room/:room/message', 'send_message', call => sendMessage(state, call)),
  apiRoute(state, 'POST', '/room/:room/reply', 'send_message', call => sendReply(state, call)),
]

function sendNotification(state: HostState, call: ApiCall): Reply {
  const room = usableRoom(call)
  const headers = countMessage(state, call.token, room)
  const parsed = parseNotification(call.json())
  if (!parsed.ok) throw new ApiError(400, parsed.reason)
  state.deliveries.inBackground(notify(state, room, call.token.installation, parsed.notification).told)
  return { status: 204, headers }
}

function sendMessage(state: HostState, call: ApiCall): Reply {
  const room = usableRoom(call)
  const headers = countMessage(state, call.token, room)
  const text = readBody(call, body => readText(body.message, 'message', MAX_MESSAGE))
  const { message, told } = post(state, room, call.actor, text)
  state.deliveries.inBackground(told)
  return { status: 201, headers, json: { id: message.id, timestamp: message.date } }
}

function sendReply(state: HostState, call: ApiCall): Reply {
  const room = usableRoom(call)
  const headers = countMessage(state, call.token, room)
  const { text, parent } = readBody(call, body => ({
    text: readText(body.message, 'message', MAX_MESSAGE),
    parent: readText(body.parentMessageId, 'parentMessageId'),
  }))
  if (!room.history.some(item => item.id === parent)) throw new ApiError(404, 'Message not found.')
  state.deliveries.inBackground(post(state, room, call.actor, text, { attach_to: parent }).told)
  return { status: 204, headers }
}
