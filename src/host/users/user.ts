/** Users of a simulated group, and how the API and webhooks show them. */

import type { GroupRecord, HostUser, UserRecord, UserReference, UserSpec } from '../model.ts'
import { wireDate } from '../rooms/messages.ts'
import type { HostState } from '../state.ts'

/** @throws TypeError when mention name or email address is taken in the group, or is none */
export function createUser(state: HostState, group: GroupRecord, spec: UserSpec): UserRecord {
  const trouble = userTrouble(group, spec)
  if (trouble !== undefined) throw new TypeError(trouble)
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
    isDeleted: false,
    createdAt: state.clock.now(),
    lastActiveAt: undefined,
    photoUrl: undefined,
    presence: undefined,
    version: state.random.text(8),
    messages: [],
    invitations: [],
  }
  group.users.push(user)
  state.users.set(id, user)
  return user
}

/**
 * Why nobody in the group can be called so.
 * @param own the user who is to be called so, if there already
 */
export function userTrouble(
  group: GroupRecord,
  { mentionName, email }: { readonly mentionName: string; readonly email?: string },
  own?: UserRecord,
): string | undefined {
  const others = group.users.filter(user => user !== own && !user.isDeleted)
  if (!/^[^\s@]{1,50}$/.test(mentionName)) return `not a mention name: ${mentionName}`
  if (email !== undefined && !/^[^\s@]+@[^\s@]+$/.test(email)) return `not an email address: ${email}`
  if (others.some(user => user.mentionName === mentionName)) {
    return `the mention name ${mentionName} is taken in group ${group.name}`
  }
  return others.some(user => user.email === email) ? `the address ${email} is taken in group ${group.name}` : undefined
}

/** Ends a user: out of all rooms; the id still names what was. */
export function deleteUser(state: HostState, user: UserRecord): void {
  user.isDeleted = true
  user.version = state.random.text(8)
  for (const room of user.group.rooms) {
    room.members.delete(user)
    room.participants.delete(user)
  }
}

/** By id, email address or `@mention`; those who were deleted by id only. `undefined` outside the group. */
export const findUser = (group: GroupRecord, name: string): UserRecord | undefined =>
  group.users.find(user => String(user.id) === name) ??
  group.users.find(
    user => !user.isDeleted && (user.email === name || (name.startsWith('@') && user.mentionName === name.slice(1))),
  )

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
  is_deleted: user.isDeleted,
  created: wireDate(user.createdAt),
  last_active: user.lastActiveAt === undefined ? null : wireDate(user.lastActiveAt),
  photo_url: user.photoUrl ?? null,
  xmpp_jid: `${user.group.id}_${user.id}@chat.hipchat.invalid`,
  group: { id: user.group.id, name: user.group.name, links: { self: `${state.url}/v2/group/${user.group.id}` } },
  presence: user.presence ?? null,
})

/** Users of the group whose `@mention` occurs in the text. */
export function mentionsIn(state: HostState, group: GroupRecord, text: string): UserReference[] {
  const names = new Set([...text.matchAll(/(?<![^\s([{])@([^\s@,.:;!?()[\]{}]+)/g)].map(match => match[1]))
  return group.users
    .filter(user => !user.isDeleted && names.has(user.mentionName))
    .map(user => userReference(state, user))
}
