/**
 * Parts of the descriptor that an installation adds at run time, in one room or for the whole group (protocol A9). The host takes
 * at most ten per kind, and none that the descriptor has.
 */

import * as z from 'zod'
import type { JsonValue } from '../../../core/tenant.ts'
import { segment } from '../../common/address.ts'
import { exactJson } from '../host-api.ts'
import { type RoomRef, roomPath } from './address.ts'
import type { Operations } from './operations.ts'

export type ExtensionKind = 'action' | 'dialog' | 'externalPage' | 'glance' | 'webPanel'

/** `definition` is an entry of the descriptor, spelled as there. Calls about one room; `forRoom` binds the first argument. */
export interface RoomExtensionApi {
  /** `admin_room` */
  putRoomExtension(room: RoomRef, kind: ExtensionKind | 'webhook', key: string, definition: object): Promise<JsonValue>
  /** `admin_room` */
  deleteRoomExtension(room: RoomRef, kind: ExtensionKind | 'webhook', key: string): Promise<null>
}

/** For the whole group. Webhooks cannot be added so. */
export interface ExtensionApi {
  /** `admin_group` */
  putExtension(kind: ExtensionKind, key: string, definition: object): Promise<JsonValue>
  /** `admin_group` */
  deleteExtension(kind: ExtensionKind, key: string): Promise<null>
}

/** Hosts differ in what they say about what they took. */
const anything = z.custom<JsonValue>()

export const createRoomExtensionApi = ({ create, change }: Operations): RoomExtensionApi => ({
  putRoomExtension: async (room, kind, key, definition) =>
    create('PUT', 'admin_room', roomPath(room, pathOf(kind, key)), anything, { content: exactJson(definition) }),
  deleteRoomExtension: async (room, kind, key) => change('DELETE', 'admin_room', roomPath(room, pathOf(kind, key))),
})

export const createExtensionApi = ({ create, change }: Operations): ExtensionApi => ({
  putExtension: async (kind, key, definition) =>
    create('PUT', 'admin_group', pathOf(kind, key), anything, { content: exactJson(definition) }),
  deleteExtension: async (kind, key) => change('DELETE', 'admin_group', pathOf(kind, key)),
})

const pathOf = (kind: string, key: string): string => `/extension/${segment(kind)}/${segment(key)}`
