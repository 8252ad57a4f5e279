/**
 * Glances pushed to all who see them, without waiting for the next query (protocol A7). What a glance shows is checked before
 * anything leaves: ERR_CALL_INVALID names the field.
 */

import * as z from 'zod'
import { segment } from '../../common/address.ts'
import { checkFields } from '../../common/check.ts'
import { type GlanceInput, glanceContentShape } from '../glance-content.ts'
import { exactJson, type HostContent } from '../host-api.ts'
import type { RoomRef } from './address.ts'
import type { Operations } from './operations.ts'

/** The body of the API, or pairs of a glance's key and its content. */
export type GlanceUpdate =
  | { readonly glance: readonly { readonly key: string; readonly content: GlanceInput }[] }
  | readonly (readonly [key: string, content: GlanceInput])[]

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

const updateShape = z.array(z.looseObject({ key: z.string().min(1), content: glanceContentShape }))

function contentOf(update: GlanceUpdate): HostContent {
  const glances = 'glance' in update ? update.glance : update.map(([key, content]) => ({ key, content }))
  return exactJson({ glance: checkFields(updateShape, glances, 'the glances') })
}
