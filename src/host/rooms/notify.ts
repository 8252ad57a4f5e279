/** A notification of an add-on in a room; the others hear of it, its sender does not. */

import type { Installation } from '../clients/installation.ts'
import type { HistoryItem, RoomRecord } from '../model.ts'
import type { HostState } from '../state.ts'
import type { Delivery } from '../webhooks/delivery.ts'
import { newMessage, remember } from './messages.ts'
import type { Notification } from './notification.ts'
import { roomReference } from './reference.ts'

export function notify(
  state: HostState,
  room: RoomRecord,
  source: Installation,
  notification: Notification,
): { readonly message: HistoryItem; readonly told: Promise<readonly Delivery[]> } {
  const { from, ...content } = notification
  const message = newMessage(state, {
    ...content,
    from: from ?? source.label,
    type: 'notification',
    notification_sender: { id: source.oauthId, type: 'addon' },
  })
  remember(room, message)
  const item = { room: roomReference(state, room), message }
  return { message, told: state.deliveries.send({ event: 'room_notification', room, item, source }) }
}
