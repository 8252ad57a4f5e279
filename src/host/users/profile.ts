/** A user as the API takes one: to make or to change. */

import { FieldError, optional, readChoice, readFlag, readObject, readText } from '../fields.ts'
import type { StoredFile } from '../files/files.ts'
import type { HostUser, Presence } from '../model.ts'
import { isZone } from '../zones.ts'

/** Fields that were left out are `undefined`. */
export type Profile = Pick<HostUser, 'name' | 'email'> &
  Partial<Pick<HostUser, 'title' | 'mentionName' | 'isGroupAdmin' | 'timezone' | 'presence'>>

/** `password` is checked and forgotten: nobody signs in here with one. @throws FieldError */
export function readProfile(body: Readonly<Record<string, unknown>>): Profile {
  optional(body.password, one => readText(one, 'password', 255))
  return {
    name: readText(body.name, 'name', 50),
    email: readText(body.email, 'email', 255),
    title: optional(body.title, one => (one === '' ? '' : readText(one, 'title', 255))),
    mentionName: optional(body.mention_name, one => readText(one, 'mention_name', 50)),
    isGroupAdmin: optional(body.is_group_admin, one => readFlag(one, 'is_group_admin')),
    timezone: optional(body.timezone, readTimezone),
    presence: optional(body.presence, readPresence),
  }
}

/** @param value base64 of a PNG, JPEG or GIF @throws FieldError */
export function readPhoto(value: unknown): StoredFile {
  const text = readText(value, 'photo', 1024 * 1024)
  const bytes = Buffer.from(text, 'base64')
  const start = bytes.toString('latin1', 0, 4)
  const type = /^\x89PNG/.test(start) ? 'png' : /^\xff\xd8\xff/.test(start) ? 'jpg' : /^GIF8/.test(start) ? 'gif' : ''
  if (type === '' || bytes.toString('base64') !== text) throw new FieldError('photo is no image in base64')
  return { name: `photo.${type}`, bytes }
}

function readTimezone(value: unknown): string {
  const zone = readText(value, 'timezone', 100)
  if (!isZone(zone)) throw new FieldError('timezone is no known zone')
  return zone
}

function readPresence(value: unknown): Presence {
  const presence = readObject(value, 'presence')
  const status = optional(presence.status, one => (one === '' ? '' : readText(one, 'presence.status', 255)))
  const show = optional(presence.show, one => readChoice(one, 'presence.show', ['away', 'chat', 'dnd', 'xa']))
  return { ...(status === undefined ? {} : { status }), ...(show === undefined ? {} : { show }) }
}
