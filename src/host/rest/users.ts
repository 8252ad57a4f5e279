/** Users over REST: seeing them and writing to one. */

import { readObject, readText } from '../fields.ts'
import { newMessage } from '../rooms/messages.ts'
import { noContent, type Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { describeUser, userReference } from '../users/user.ts'
import { apiRoute, readBody, userOf } from './access.ts'
import { collection } from './collection.ts'

export const userRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'GET', '/user', 'view_group', call => {
    const hasGuests = call.query.get('include-guests') === 'true'
    const users = call.group.users.filter(user => hasGuests || !user.isGuest)
    return collection(
      call.query,
      `${state.url}/v2/user`,
      users.map(user => userReference(state, user)),
    )
  }),
  apiRoute(state, 'GET', '/user/:user', 'view_group', call => ({
    status: 200,
    json: describeUser(state, userOf(call)),
  })),
  apiRoute(state, 'POST', '/user/:user/message', 'send_message', call => {
    const user = userOf(call)
    const message = readBody(() => readText(readObject(call.json(), 'the body').message, 'message', 10_000))
    user.messages.push(newMessage(state, { from: call.token.installation.label, message, type: 'message' }))
    return noContent
  }),
]
