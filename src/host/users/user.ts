/** Users of a simulated group, and how the API and webhooks show them. */

import type { GroupRecord, HostUser, UserRecord, UserReference, UserSpec } from '../model.ts'
import type { HostState } from '../state.ts'

/** @throws TypeError when the mention name is taken in the group or is not one */
export function createUser(state: HostState, group: GroupRecord, spec: UserSpec): UserRecord {
  if (!/^[^\s@]{1,50}$/.test(spec.mentionName)) throw new TypeError(`not a mention name: ${spec.mentionName}`)
  const isTaken = group.users.some(user => user.mentionName === spec.mentionName)
  if (isTaken) throw new TypeError(`the mention name ${spec.mentionName} is taken in group ${group.name}`)
  const id = state.random.nextId()
  const user: UserRecord = {
    id,
    group,
    name: spec.name,
    mentionName: spec.mentionName,
    email: spec.email ?? `${spec.mentionName.toLowerCase()}.${id}@hipchat.invalid`,
    title: spec.title ?? '',
    timezone: spec.timezone ?? 'UTC',
    isGroupAdmin: spec.isGroupAdmin ?? false,
    isGuest: spec.isGuest ?? false,
    createdAt: state.clock.now(),
    version: state.random.text(8),
    messages: [],
  }
  group.users.push(user)
  state.users.set(id, user)
  return user
}

/** By id, email address or `@mention`; `undefined` outside the group. */
export function findUser(group: GroupRecord, name: string): UserRecord | undefined {
  return group.users.find(
    user =>
      String(user.id) === name || user.email === name || (name.startsWith('@') && user.mentionName === name.slice(1)),
  )
}

/** The record behind a user of this very group. @throws TypeError for a user of another group or host */
export function userRecord(group: GroupRecord, user: HostUser): UserRecord {
  const record = group.users.find(one => one === user)
  if (record === undefined) throw new TypeError(`the user ${user.name} does not belong to group ${group.name}`)
  return record
}

export const userReference = (state: HostState, user: UserRecord): UserReference => ({
  id: user.id,
  name: user.name,
  mention_name: user.mentionName,
  version: user.version,
  links: { self: `${state.url}/v2/user/${user.id}` },
})

export const describeUser = (state: HostState, user: UserRecord) => ({
  ...userReference(state, user),
  email: user.email,
  title: user.title,
  timezone: user.timezone,
  is_group_admin: user.isGroupAdmin,
  is_guest: user.isGuest,
  is_deleted: false,
  created: new Date(user.createdAt).toISOString(),
  last_active: null,
  photo_url: null,
  xmpp_jid: `${user.group.id}_${user.id}@chat.hipchat.invalid`,
  group: { id: user.group.id, name: user.group.name, links: { self: `${state.url}/v2/group/${user.group.id}` } },
  presence: null,
})

/** Users of the group whose `@mention` occurs in the text. */
export function mentionsIn(state: HostState, group: GroupRecord, text: string): UserReference[] {
  const names = new Set([...text.matchAll(/(?<![^\s([{])@([^\s@,.:;!?()[\]{}]+)/g)].map(match => match[1]))
  return group.users.filter(user => names.has(user.mentionName)).map(user => userReference(state, user))
}
