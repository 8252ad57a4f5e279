/** What add-ons write to one user. */

import type { Installation } from '../clients/installation.ts'
import type { ApiActor, HistoryItem, UserRecord } from '../model.ts'
import { newMessage, remember } from '../rooms/messages.ts'
import type { HostState } from '../state.ts'
import { userReference } from './user.ts'

export function writePrivately(
  state: HostState,
  user: UserRecord,
  actor: ApiActor,
  message: string,
  extra: Pick<HistoryItem, 'file' | 'message_format' | 'notify'> = {},
): void {
  const { source } = actor
  const from = actor.user === undefined ? source.label : userReference(state, actor.user)
  const sender = { notification_sender: { id: source.oauthId, type: 'addon' } } as const
  remember({ history: user.messages }, newMessage(state, { from, message, type: 'message', ...sender, ...extra }))
}

/** The private chat of one installation with the user: what others wrote to them is none of its business. */
export const privateHistory = (user: UserRecord, source: Installation): readonly HistoryItem[] =>
  user.messages.filter(item => item.notification_sender?.id === source.oauthId)
