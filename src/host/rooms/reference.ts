/** Rooms and OAuth clients as webhooks and collections name them. */

import type { Installation } from '../clients/installation.ts'
import type { RoomRecord } from '../model.ts'
import type { HostState } from '../state.ts'

export function roomReference(state: HostState, room: RoomRecord) {
  const self = `${state.url}/v2/room/${room.id}`
  return {
    id: room.id,
    name: room.name,
    privacy: room.privacy,
    is_archived: room.isArchived,
    version: room.version,
    links: {
      self,
      webhooks: `${self}/webhook`,
      participants: `${self}/participant`,
      ...(room.privacy === 'private' ? { members: `${self}/member` } : {}),
    },
  }
}

/** An add-on that caused an event. */
export const clientReference = (state: HostState, installation: Installation) => ({
  id: installation.oauthId,
  name: installation.descriptor.name,
  allowed_scopes: installation.descriptor.scopes,
  links: { self: `${state.url}/v2/oauth/client/${installation.oauthId}` },
  ...(installation.room === undefined ? {} : { room: { id: installation.room.id, name: installation.room.name } }),
})
