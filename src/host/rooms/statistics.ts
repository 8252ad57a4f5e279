/** What the API tells of a room's use. */

import type { RoomRecord } from '../model.ts'
import type { HostState } from '../state.ts'

export const describeStatistics = (state: HostState, room: RoomRecord) => ({
  messages_sent: room.history.length,
  last_active: room.history.at(-1)?.date ?? null,
  links: { self: `${state.url}/v2/room/${room.id}/statistics` },
})
