/** The scopes this host knows, as its capabilities document lists them. */

export const SCOPES = {
  admin_group: 'Administer the group',
  admin_room: 'Administer rooms',
  import_data: 'Import users, rooms and history',
  manage_rooms: 'Create and delete rooms',
  send_message: 'Send messages',
  send_notification: 'Send room notifications',
  view_group: 'See users, rooms and other group information',
  view_messages: 'Read messages and notifications',
  view_room: 'See room information and participants',
} as const

export type Scope = keyof typeof SCOPES
export const isScope = (value: string): value is Scope => Object.hasOwn(SCOPES, value)
