/** People of a room over REST: members, participants, invitations. */

import { optional, readText } from '../fields.ts'
import type { RoomRecord, UserRecord } from '../model.ts'
import { noContent, type Reply, type Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { userReference } from '../users/user.ts'
import { type ApiCall, apiRoute, readBody, roomOf, usableRoom, userOf } from './access.ts'
import { collection } from './collection.ts'

export const roomPeopleRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'GET', '/room/:room/member', 'view_room', call => {
    const room = roomOf(call)
    return people(state, call, room, 'member', room.members)
  }),
  apiRoute(state, 'GET', '/room/:room/participant', 'view_room', call => {
    const room = roomOf(call)
    return people(state, call, room, 'participant', room.participants)
  }),
  apiRoute(state, 'PUT', '/room/:room/member/:user', 'admin_room', call => {
    roomOf(call).members.add(userOf(call))
    return noContent
  }),
  apiRoute(state, 'DELETE', '/room/:room/member/:user', 'admin_room', call => {
    roomOf(call).members.delete(userOf(call))
    return noContent
  }),
  apiRoute(state, 'POST', '/room/:room/invite/:user', 'admin_room', call => {
    const room = usableRoom(call)
    const user = userOf(call)
    const reason = readBody(call, body => optional(body.reason, one => readText(one, 'reason', 250))) ?? ''
    user.invitations.push({ room, reason, oauthId: call.token.installation.oauthId })
    return noContent
  }),
]

const people = (
  state: HostState,
  call: ApiCall,
  room: RoomRecord,
  kind: 'member' | 'participant',
  users: ReadonlySet<UserRecord>,
): Reply =>
  collection(
    call.query,
    `${state.url}/v2/room/${room.id}/${kind}`,
    [...users].map(user => userReference(state, user)),
  )
