/** Pieces that several kinds of extension have. */

import { optional, readObject, readText, readWebUrl } from '../fields.ts'

export const readKey = (value: unknown, name: string): string => readText(value, name, 40)

/** @returns the text in the host's only language; `i18n` keys are checked and not used */
export function readName(value: unknown, name: string): string {
  const fields = readObject(value, name)
  optional(fields.i18n, one => readText(one, `${name}.i18n`, 40))
  return readText(fields.value, `${name}.value`, 100)
}

export function readIcon(value: unknown, name: string): { readonly url: string; readonly 'url@2x': string } {
  const icon = readObject(value, name)
  return { url: readWebUrl(icon.url, `${name}.url`), 'url@2x': readWebUrl(icon['url@2x'], `${name}.url@2x`) }
}
