/** Rooms themselves, who is in them, their topic and statistics (protocol A9). */

import { segment } from '../../common/address.ts'
import { type Query, type RoomRef, roomPath, type UserRef } from './address.ts'
import type { Operations } from './operations.ts'
import type { PageQuery } from './pages.ts'
import {
  createdShape,
  type HipchatCollection,
  type HipchatCreated,
  type HipchatRoom,
  type HipchatRoomStatistics,
  type HipchatUser,
  roomShape,
  statisticsShape,
  userShape,
} from './shapes.ts'
import type { EitherSpelling } from './spelling.ts'

export interface NewRoom {
  readonly name: string
  readonly topic?: string
  readonly privacy?: 'public' | 'private'
  readonly guestAccess?: boolean
  readonly ownerUserId?: UserRef
}

/** The host wants all of it. */
export interface RoomUpdate {
  readonly name: string
  readonly privacy: 'public' | 'private'
  readonly isArchived: boolean
  readonly isGuestAccessible: boolean
  readonly topic: string
  readonly owner: { readonly id: UserRef }
}

export interface RoomsQuery extends PageQuery {
  readonly includePrivate?: boolean
  readonly includeArchived?: boolean
}

/** Calls about the rooms of the group. */
export interface RoomsApi {
  /** `view_group` */
  getRooms(query?: RoomsQuery): Promise<HipchatCollection<HipchatRoom>>
  /** `manage_rooms` */
  createRoom(room: EitherSpelling<NewRoom>): Promise<HipchatCreated>
}

/** Calls about one room; `forRoom` binds the first argument. */
export interface RoomApi {
  /** `view_group` */
  getRoom(room: RoomRef, query?: Query): Promise<HipchatRoom>
  /** `admin_room` */
  updateRoom(room: RoomRef, update: EitherSpelling<RoomUpdate>): Promise<null>
  /** `manage_rooms` */
  deleteRoom(room: RoomRef): Promise<null>
  /** `view_group` */
  getRoomStatistics(room: RoomRef, query?: Query): Promise<HipchatRoomStatistics>
  /** `admin_room` */
  setRoomTopic(room: RoomRef, topic: string): Promise<null>
  /** `view_room` */
  getRoomMembers(room: RoomRef, query?: PageQuery): Promise<HipchatCollection<HipchatUser>>
  /** `admin_room` */
  addRoomMember(room: RoomRef, user: UserRef): Promise<null>
  /** `admin_room` */
  removeRoomMember(room: RoomRef, user: UserRef): Promise<null>
  /** Who is in the room now: `view_room` */
  getRoomParticipants(room: RoomRef, query?: PageQuery): Promise<HipchatCollection<HipchatUser>>
  /** `admin_room` */
  inviteToRoom(room: RoomRef, user: UserRef, reason?: string): Promise<null>
}

export const createRoomsApi = ({ readPage, create }: Operations): RoomsApi => ({
  getRooms: async query => readPage('view_group', '/room', roomShape, query),
  createRoom: async room => create('POST', 'manage_rooms', '/room', createdShape, { body: room }),
})

export const createRoomApi = ({ read, readPage, change }: Operations): RoomApi => ({
  getRoom: async (room, query) => read('view_group', roomPath(room), roomShape, query),
  updateRoom: async (room, update) => change('PUT', 'admin_room', roomPath(room), { body: update }),
  deleteRoom: async room => change('DELETE', 'manage_rooms', roomPath(room)),
  getRoomStatistics: async (room, query) => read('view_group', roomPath(room, '/statistics'), statisticsShape, query),
  setRoomTopic: async (room, topic) => change('PUT', 'admin_room', roomPath(room, '/topic'), { body: { topic } }),
  getRoomMembers: async (room, query) => readPage('view_room', roomPath(room, '/member'), userShape, query),
  addRoomMember: async (room, user) => change('PUT', 'admin_room', memberPath(room, user)),
  removeRoomMember: async (room, user) => change('DELETE', 'admin_room', memberPath(room, user)),
  getRoomParticipants: async (room, query) => readPage('view_room', roomPath(room, '/participant'), userShape, query),
  inviteToRoom: async (room, user, reason) =>
    change('POST', 'admin_room', roomPath(room, `/invite/${segment(user)}`), { body: { reason } }),
})

const memberPath = (room: RoomRef, user: UserRef): string => roomPath(room, `/member/${segment(user)}`)
