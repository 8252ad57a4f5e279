/** A dialog's style, size, buttons, hint and filter. */

import { FieldError, optional, readChoice, readFlag, readList, readObject, readText } from '../fields.ts'
import { readKey, readName } from './parts.ts'

/** @returns the options as they came @throws FieldError */
export function readDialogOptions(value: unknown, name: string): Readonly<Record<string, unknown>> {
  const options = readObject(value, name)
  readChoice(options.style, `${name}.style`, ['normal', 'warning'], 'normal')
  optional(options.primaryAction, one => checkAction(one, `${name}.primaryAction`))
  optional(options.secondaryActions, one => readList(one, `${name}.secondaryActions`, checkAction))
  optional(options.hint, one => readName(one, `${name}.hint`))
  optional(options.filter, one => readName(readObject(one, `${name}.filter`).placeholder, `${name}.filter.placeholder`))
  optional(options.size, one => {
    const size = readObject(one, `${name}.size`)
    for (const side of ['width', 'height']) checkLength(size[side], `${name}.size.${side}`)
  })
  return options
}

function checkAction(value: unknown, name: string): void {
  const action = readObject(value, name)
  optional(action.key, one => readKey(one, `${name}.key`))
  readName(action.name, `${name}.name`)
  readFlag(action.enabled, `${name}.enabled`, true)
}

function checkLength(value: unknown, name: string): void {
  if (!/^\d{1,5}(px|%)$/.test(readText(value, name))) throw new FieldError(`${name} is neither in px nor in %`)
}
