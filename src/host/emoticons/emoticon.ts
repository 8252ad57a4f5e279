/** Emoticons: a few that every group has, and those a group made itself. */

import type { GroupRecord } from '../model.ts'
import type { HostState } from '../state.ts'

export interface Emoticon {
  readonly id: number
  /** Without parentheses. */
  readonly shortcut: string
  readonly type: 'global' | 'group'
  readonly url: string
}

const GLOBAL_SHORTCUTS = ['allthethings', 'awthanks', 'coffee', 'facepalm', 'shrug', 'success', 'thumbsup']

/** Out of the way of the ids that a host gives. */
const FIRST_GLOBAL_ID = 1_000_000_000

export const createEmoticons = (url: string): readonly Emoticon[] =>
  GLOBAL_SHORTCUTS.map((shortcut, index) => ({
    id: FIRST_GLOBAL_ID + index,
    shortcut,
    type: 'global',
    url: `${url}/emoticons/${shortcut}.png`,
  }))

/** @throws TypeError when the shortcut is none or is taken */
export function createEmoticon(
  state: HostState,
  group: GroupRecord,
  spec: { readonly shortcut: string; readonly url: string },
): Emoticon {
  if (!/^[a-z0-9]{1,50}$/i.test(spec.shortcut)) throw new TypeError(`not a shortcut: ${spec.shortcut}`)
  if (emoticonsOf(state, group).some(one => one.shortcut === spec.shortcut)) {
    throw new TypeError(`the shortcut ${spec.shortcut} is taken`)
  }
  const emoticon: Emoticon = { id: state.random.nextId(), type: 'group', ...spec }
  group.emoticons.push(emoticon)
  return emoticon
}

export const emoticonsOf = (state: HostState, group: GroupRecord): readonly Emoticon[] => [
  ...state.emoticons,
  ...group.emoticons,
]
