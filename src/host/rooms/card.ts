/** Cards: the structured part of a notification, in five styles of one shape. */

import { optional, readChoice, readList, readNumber, readObject, readText, readWebUrl } from '../fields.ts'

const STYLES = ['file', 'image', 'application', 'link', 'media'] as const

type Card = Readonly<Record<string, unknown>>

/** @returns the card as it came @throws FieldError */
export function readCard(value: unknown): Card {
  const card = readObject(value, 'card')
  readChoice(card.style, 'card.style', STYLES)
  readText(card.id, 'card.id', 500)
  readText(card.title, 'card.title', 500)
  optional(card.url, one => readWebUrl(one, 'card.url'))
  optional(card.format, one => readChoice(one, 'card.format', ['compact', 'medium']))
  optional(card.description, readDescription)
  optional(card.thumbnail, readThumbnail)
  optional(card.images, one => readIcon(readObject(one, 'card.images').image, 'card.images.image'))
  optional(card.icon, one => readIcon(one, 'card.icon'))
  optional(card.activity, readActivity)
  optional(card.attributes, one => readList(one, 'card.attributes', readAttribute))
  optional(card.metadata, one => readObject(one, 'card.metadata'))
  return card
}

function readDescription(value: unknown): void {
  if (typeof value === 'string') return
  const { value: text, format } = readObject(value, 'card.description')
  readText(text, 'card.description.value', 1000)
  readChoice(format, 'card.description.format', ['html', 'text'])
}

function readThumbnail(value: unknown): void {
  const thumbnail = readObject(value, 'card.thumbnail')
  readIcon(thumbnail, 'card.thumbnail')
  for (const side of ['width', 'height']) optional(thumbnail[side], one => readNumber(one, `card.thumbnail.${side}`))
}

function readActivity(value: unknown): void {
  const activity = readObject(value, 'card.activity')
  readText(activity.html, 'card.activity.html', 10_000)
  optional(activity.icon, one => readIcon(one, 'card.activity.icon'))
}

function readAttribute(entry: unknown, name: string): void {
  const attribute = readObject(entry, name)
  optional(attribute.label, one => readText(one, `${name}.label`, 50))
  const value = readObject(attribute.value, `${name}.value`)
  readText(value.label, `${name}.value.label`)
  optional(value.url, one => readWebUrl(one, `${name}.value.url`))
  optional(value.style, one => readText(one, `${name}.value.style`, 50))
  optional(value.icon, one => readIcon(one, `${name}.value.icon`))
}

/** An address, or one with its double-size twin. */
function readIcon(value: unknown, name: string): void {
  if (typeof value === 'string') {
    readWebUrl(value, name)
    return
  }
  const icon = readObject(value, name)
  readWebUrl(icon.url, `${name}.url`)
  optional(icon['url@2x'], one => readWebUrl(one, `${name}.url@2x`))
}
