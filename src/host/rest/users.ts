/** Users over REST: listing, making, reading, changing and deleting them; their photo; writing to one. */

import { readChoice, readFlag, readText, refuse } from '../fields.ts'
import type { UserRecord } from '../model.ts'
import { ApiError } from '../server/api-error.ts'
import { noContent, type Reply, type Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { writePrivately } from '../users/private-message.ts'
import { readPhoto, readProfile } from '../users/profile.ts'
import { createUser, deleteUser, describeUser, findUser, userReference, userTrouble } from '../users/user.ts'
import { type ApiCall, apiRoute, ensureGlobal, readBody, userOf } from './access.ts'
import { collection, flag } from './collection.ts'
import { countMessage } from './limits.ts'

const MAX_PRIVATE_MESSAGE = 10_000

export const userRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'GET', '/user', 'view_group', call => list(state, call)),
  apiRoute(state, 'POST', '/user', 'admin_group', call => create(state, call)),
  apiRoute(state, 'GET', '/user/:user', 'view_group', call => {
    const user = findUser(call.group, call.params.user ?? '')
    if (user === undefined) throw new ApiError(404, 'User not found.')
    return { status: 200, json: describeUser(state, user) }
  }),
  apiRoute(state, 'PUT', '/user/:user', 'admin_group', call => update(state, call)),
  apiRoute(state, 'DELETE', '/user/:user', 'admin_group', call => {
    const user = changeable(call)
    if (user === call.group.owner) throw new ApiError(403, 'The owner of the group cannot be deleted.')
    deleteUser(state, user)
    return noContent
  }),
  apiRoute(state, 'PUT', '/user/:user/photo', 'admin_group', call => {
    const user = changeable(call)
    user.photoUrl = state.files.add(readBody(call, body => readPhoto(body.photo)))
    return noContent
  }),
  apiRoute(state, 'DELETE', '/user/:user/photo', 'admin_group', call => {
    changeable(call).photoUrl = undefined
    return noContent
  }),
  apiRoute(state, 'POST', '/user/:user/message', 'send_message', call => write(state, call)),
]

function list(state: HostState, { query, group }: ApiCall): Reply {
  const hasGuests = flag(query, 'include-guests', false)
  const hasDeleted = flag(query, 'include-deleted', false)
  const users = group.users.filter(user => (hasGuests || !user.isGuest) && (hasDeleted || !user.isDeleted))
  return collection(
    query,
    `${state.url}/v2/user`,
    users.map(user => userReference(state, user)),
  )
}

function create(state: HostState, call: ApiCall): Reply {
  ensureGlobal(call)
  const profile = readBody(call, body => {
    const { presence, ...read } = readProfile(body)
    // Who is given no mention name gets one made of the name.
    const spec = { ...read, mentionName: read.mentionName ?? read.name.replace(/[\s@]+/g, '') }
    refuse(userTrouble(call.group, spec))
    return { spec, presence }
  })
  const user = createUser(state, call.group, profile.spec)
  user.presence = profile.presence
  return { status: 201, json: { id: user.id, links: { self: `${state.url}/v2/user/${user.id}` } } }
}

function update(state: HostState, call: ApiCall): Reply {
  const user = changeable(call)
  const change = readBody(call, body => {
    const given = Object.fromEntries(Object.entries(readProfile(body)).filter(([, value]) => value !== undefined))
    refuse(userTrouble(call.group, { mentionName: user.mentionName, email: user.email, ...given }, user))
    return given
  })
  Object.assign(user, change, { version: state.random.text(8) })
  return noContent
}

function write(state: HostState, call: ApiCall): Reply {
  const user = userOf(call)
  const headers = countMessage(state, call.token, user)
  const { message, ...extra } = readBody(call, body => ({
    message: readText(body.message, 'message', MAX_PRIVATE_MESSAGE),
    notify: readFlag(body.notify, 'notify', false),
    message_format: readChoice(body.message_format, 'message_format', ['html', 'text'], 'text'),
  }))
  writePrivately(state, user, call.actor, message, extra)
  return { status: 204, headers }
}

function changeable(call: ApiCall): UserRecord {
  ensureGlobal(call)
  return userOf(call)
}
