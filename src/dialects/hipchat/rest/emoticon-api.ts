/** Emoticons of the group (protocol A9). */

import { segment } from '../../common/address.ts'
import type { Query } from './address.ts'
import type { Operations } from './operations.ts'
import type { PageQuery } from './pages.ts'
import { emoticonShape, type HipchatCollection, type HipchatEmoticon } from './shapes.ts'

export interface EmoticonsQuery extends PageQuery {
  readonly type?: 'all' | 'global' | 'group'
}

export interface EmoticonApi {
  /** `view_group` */
  getEmoticons(query?: EmoticonsQuery): Promise<HipchatCollection<HipchatEmoticon>>
  /** `view_group` */
  getEmoticon(idOrShortcut: number | string, query?: Query): Promise<HipchatEmoticon>
}

export const createEmoticonApi = ({ read, readPage }: Operations): EmoticonApi => ({
  getEmoticons: async query => readPage('view_group', '/emoticon', emoticonShape, query),
  getEmoticon: async (idOrShortcut, query) =>
    read('view_group', `/emoticon/${segment(idOrShortcut)}`, emoticonShape, query),
})
