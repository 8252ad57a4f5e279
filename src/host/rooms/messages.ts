/** Messages: their form, and the history of a room or a private chat. */

import type { HistoryItem, RoomRecord } from '../model.ts'
import type { HostState } from '../state.ts'

const MAX_HISTORY = 10_000

/** Fills id, date and links. */
export const newMessage = (
  state: HostState,
  item: Omit<HistoryItem, 'id' | 'date' | 'mentions'> & Partial<Pick<HistoryItem, 'mentions'>>,
): HistoryItem => ({
  id: state.random.uuid(),
  date: wireDate(state.clock.now()),
  mentions: [],
  ...linksIn(item.message),
  ...item,
})

export function remember(room: Pick<RoomRecord, 'history'>, item: HistoryItem): void {
  room.history.push(item)
  if (room.history.length > MAX_HISTORY) room.history.shift()
}

/** ISO 8601 with microseconds and offset, as the host writes dates. */
export const wireDate = (epochMs: number): string => new Date(epochMs).toISOString().replace('Z', '000+00:00')

function linksIn(text: string): Pick<HistoryItem, 'message_links'> {
  const urls = new Set([...text.matchAll(/https?:\/\/[^\s<>"']+/g)].map(match => match[0].replace(/[.,;:!?)]+$/, '')))
  return urls.size === 0 ? {} : { message_links: [...urls].map(url => ({ type: 'link', url })) }
}
