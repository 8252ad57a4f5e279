/**
 * `ctx.tenantClient`: the calls of HipChat's REST API for one tenant, each with a token for the scope it needs and no more.
 * `forRoom` binds the room. Sending, tokens and errors are `host-api.ts`'s matter.
 */

import type { TenantContext } from '../../core/context.ts'
import { PartywallError } from '../../core/errors.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { createHostCall, type HostCall, type QueryValue, segment } from './host-api.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { attributesOf } from './tenant.ts'

/** Id or name. */
export type RoomRef = number | string
export type Query = Readonly<Record<string, QueryValue>>
type Json = Promise<JsonValue>

export interface NotificationOptions {
  readonly color?: 'yellow' | 'green' | 'red' | 'purple' | 'gray' | 'random'
  /** Makes clients ring and blink; default false. */
  readonly notify?: boolean
  /** How the message is written; the host takes `html` when left out. */
  readonly format?: 'html' | 'text'
  /** Second label of the sender. */
  readonly from?: string
  readonly card?: object
  /** Message under which the notification is shown. */
  readonly attachTo?: string
}

export interface RoomWebhook {
  readonly name: string
  readonly event: string
  readonly url: string
  readonly pattern?: string
  readonly key?: string
  readonly authentication?: 'jwt' | 'none'
}

/** Methods resolve to the host's JSON body, `null` where it has none. Errors as in `createHostCall`. */
export interface TenantClient {
  /** Any call below the API base; `scopes` names the token's scopes. */
  request: HostCall
  sendNotification(room: RoomRef, message: string, options?: NotificationOptions): Json
  getRoom(room: RoomRef, query?: Query): Json
  getRoomMembers(room: RoomRef, query?: Query): Json
  setRoomTopic(room: RoomRef, topic: string): Json
  createRoomWebhook(room: RoomRef, webhook: RoomWebhook): Json
  getRoomWebhooks(room: RoomRef, query?: Query): Json
  deleteRoomWebhook(room: RoomRef, id: number | string): Json
  getUser(user: number | string, query?: Query): Json
  /** What the host says about an access token. */
  getSession(token: string): Json
  /** Revokes an access token. */
  deleteSession(token: string): Json
  /** The same calls with the room bound; left out: the room of the installation. */
  forRoom(room?: RoomRef): RoomClient
}

export interface RoomClient {
  readonly room: RoomRef
  sendNotification(message: string, options?: NotificationOptions): Json
  getRoom(query?: Query): Json
  getRoomMembers(query?: Query): Json
  setRoomTopic(topic: string): Json
  createRoomWebhook(webhook: RoomWebhook): Json
  getRoomWebhooks(query?: Query): Json
  deleteRoomWebhook(id: number | string): Json
}

export function createTenantClient(context: TenantContext, deps: LifecycleDeps): TenantClient {
  const request = createHostCall(context, deps)
  const roomPath = (room: RoomRef, rest = '') => `/room/${segment(room)}${rest}`
  const client: TenantClient = {
    request,
    sendNotification: async (room, message, options = {}) =>
      request('POST', roomPath(room, '/notification'), {
        scopes: ['send_notification'],
        body: notificationBody(message, options),
      }),
    getRoom: async (room, query) => request('GET', roomPath(room), { scopes: ['view_group'], ...asQuery(query) }),
    getRoomMembers: async (room, query) =>
      request('GET', roomPath(room, '/member'), { scopes: ['view_room'], ...asQuery(query) }),
    setRoomTopic: async (room, topic) =>
      request('PUT', roomPath(room, '/topic'), { scopes: ['admin_room'], body: { topic } }),
    createRoomWebhook: async (room, webhook) =>
      request('POST', roomPath(room, '/webhook'), { scopes: ['admin_room'], body: { ...webhook } }),
    getRoomWebhooks: async (room, query) =>
      request('GET', roomPath(room, '/webhook'), { scopes: ['admin_room'], ...asQuery(query) }),
    deleteRoomWebhook: async (room, id) =>
      request('DELETE', roomPath(room, `/webhook/${segment(id)}`), { scopes: ['admin_room'] }),
    getUser: async (user, query) =>
      request('GET', `/user/${segment(user)}`, { scopes: ['view_group'], ...asQuery(query) }),
    getSession: async token => request('GET', `/oauth/token/${segment(token)}`, { accessToken: token }),
    deleteSession: async token => request('DELETE', `/oauth/token/${segment(token)}`, { accessToken: token }),
    forRoom: room => createRoomClient(client, room ?? ownRoom(context)),
  }
  return client
}

/** The body of a notification, also of a webhook's reply (protocol A9). */
export function notificationBody(message: string, options: NotificationOptions): Record<string, unknown> {
  if (typeof message !== 'string' || message === '' || message.length > 10_000) {
    throw new TypeError('a notification has a message of 1 to 10,000 characters')
  }
  const { format, ...rest } = options
  return { message, ...(format === undefined ? {} : { messageFormat: format }), ...rest }
}

function createRoomClient(client: TenantClient, room: RoomRef): RoomClient {
  return {
    room,
    sendNotification: (message, options) => client.sendNotification(room, message, options),
    getRoom: query => client.getRoom(room, query),
    getRoomMembers: query => client.getRoomMembers(room, query),
    setRoomTopic: topic => client.setRoomTopic(room, topic),
    createRoomWebhook: webhook => client.createRoomWebhook(room, webhook),
    getRoomWebhooks: query => client.getRoomWebhooks(room, query),
    deleteRoomWebhook: id => client.deleteRoomWebhook(room, id),
  }
}

function ownRoom(context: TenantContext): RoomRef {
  const { room } = attributesOf(context.identity)
  if (room !== undefined) return room
  throw new PartywallError('ERR_OUTBOUND_URL', { message: 'installed for a whole group: name the room' })
}

const asQuery = (query: Query | undefined) => (query === undefined ? {} : { query })
