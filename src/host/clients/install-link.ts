/** `GET /addons/install`: the link that offers an add-on. Who follows it is the user of `host.signIn`, who accepts. */

import { DescriptorError } from '../descriptor-document.ts'
import { findRoom } from '../rooms/room.ts'
import { ApiError } from '../server/api-error.ts'
import type { Call, Reply, Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { signedIn } from '../users/session.ts'
import type { Installation } from './installation.ts'
import { install } from './lifecycle.ts'

export const installLinkRoutes = (state: HostState): Route[] => [
  { method: 'GET', path: '/addons/install', handle: call => follow(state, call) },
  { method: 'GET', path: '/addons', handle: () => ({ status: 200, json: { installed: true } }) },
]

async function follow(state: HostState, { query }: Call): Promise<Reply> {
  const { group } = signedIn(state)
  const roomName = query.get('room')
  const room = roomName === null ? undefined : findRoom(group, roomName)
  if (roomName !== null && room === undefined) throw new ApiError(404, 'Room not found.')
  const relayState = query.get('relayState') ?? undefined
  const installation = await attempt(() => install(state, sourceOf(state, query), { group, room, relayState }))
  if (installation.state !== 'installed') {
    throw new ApiError(502, `The add-on could not be installed: ${reasonOf(installation)}.`)
  }
  const { oauthId } = installation
  return { status: 200, json: { installed: true, oauthId, groupId: group.id, roomId: room?.id } }
}

function sourceOf(state: HostState, query: URLSearchParams): string | object {
  const [url, key] = [query.get('url'), query.get('key')]
  if ((url === null) === (key === null)) throw new ApiError(400, 'The link names a url or a key, and not both.')
  const source = url ?? state.catalog.get(key ?? '')
  if (source === undefined) throw new ApiError(404, 'No add-on is listed with this key.')
  return source
}

async function attempt(work: () => Promise<Installation>): Promise<Installation> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof DescriptorError)) throw error
    throw new ApiError(error.reason === 'invalid' ? 400 : 502, `The descriptor is ${error.reason}: ${error.message}.`)
  }
}

const reasonOf = ({ result }: Installation): string =>
  result?.failure ?? (result?.status === undefined ? 'no answer' : `it answered ${result.status}`)
