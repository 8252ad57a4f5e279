/** `GET /users/authorize`: the authorization page; the user of `host.signIn` accepts at once. */

import { ApiError } from '../server/api-error.ts'
import type { Call, Reply, Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { signedIn } from '../users/session.ts'
import { authorize } from './authorize.ts'

export const authorizeRoutes = (state: HostState): Route[] => [
  { method: 'GET', path: '/users/authorize', handle: call => accept(state, call) },
]

/** Nothing is sent to an address that the descriptor does not name: wrong requests are answered here. */
function accept(state: HostState, { query }: Call): Reply {
  const user = signedIn(state)
  const installation = state.clients.get(query.get('client_id') ?? '')
  if (installation === undefined || query.get('response_type') !== 'code') {
    throw new ApiError(400, 'The request names no known client_id, or another response_type than code.')
  }
  if (installation.group !== user.group) throw new ApiError(403, 'This add-on is of another group.')
  const scope = query.get('scope')
  const echoed = query.get('state')
  try {
    const location = authorize(state, installation, {
      user,
      redirectUri: query.get('redirect_uri') ?? '',
      ...(scope === null ? {} : { scopes: scope.split(' ').filter(one => one !== '') }),
      ...(echoed === null ? {} : { state: echoed }),
    })
    return { status: 302, headers: { location } }
  } catch (error) {
    if (error instanceof TypeError) throw new ApiError(400, `${error.message}.`)
    throw error
  }
}
