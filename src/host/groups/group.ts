/** A group: one customer of the simulated host, with its users and rooms. */

import { createEmoticon } from '../emoticons/emoticon.ts'
import type { GroupRecord } from '../model.ts'
import { announceCreation } from '../rooms/actions.ts'
import { createRoom } from '../rooms/room.ts'
import type { HostState } from '../state.ts'
import { createUser } from '../users/user.ts'

export function createGroup(state: HostState, spec: { readonly name: string }): GroupRecord {
  const group: GroupRecord = {
    id: state.random.nextId(),
    name: spec.name,
    users: [],
    rooms: [],
    emoticons: [],
    installations: new Set(),
    get owner() {
      return owner
    },
    createUser: user => createUser(state, group, user),
    createRoom: spec => {
      const room = createRoom(state, group, spec)
      state.deliveries.inBackground(announceCreation(state, room, { user: room.owner }))
      return room
    },
    createEmoticon: emoticon => createEmoticon(state, group, emoticon),
  }
  const owner = createUser(state, group, { name: `Owner of ${spec.name}`, mentionName: 'owner', isGroupAdmin: true })
  state.groups.set(group.id, group)
  return group
}

/** The record behind a group of this host. @throws TypeError for a group of another host */
export function groupRecord(state: HostState, group: { readonly id: number; readonly name: string }): GroupRecord {
  const record = state.groups.get(group.id)
  if (record === undefined || record !== group) throw new TypeError(`the group ${group.name} is not on this host`)
  return record
}
