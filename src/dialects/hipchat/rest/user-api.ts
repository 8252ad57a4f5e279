/** People: looking them up, managing them, writing to one of them (protocol A9). */

import { segment } from '../../common/address.ts'
import { type Query, type UserRef, userPath } from './address.ts'
import type { Operations } from './operations.ts'
import type { PageQuery } from './pages.ts'
import type { RecentQuery } from './room-message-api.ts'
import {
  createdShape,
  type HipchatCollection,
  type HipchatCreated,
  type HipchatHistoryItem,
  type HipchatSingleMessage,
  type HipchatUser,
  historyItemShape,
  singleMessageShape,
  userShape,
} from './shapes.ts'
import { type FileShare, linkBody, type SharedFile } from './share.ts'
import type { EitherSpelling } from './spelling.ts'

export interface UserFields {
  readonly name: string
  readonly email: string
  readonly title?: string
  readonly mentionName?: string
  readonly isGroupAdmin?: boolean
  /** IANA name. */
  readonly timezone?: string
  readonly password?: string
  readonly presence?: { readonly status?: string; readonly show?: 'away' | 'chat' | 'dnd' | 'xa' }
}

export interface UsersQuery extends PageQuery {
  readonly includeGuests?: boolean
  readonly includeDeleted?: boolean
}

export interface PrivateMessageOptions {
  /** Makes clients ring and blink; default false. */
  readonly notify?: boolean
  readonly format?: 'html' | 'text'
}

/** Calls about the people of the group. */
export interface UsersApi {
  /** `view_group` */
  getUsers(query?: UsersQuery): Promise<HipchatCollection<HipchatUser>>
  /** `admin_group` */
  createUser(user: EitherSpelling<UserFields>): Promise<HipchatCreated>
}

/** Calls about one person; `forUser` binds the first argument. */
export interface UserApi {
  /** `view_group` */
  getUser(user: UserRef, query?: Query): Promise<HipchatUser>
  /** `admin_group` */
  updateUser(user: UserRef, update: EitherSpelling<UserFields>): Promise<null>
  /** `admin_group` */
  deleteUser(user: UserRef): Promise<null>
  /** A picture as base64, or its bytes: `admin_group` */
  updateUserPhoto(user: UserRef, photo: string | Uint8Array): Promise<null>
  /** `admin_group` */
  deleteUserPhoto(user: UserRef): Promise<null>
  /** `send_message` */
  sendPrivateMessage(user: UserRef, message: string, options?: PrivateMessageOptions): Promise<null>
  /** `send_message` */
  shareLinkWithUser(user: UserRef, link: string, message?: string): Promise<null>
  /** `send_message`. @throws PartywallError ERR_CALL_INVALID for a name, a type or a size that cannot be sent */
  shareFileWithUser(user: UserRef, file: SharedFile, message?: string): Promise<null>
  /** `view_messages` */
  getRecentPrivateChatHistory(user: UserRef, query?: RecentQuery): Promise<HipchatCollection<HipchatHistoryItem>>
  /** `view_messages` */
  getPrivateChatMessage(user: UserRef, messageId: string, query?: Query): Promise<HipchatSingleMessage>
}

export const createUsersApi = ({ readPage, create }: Operations): UsersApi => ({
  getUsers: async query => readPage('view_group', '/user', userShape, query),
  createUser: async user => create('POST', 'admin_group', '/user', createdShape, { body: user }),
})

export const createUserApi = ({ read, readPage, change }: Operations, shareFile: FileShare): UserApi => ({
  getUser: async (user, query) => read('view_group', userPath(user), userShape, query),
  updateUser: async (user, update) => change('PUT', 'admin_group', userPath(user), { body: update }),
  deleteUser: async user => change('DELETE', 'admin_group', userPath(user)),
  updateUserPhoto: async (user, photo) =>
    change('PUT', 'admin_group', userPath(user, '/photo'), {
      body: { photo: typeof photo === 'string' ? photo : Buffer.from(photo).toString('base64') },
    }),
  deleteUserPhoto: async user => change('DELETE', 'admin_group', userPath(user, '/photo')),
  sendPrivateMessage: async (user, message, { format, notify } = {}) =>
    change('POST', 'send_message', userPath(user, '/message'), { body: { message, notify, messageFormat: format } }),
  shareLinkWithUser: async (user, link, message) =>
    change('POST', 'send_message', userPath(user, '/share/link'), { body: linkBody(link, message) }),
  shareFileWithUser: async (user, file, message) => shareFile(userPath(user, '/share/file'), file, message),
  getRecentPrivateChatHistory: async (user, query) =>
    readPage('view_messages', userPath(user, '/history/latest'), historyItemShape, query),
  getPrivateChatMessage: async (user, messageId, query) =>
    read('view_messages', userPath(user, `/history/${segment(messageId)}`), singleMessageShape, query),
})
