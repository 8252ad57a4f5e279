/** What is said in a room: notifications, messages, replies, shared links and files, and the history (protocol A9). */

import { segment } from '../../common/address.ts'
import { exactJson } from '../host-api.ts'
import { type Query, type RoomRef, roomPath } from './address.ts'
import { type NotificationOptions, notificationBody } from './notification.ts'
import type { Operations } from './operations.ts'
import type { PageQuery } from './pages.ts'
import {
  type HipchatCollection,
  type HipchatHistoryItem,
  type HipchatPosted,
  type HipchatSingleMessage,
  historyItemShape,
  postedShape,
  singleMessageShape,
} from './shapes.ts'
import { type FileShare, linkBody, type SharedFile } from './share.ts'
import type { EitherSpelling } from './spelling.ts'

export interface HistoryQuery extends PageQuery {
  /** The newest moment, ISO 8601, or `recent`. */
  readonly date?: string
  /** The oldest moment, ISO 8601. */
  readonly endDate?: string
  /** IANA name; how days are cut. */
  readonly timezone?: string
  /** Oldest first; the host's default is true. */
  readonly reverse?: boolean
  readonly includeDeleted?: boolean
}

export interface RecentQuery extends Query {
  readonly maxResults?: number
  readonly timezone?: string
  /** Id of the oldest message wanted. */
  readonly notBefore?: string
  readonly expand?: string | readonly string[]
}

/** Calls about one room; `forRoom` binds the first argument. */
export interface RoomMessageApi {
  /** `send_notification`. Checked before anything leaves. @throws PartywallError ERR_CALL_INVALID with the field */
  sendNotification(room: RoomRef, message: string, options?: EitherSpelling<NotificationOptions>): Promise<null>
  /** `send_message` */
  sendRoomMessage(room: RoomRef, message: string): Promise<HipchatPosted>
  /** `send_message` */
  replyToMessage(room: RoomRef, parentMessageId: string, message: string): Promise<null>
  /** `send_message` */
  shareLinkWithRoom(room: RoomRef, link: string, message?: string): Promise<null>
  /** `send_message`. @throws PartywallError ERR_CALL_INVALID for a name, a type or a size that cannot be sent */
  shareFileWithRoom(room: RoomRef, file: SharedFile, message?: string): Promise<null>
  /** `view_messages` */
  getRoomHistory(room: RoomRef, query?: HistoryQuery): Promise<HipchatCollection<HipchatHistoryItem>>
  /** The newest messages: `view_messages` */
  getRecentRoomHistory(room: RoomRef, query?: RecentQuery): Promise<HipchatCollection<HipchatHistoryItem>>
  /** `view_messages` */
  getRoomMessage(room: RoomRef, messageId: string, query?: Query): Promise<HipchatSingleMessage>
}

export const createRoomMessageApi = (
  { read, readPage, create, change }: Operations,
  shareFile: FileShare,
): RoomMessageApi => ({
  sendNotification: async (room, message, options) =>
    change('POST', 'send_notification', roomPath(room, '/notification'), { body: notificationBody(message, options) }),
  sendRoomMessage: async (room, message) =>
    // Host quirk: documented as 201, answered with 200 by some.
    create('POST', 'send_message', roomPath(room, '/message'), postedShape, { body: { message }, expect: [201, 200] }),
  replyToMessage: async (room, parentMessageId, message) =>
    // Host quirk: the one body of the API that is spelled in camelCase.
    change('POST', 'send_message', roomPath(room, '/reply'), { content: exactJson({ parentMessageId, message }) }),
  shareLinkWithRoom: async (room, link, message) =>
    change('POST', 'send_message', roomPath(room, '/share/link'), { body: linkBody(link, message) }),
  shareFileWithRoom: async (room, file, message) => shareFile(roomPath(room, '/share/file'), file, message),
  getRoomHistory: async (room, query) =>
    readPage('view_messages', roomPath(room, '/history'), historyItemShape, historyQuery(query)),
  getRecentRoomHistory: async (room, query) =>
    readPage('view_messages', roomPath(room, '/history/latest'), historyItemShape, query),
  getRoomMessage: async (room, messageId, query) =>
    read('view_messages', roomPath(room, `/history/${segment(messageId)}`), singleMessageShape, query),
})

/** Host quirk: the one parameter of the API that is spelled in snake_case. */
function historyQuery({ includeDeleted, ...rest }: HistoryQuery = {}): Query {
  return includeDeleted === undefined ? rest : { ...rest, include_deleted: includeDeleted }
}
