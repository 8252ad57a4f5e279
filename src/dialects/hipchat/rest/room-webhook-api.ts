/** Webhooks of one room over REST (protocol A8). `ctx.tenantWebhooks` builds on it and remembers; this does not. */

import { segment } from '../../common/address.ts'
import { type Query, type RoomRef, roomPath } from './address.ts'
import type { Operations } from './operations.ts'
import type { PageQuery } from './pages.ts'
import {
  createdShape,
  type HipchatCollection,
  type HipchatCreated,
  type HipchatRoomWebhook,
  webhookShape,
} from './shapes.ts'

export interface RoomWebhook {
  readonly name: string
  readonly event: string
  readonly url: string
  /** In the host's dialect. */
  readonly pattern?: string
  readonly key?: string
  readonly authentication?: 'jwt' | 'none'
}

type Page = Promise<HipchatCollection<HipchatRoomWebhook>>

/** All need `admin_room`. Calls about one room; `forRoom` binds the first argument. */
export interface RoomWebhookApi {
  getRoomWebhooks(room: RoomRef, query?: PageQuery): Page
  createRoomWebhook(room: RoomRef, webhook: RoomWebhook): Promise<HipchatCreated>
  getRoomWebhook(room: RoomRef, id: number | string, query?: Query): Promise<HipchatRoomWebhook>
  deleteRoomWebhook(room: RoomRef, id: number | string): Promise<null>
  /** `getRoomWebhooks` */
  getWebhooks(room: RoomRef, query?: PageQuery): Page
  /** `createRoomWebhook` */
  createWebhook(room: RoomRef, webhook: RoomWebhook): Promise<HipchatCreated>
  /** `getRoomWebhook` */
  getWebhook(room: RoomRef, id: number | string, query?: Query): Promise<HipchatRoomWebhook>
  /** `deleteRoomWebhook` */
  deleteWebhook(room: RoomRef, id: number | string): Promise<null>
}

export function createRoomWebhookApi({ read, readPage, create, change }: Operations): RoomWebhookApi {
  const all = (room: RoomRef) => roomPath(room, '/webhook')
  const one = (room: RoomRef, id: number | string) => roomPath(room, `/webhook/${segment(id)}`)
  const getAll: RoomWebhookApi['getWebhooks'] = async (room, query) =>
    readPage('admin_room', all(room), webhookShape, query)
  const add: RoomWebhookApi['createWebhook'] = async (room, webhook) =>
    create('POST', 'admin_room', all(room), createdShape, { body: webhook })
  const get: RoomWebhookApi['getWebhook'] = async (room, id, query) =>
    read('admin_room', one(room, id), webhookShape, query)
  const remove: RoomWebhookApi['deleteWebhook'] = async (room, id) => change('DELETE', 'admin_room', one(room, id))
  return {
    getRoomWebhooks: getAll,
    createRoomWebhook: add,
    getRoomWebhook: get,
    deleteRoomWebhook: remove,
    getWebhooks: getAll,
    createWebhook: add,
    getWebhook: get,
    deleteWebhook: remove,
  }
}
