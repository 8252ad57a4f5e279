/** Who may make an API call: the token, its scopes, its rate, the room or user it may touch. */

import type { Scope } from '../clients/scopes.ts'
import type { AccessToken } from '../clients/tokens.ts'
import { FieldError, readObject } from '../fields.ts'
import { groupRecord } from '../groups/group.ts'
import type { ApiActor, GroupRecord, RoomRecord, UserRecord } from '../model.ts'
import { findRoom } from '../rooms/room.ts'
import { ApiError } from '../server/api-error.ts'
import type { Call, Reply, Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { findUser } from '../users/user.ts'
import { expand } from './expand.ts'
import { countCall } from './limits.ts'

/** An API call whose token is good for it. */
export interface ApiCall extends Call {
  readonly token: AccessToken
  readonly group: GroupRecord
  /** The user of a user's token, and the add-on. */
  readonly actor: ApiActor
  /** The body as JSON; an absent one is an empty object. @throws ApiError 400 */
  json(): unknown
}

/** A route behind a token. Every such route understands `auth_test=true`, and `expand` where it answers with entities. */
export function apiRoute(
  state: HostState,
  method: string,
  path: string,
  scope: Scope | undefined,
  handle: (call: ApiCall) => Reply,
): Route {
  return {
    method,
    path: `/v2${path}`,
    handle: call => {
      const token = findToken(state, call)
      call.installation = token?.installation
      return state.faults.apply('rest', token?.installation.oauthId, () => {
        const good = checkToken(token, scope)
        const headers = countCall(state, good)
        const isTest = call.query.get('auth_test') === 'true'
        const reply = isTest ? { status: 202 } : expand(state, good, call.query, handle(apiCall(state, call, good)))
        return { ...reply, headers: { ...headers, ...reply.headers } }
      })
    },
  }
}

const apiCall = (state: HostState, call: Call, token: AccessToken): ApiCall => ({
  ...call,
  token,
  group: groupRecord(state, token.installation.group),
  actor: { user: token.user, source: token.installation },
  json: () => parseJson(call.body),
})

/** The room that a path names. @throws ApiError 404 outside the group, 403 outside a room installation */
export function roomOf(call: ApiCall): RoomRecord {
  const room = findRoom(call.group, call.params.room ?? '')
  if (room === undefined) throw new ApiError(404, 'Room not found.')
  if (!call.token.installation.covers(room)) throw new ApiError(403, 'This installation is of another room.')
  return room
}

/** The same, for calls that change something in it. @throws ApiError 403 for an archived room */
export function usableRoom(call: ApiCall): RoomRecord {
  const room = roomOf(call)
  if (room.isArchived) throw new ApiError(403, 'The room is archived.')
  return room
}

/** The user that a path names. @throws ApiError 404 outside the group and for those who were deleted */
export function userOf(call: ApiCall): UserRecord {
  const user = findUser(call.group, call.params.user ?? '')
  if (user === undefined || user.isDeleted) throw new ApiError(404, 'User not found.')
  return user
}

/** @throws ApiError 403 for an installation in one room */
export function ensureGlobal(call: ApiCall): void {
  if (call.token.installation.room !== undefined) throw new ApiError(403, 'This installation is of one room only.')
}

/** Reads a JSON body's fields. @throws ApiError 400 with the reason */
export const readBody = <T>(call: ApiCall, read: (body: Readonly<Record<string, unknown>>) => T): T =>
  orBadRequest(() => read(readObject(call.json(), 'the body')))

/** @throws ApiError 400 with the reason of a FieldError */
export function orBadRequest<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof FieldError) throw new ApiError(400, error.message)
    throw error
  }
}

function findToken(state: HostState, call: Call): AccessToken | undefined {
  const header = /^Bearer +(\S+)$/i.exec(call.header('authorization') ?? '')?.[1]
  return state.tokens.find(header ?? call.query.get('auth_token') ?? '')
}

function checkToken(token: AccessToken | undefined, scope: Scope | undefined): AccessToken {
  if (token === undefined) throw new ApiError(401, 'Invalid OAuth session.')
  if (scope !== undefined && !token.scopes.has(scope)) throw new ApiError(401, `This call needs the scope ${scope}.`)
  return token
}

/** @throws ApiError 400 */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) return {}
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) throw new ApiError(400, 'The body is not JSON.')
    throw error
  }
}
