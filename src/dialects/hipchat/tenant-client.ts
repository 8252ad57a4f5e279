/**
 * `ctx.tenantClient`: HipChat's REST API for one tenant, each call with a token for the scope it needs and no more. `forRoom` and
 * `forUser` bind the room or the person.
 *
 * The calls stand in `rest/*-api.ts`; sending, tokens and errors are `host-api.ts`'s matter.
 */

import type { TenantContext } from '../../core/context.ts'
import { PartywallError } from '../../core/errors.ts'
import { createHostApi, type HostCall } from './host-api.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import type { RoomRef, UserRef } from './rest/address.ts'
import { type Bound, bindFirst } from './rest/bound-client.ts'
import { createEmoticonApi, type EmoticonApi } from './rest/emoticon-api.ts'
import {
  createExtensionApi,
  createRoomExtensionApi,
  type ExtensionApi,
  type RoomExtensionApi,
} from './rest/extension-api.ts'
import {
  createGlancePushApi,
  createRoomGlancePushApi,
  type GlancePushApi,
  type RoomGlancePushApi,
} from './rest/glance-push-api.ts'
import { createOperations } from './rest/operations.ts'
import type { Pages } from './rest/pages.ts'
import type { RateLimit } from './rest/rate-limit.ts'
import { createRoomApi, createRoomsApi, type RoomApi, type RoomsApi } from './rest/room-api.ts'
import { createRoomMessageApi, type RoomMessageApi } from './rest/room-message-api.ts'
import { createRoomWebhookApi, type RoomWebhookApi } from './rest/room-webhook-api.ts'
import { createSessionApi, type SessionApi } from './rest/session-api.ts'
import { createFileShare } from './rest/share.ts'
import { createUserApi, createUsersApi, type UserApi, type UsersApi } from './rest/user-api.ts'
import { attributesOf } from './tenant.ts'

export type { RoomRef }

interface RoomMethods extends RoomApi, RoomMessageApi, RoomWebhookApi, RoomExtensionApi, RoomGlancePushApi {}

/** Methods resolve to what the host answered, `null` where it says nothing. Errors as in `HostApi.call`. */
export interface TenantClient
  extends RoomsApi,
    RoomMethods,
    UsersApi,
    UserApi,
    EmoticonApi,
    ExtensionApi,
    GlancePushApi,
    SessionApi,
    Pick<Pages, 'items'> {
  /** Any call below the API base; `scopes` names the token's scopes. */
  readonly request: HostCall
  /** What the host said last about calls per token; `undefined` before it has. */
  readonly rateLimit: RateLimit | undefined
  /** The same about messages to one room or person. */
  readonly floodControl: RateLimit | undefined
  /** The calls about one room with the room bound; left out: the room of the installation. @throws PartywallError ERR_OUTBOUND_URL */
  forRoom(room?: RoomRef): RoomClient
  /** The calls about one person with the person bound. */
  forUser(user: UserRef): UserClient
}

export interface RoomClient extends Bound<RoomMethods> {
  readonly room: RoomRef
}

export interface UserClient extends Bound<UserApi> {
  readonly user: UserRef
}

export function createTenantClient(context: TenantContext, deps: LifecycleDeps): TenantClient {
  const api = createHostApi(context, deps)
  const operations = createOperations(api)
  const shareFile = createFileShare(operations, deps.random)
  const { room: ownRoom } = attributesOf(context.identity)
  const roomMethods: RoomMethods = {
    ...createRoomApi(operations),
    ...createRoomMessageApi(operations, shareFile),
    ...createRoomWebhookApi(operations),
    ...createRoomExtensionApi(operations),
    ...createRoomGlancePushApi(operations),
  }
  const userMethods = createUserApi(operations, shareFile)
  return {
    ...createRoomsApi(operations),
    ...roomMethods,
    ...createUsersApi(operations),
    ...userMethods,
    ...createEmoticonApi(operations),
    ...createExtensionApi(operations),
    ...createGlancePushApi(operations),
    ...createSessionApi(api, { declaredScopes: deps.settings.scopes, room: ownRoom }),
    items: operations.items,
    request: api.call,
    get rateLimit() {
      return api.limits().rate
    },
    get floodControl() {
      return api.limits().flood
    },
    forRoom: (room = requireRoom(ownRoom)) => ({ room, ...bindFirst(roomMethods, room) }),
    forUser: user => ({ user, ...bindFirst(userMethods, user) }),
  }
}

function requireRoom(room: RoomRef | undefined): RoomRef {
  if (room !== undefined) return room
  throw new PartywallError('ERR_OUTBOUND_URL', { message: 'installed for a whole group: name the room' })
}
