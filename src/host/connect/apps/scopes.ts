/** What an app may do in a product: each of READ to ADMIN includes the lesser ones, the last two stand alone. */

export const SCOPES = [
  'NONE',
  'READ',
  'WRITE',
  'DELETE',
  'PROJECT_ADMIN',
  'SPACE_ADMIN',
  'ADMIN',
  'ACT_AS_USER',
  'ACCESS_EMAIL_ADDRESSES',
] as const
export type ConnectScopeName = (typeof SCOPES)[number]

const INCLUDED: Readonly<Record<ConnectScopeName, readonly ConnectScopeName[]>> = {
  NONE: [],
  READ: [],
  WRITE: ['READ'],
  DELETE: ['WRITE', 'READ'],
  PROJECT_ADMIN: ['DELETE', 'WRITE', 'READ'],
  SPACE_ADMIN: ['DELETE', 'WRITE', 'READ'],
  ADMIN: ['PROJECT_ADMIN', 'SPACE_ADMIN', 'DELETE', 'WRITE', 'READ'],
  ACT_AS_USER: [],
  ACCESS_EMAIL_ADDRESSES: [],
}

export const includesScope = (granted: readonly ConnectScopeName[], needed: ConnectScopeName): boolean =>
  needed === 'NONE' || granted.some(scope => scope === needed || INCLUDED[scope].includes(needed))
