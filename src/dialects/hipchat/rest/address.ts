/** Addresses of HipChat's API: paths of rooms and people, and how queries are spelled. */

import { confinedUrl, segment } from '../../common/address.ts'
import { hostSpelling } from './spelling.ts'

/** Id or name of a room. */
export type RoomRef = number | string
/** Id, e-mail address or `@mention` of a user. */
export type UserRef = number | string

export type QueryValue = string | number | boolean | readonly string[] | undefined
/** Parameters of a call; camelCase names become kebab-case, lists are joined by commas, `undefined` is left out. */
export type Query = Readonly<Record<string, QueryValue>>

export const roomPath = (room: RoomRef, rest = ''): string => `/room/${segment(room)}${rest}`
export const userPath = (user: UserRef, rest = ''): string => `/user/${segment(user)}${rest}`

/** The address of a call; arguments and errors as of `confinedUrl`. */
export function addressOf(api: string, path: string, query: Query): URL {
  const url = confinedUrl(api, path)
  for (const [name, value] of Object.entries(hostSpelling(query, '-'))) {
    if (value !== undefined) url.searchParams.append(name, Array.isArray(value) ? value.join(',') : String(value))
  }
  return url
}
