/**
 * Message patterns in the host's own dialect: Python's, as far as a linear engine goes. Flags stand in front (`(?i)`), code
 * points are `\x{hhhh}`, the end of the text is `\Z`. The host searches; a pattern that means the start says so.
 */

import { RE2JS, RE2JSException } from 're2js'

export type ParsedPattern =
  | { readonly ok: true; readonly matches: (message: string) => boolean }
  | { readonly ok: false; readonly reason: string }

export function parsePattern(source: string): ParsedPattern {
  const flags = /^\(\?([a-zA-Z]+)\)/.exec(source)
  const letters = flags?.[1] ?? ''
  if (/[^imsuaL]/.test(letters)) return { ok: false, reason: `unknown flags ${letters}` }
  // The engine is Unicode-aware already and does not know Python's letters for it.
  const known = letters.replace(/[uaL]/g, '')
  const body = source
    .slice(flags?.[0].length ?? 0)
    .replace(/\\(.)/gs, (pair, letter) => (letter === 'Z' ? '\\z' : pair))
  try {
    const compiled = RE2JS.compile(known === '' ? body : `(?${known})${body}`)
    return { ok: true, matches: message => compiled.matcher(message).find() }
  } catch (error) {
    if (error instanceof RE2JSException) return { ok: false, reason: error.message }
    throw error
  }
}
