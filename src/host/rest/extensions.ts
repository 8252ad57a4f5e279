/** Extensions that add-ons register at run time: wherever they are installed, or for one room. Webhooks: `room-webhooks`. */

import { EXTENSION_KINDS, type ExtensionKind } from '../extensions/extension.ts'
import { parseExtension } from '../extensions/parse-extension.ts'
import { readKey } from '../extensions/parts.ts'
import { MAX_DYNAMIC } from '../extensions/table.ts'
import type { RoomRecord } from '../model.ts'
import { ApiError } from '../server/api-error.ts'
import { noContent, type Reply, type Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { type ApiCall, apiRoute, ensureGlobal, orBadRequest, readBody, roomOf } from './access.ts'

export const extensionRoutes = (state: HostState): Route[] =>
  EXTENSION_KINDS.flatMap(kind => [
    apiRoute(state, 'PUT', `/extension/${kind}/:key`, 'admin_group', call => put(state, call, kind, everywhere(call))),
    apiRoute(state, 'DELETE', `/extension/${kind}/:key`, 'admin_group', call =>
      remove(state, call, kind, everywhere(call)),
    ),
    apiRoute(state, 'PUT', `/room/:room/extension/${kind}/:key`, 'admin_room', call =>
      put(state, call, kind, roomOf(call)),
    ),
    apiRoute(state, 'DELETE', `/room/:room/extension/${kind}/:key`, 'admin_room', call =>
      remove(state, call, kind, roomOf(call)),
    ),
  ])

function put(state: HostState, call: ApiCall, kind: ExtensionKind, room: RoomRecord | undefined): Reply {
  const extension = readBody(call, body => parseExtension(kind, { ...body, key: call.params.key }))
  const trouble = state.extensions.put({ installation: call.token.installation, room, extension })
  if (trouble === 'descriptor-key') throw new ApiError(400, 'The descriptor has this key; it cannot be replaced.')
  if (trouble === 'too-many') throw new ApiError(400, `There are ${MAX_DYNAMIC} of this kind already.`)
  return { status: 201, json: { key: extension.key } }
}

function remove(state: HostState, call: ApiCall, kind: ExtensionKind, room: RoomRecord | undefined): Reply {
  const key = orBadRequest(() => readKey(call.params.key, 'key'))
  const isRemoved = state.extensions.remove({ installation: call.token.installation, room, kind, key })
  if (!isRemoved) throw new ApiError(404, 'Extension not found.')
  return noContent
}

function everywhere(call: ApiCall): undefined {
  ensureGlobal(call)
  return undefined
}
