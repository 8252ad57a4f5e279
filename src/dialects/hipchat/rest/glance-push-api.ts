/** Glances pushed to all who see them, without waiting for the next query (protocol A7). */

import { exactJson } from '../host-api.ts'
import { type RoomRef, segment } from './address.ts'
import type { Operations } from './operations.ts'

export interface GlanceContent {
  /** `value` is HTML: escape what people wrote. */
  readonly label: { readonly type: 'html'; readonly value: string }
  readonly status?: GlanceStatus
  /** What the `glance_matches` condition of an action looks at. */
  readonly metadata?: object
}
export type GlanceStatus =
  | {
      readonly type: 'lozenge'
      readonly value: {
        readonly label: string
        readonly type: 'default' | 'success' | 'error' | 'current' | 'new' | 'complete' | 'moved'
      }
    }
  | { readonly type: 'icon'; readonly value: { readonly url: string; readonly 'url@2x'?: string } }

/** The body of the API, or pairs of a glance's key and its content. */
export type GlanceUpdate =
  | { readonly glance: readonly { readonly key: string; readonly content: GlanceContent }[] }
  | readonly (readonly [key: string, content: GlanceContent])[]

export interface GlancePushApi {
  /** To everybody in the group: `view_group` */
  glancePushGroup(update: GlanceUpdate): Promise<null>
  /** By the id of the person: `view_group` */
  glancePushUser(userId: number | string, update: GlanceUpdate): Promise<null>
}

/** `forRoom` binds the first argument. */
export interface RoomGlancePushApi {
  /** By the id of the room: `view_room` */
  glancePushRoom(roomId: RoomRef, update: GlanceUpdate): Promise<null>
}

export const createGlancePushApi = ({ change }: Operations): GlancePushApi => ({
  glancePushGroup: async update => change('POST', 'view_group', '/addon/ui', { content: contentOf(update) }),
  glancePushUser: async (userId, update) =>
    change('POST', 'view_group', `/addon/ui/user/${segment(userId)}`, { content: contentOf(update) }),
})

export const createRoomGlancePushApi = ({ change }: Operations): RoomGlancePushApi => ({
  glancePushRoom: async (roomId, update) =>
    change('POST', 'view_room', `/addon/ui/room/${segment(roomId)}`, { content: contentOf(update) }),
})

const contentOf = (update: GlanceUpdate) =>
  exactJson('glance' in update ? update : { glance: update.map(([key, content]) => ({ key, content })) })
