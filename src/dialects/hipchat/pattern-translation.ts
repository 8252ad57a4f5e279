/**
 * Patterns between two dialects, as text: JavaScript's regular expressions, and the Python-like ones a HipChat host reads in
 * descriptors and over REST (protocol A2, B2). Compiling and matching live in `pattern.ts`.
 *
 * What one side says and the other cannot is refused, never guessed. Flags that are about how JavaScript searches (`d`, `g`,
 * `y`) or writes (`u`) mean nothing to a host and are left out on the way there.
 */

import { PartywallError } from '../../core/errors.ts'
import { UnsupportedPattern } from './pattern-source.ts'

/** Flags that mean the same on both sides. */
const SHARED_FLAGS = 'ims'
/** JavaScript's own, as ac-koa-hipchat wrote them into patterns; and Python's for character tables it uses anyway. */
const KEPT_FLAGS = 'gy'
const IGNORED_FLAGS = 'uaL'

const JS_TOKEN =
  /\[\^?[^\]\\]*(?:\\[\s\S][^\]\\]*)*\]|\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|u\{[\da-fA-F]+\}|x[\da-fA-F]{2}|c[A-Za-z]|k<[^>]+>|[\s\S])|\(\?<(?![=!])/g
const HOST_TOKEN = /\[\^?\]?[^\]\\]*(?:\\[\s\S][^\]\\]*)*\]|\\(?:x\{[\da-fA-F]{1,6}\}|[\s\S])|\(\?P=\w+\)|\(\?P</g

/** Letters after a back slash that mean something to JavaScript; any other stands for itself. */
const MEANING_LETTERS = 'bBdDsSwWfnrtv'

/**
 * The text a host reads: flags as a prefix `(?i)`, `\uXXXX` as `\x{XXXX}`, named groups and references as Python writes them.
 * @throws PartywallError ERR_PATTERN_UNSUPPORTED for the flag `v` and for half of a surrogate pair
 * @example regExpToPattern(/caf\u00e9/gi) // '(?i)caf\\x{00e9}'
 */
export const regExpToPattern = (expression: RegExp): string =>
  coded(() => toHostPattern(expression.source, expression.flags))

/**
 * The reverse. A prefix with `g` or `y`, as ac-koa-hipchat wrote it, gives a RegExp with these flags.
 * @throws PartywallError ERR_PATTERN_UNSUPPORTED for flags and syntax that JavaScript does not have
 * @example patternToRegExp('(?gi)caf\\x{00e9}') // /caf\u00e9/gi
 */
export const patternToRegExp = (pattern: string): RegExp => coded(() => fromHostPattern(pattern))

/** As `regExpToPattern`. @throws UnsupportedPattern */
export function toHostPattern(source: string, flags: string): string {
  if (flags.includes('v')) throw new UnsupportedPattern('the flag v')
  const unicode = flags.includes('u')
  const body = source.replace(JS_TOKEN, token => {
    if (token === '(?<') return '(?P<'
    if (token.startsWith('[')) return toHostClass(token, unicode)
    return token.startsWith('\\k<') ? `(?P=${token.slice(3, -1)})` : toHostEscape(token, unicode)
  })
  const kept = [...SHARED_FLAGS].filter(flag => flags.includes(flag)).join('')
  return kept === '' ? body : `(?${kept})${body}`
}

/** As `patternToRegExp`. @throws UnsupportedPattern · SyntaxError what JavaScript says of the rest */
export function fromHostPattern(pattern: string): RegExp {
  const prefix = /^\(\?([a-zA-Z]+)\)/.exec(pattern)
  const letters = [...new Set(prefix?.[1] ?? '')]
  const unknown = letters.find(letter => !`${SHARED_FLAGS}${KEPT_FLAGS}${IGNORED_FLAGS}`.includes(letter))
  if (unknown !== undefined) throw new UnsupportedPattern(`the flag ${unknown}`)
  const flags = letters.filter(letter => !IGNORED_FLAGS.includes(letter))
  const text = pattern.slice(prefix?.[0].length ?? 0)
  const body = text.replace(HOST_TOKEN, token => {
    if (token === '(?P<') return '(?<'
    if (token.startsWith('(?P=')) return `\\k<${token.slice(4, -1)}>`
    return token.startsWith('[') ? fromHostClass(token) : fromHostEscape(token, flags.includes('m'))
  })
  // A host reads code points; JavaScript does so with `u` alone.
  const isWide = /\\u\{|[\u{10000}-\u{10ffff}]/u.test(body)
  return new RegExp(body, flags.join('') + (isWide ? 'u' : ''))
}

/** An empty class, and a bracket inside one, mean something else to the host. */
function toHostClass(token: string, unicode: boolean): string {
  if (token === '[]') return '[^\\s\\S]'
  if (token === '[^]') return '[\\s\\S]'
  const members = token.slice(1, -1).replace(JS_TOKEN, one => toHostEscape(one, unicode))
  return `[${members.replace(/\\[\s\S]|\[/g, one => (one === '[' ? '\\[' : one))}]`
}

function toHostEscape(token: string, unicode: boolean): string {
  const letter = token.charAt(1)
  if (letter === 'c' && token.length === 3) return hostPoint(token.charCodeAt(2) % 32)
  if (letter === 'u' && token.length > 2) return toHostPoint(token, unicode)
  if (unicode || token.length !== 2 || !/[A-Za-z]/.test(letter)) return token
  return MEANING_LETTERS.includes(letter) ? token : letter
}

function toHostPoint(token: string, unicode: boolean): string {
  const braced = /^\\u\{(.*)\}$/.exec(token)?.[1]
  // Without the flag the braces are a repetition of the letter.
  if (braced !== undefined) return unicode ? `\\x{${braced}}` : token.slice(1)
  const units = token.split('\\u').slice(1)
  if (units.length === 1 && /^d[89a-f]/i.test(token.slice(2))) throw new UnsupportedPattern('half of a surrogate pair')
  if (units.length === 1) return `\\x{${units[0]}}`
  const pair = String.fromCharCode(...units.map(unit => Number.parseInt(unit, 16)))
  return hostPoint(pair.codePointAt(0) ?? 0)
}

/** A bracket that closes at once is a member there, and the end here. */
function fromHostClass(token: string): string {
  const [, opening = '', bracket, members = ''] = /^(\[\^?)(\])?([\s\S]*)\]$/.exec(token) ?? []
  const inner = members.replace(/\\(?:x\{[\da-fA-F]{1,6}\}|[\s\S])/g, one => fromHostEscape(one, true))
  return `${opening}${bracket === undefined ? '' : '\\]'}${inner}]`
}

/** @param hasNoAnchors  where `^` and `$` would not stand for the ends of the text */
function fromHostEscape(token: string, hasNoAnchors: boolean): string {
  const digits = /^\\x\{(.*)\}$/.exec(token)?.[1]
  if (digits !== undefined) return digits.length > 4 ? `\\u{${digits}}` : `\\u${digits.padStart(4, '0')}`
  if (token === '\\a') return '\\x07'
  if (token !== '\\A' && token !== '\\Z') return token
  if (hasNoAnchors) throw new UnsupportedPattern(`${token} here`)
  return token === '\\A' ? '^' : '$'
}

const hostPoint = (code: number): string => `\\x{${code.toString(16).padStart(4, '0')}}`

function coded<T>(translate: () => T): T {
  try {
    return translate()
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown'
    throw new PartywallError('ERR_PATTERN_UNSUPPORTED', {
      message: `the pattern has no equal in the other dialect: ${reason}`,
      cause: error,
    })
  }
}
