/** What add-ons write to one user. */

import type { Actor, HistoryItem, UserRecord } from '../model.ts'
import { newMessage, remember } from '../rooms/messages.ts'
import type { HostState } from '../state.ts'
import { userReference } from './user.ts'

export function writePrivately(
  state: HostState,
  user: UserRecord,
  actor: Actor,
  message: string,
  extra: Pick<HistoryItem, 'file' | 'message_format' | 'notify'> = {},
): void {
  const from = actor.user === undefined ? (actor.source?.label ?? '') : userReference(state, actor.user)
  remember({ history: user.messages }, newMessage(state, { from, message, type: 'message', ...extra }))
}
