/** The token endpoint: credentials, a code or a refresh token for an access token; what a token is good for, and its end. */

import { parseBasic, parseTokenRequest } from '../../wire/oauth2-server.ts'
import type { Installation } from '../clients/installation.ts'
import type { AccessToken } from '../clients/tokens.ts'
import { isCoded } from '../coded-error.ts'
import { clientReference } from '../rooms/reference.ts'
import { ApiError } from '../server/api-error.ts'
import { type Call, noContent, type Reply, type Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { userReference } from '../users/user.ts'
import { grant } from './token-grants.ts'

export const tokenRoutes = (state: HostState): Route[] => [
  {
    method: 'POST',
    path: '/v2/oauth/token',
    handle: call => {
      const installation = findClient(state, call)
      call.installation = installation
      return state.faults.apply('token', installation?.oauthId, () => issue(state, installation, call))
    },
  },
  {
    method: 'GET',
    path: '/v2/oauth/token/:token',
    isSecret: true,
    handle: call => ({ status: 200, json: describe(state, tokenOfPath(state, call)) }),
  },
  {
    method: 'DELETE',
    path: '/v2/oauth/token/:token',
    isSecret: true,
    handle: call => {
      state.tokens.revoke(tokenOfPath(state, call).value)
      return noContent
    },
  },
]

function findClient(state: HostState, call: Call): Installation | undefined {
  const { id, secret } = orApiError(() => parseBasic(call.header('authorization')))
  const installation = state.clients.get(id)
  return installation?.honours(secret) === true ? installation : undefined
}

function issue(state: HostState, installation: Installation | undefined, call: Call): Reply {
  if (installation === undefined) throw new ApiError(401, 'The client is unknown or has been revoked.')
  const request = orApiError(() => parseTokenRequest(call.header('content-type'), call.body))
  const { rights, refreshToken } = grant(state, installation, request)
  const token = state.tokens.issue(rights, state.settings.tokenSeconds)
  return {
    status: 200,
    // RFC 6749 s. 5.1
    headers: { 'cache-control': 'no-store' },
    json: {
      access_token: token.value,
      token_type: 'bearer',
      expires_in: state.settings.tokenSeconds - 1,
      scope: rights.scopes.join(' '),
      group_id: installation.group.id,
      group_name: installation.group.name,
      ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    },
  }
}

/** The token in the path is its own proof; a header, if there is one, must hold the same installation's. */
function tokenOfPath(state: HostState, call: Call): AccessToken {
  const token = state.tokens.find(call.params.token ?? '')
  if (token === undefined) throw new ApiError(404, 'Session not found.')
  const header = call.header('authorization')
  const holder = header === undefined ? token : state.tokens.find(/^Bearer +(\S+)$/i.exec(header)?.[1] ?? '')
  if (holder?.installation !== token.installation) throw new ApiError(401, 'Invalid OAuth session.')
  call.installation = token.installation
  return token
}

function describe(state: HostState, token: AccessToken) {
  const { installation, user } = token
  return {
    access_token: token.value,
    client: clientReference(state, installation),
    expires_in: Math.floor((token.expiresAt - state.clock.now()) / 1000),
    group_id: installation.group.id,
    group_name: installation.group.name,
    ...(user === undefined ? { owner_type: 'client' } : { owner_type: 'user', owner: userReference(state, user) }),
    scopes: [...token.scopes],
  }
}

/** The wire's parsers throw coded errors; the API answers in its own form. */
function orApiError<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (isCoded(error)) throw new ApiError(error.status, error.publicMessage)
    throw error
  }
}
