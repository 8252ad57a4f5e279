/**
 * Patterns of add-on authors, run by an engine that is linear in the text (re2js), whatever the pattern.
 *
 * A `RegExp` is taken apart when the add-on is built; the author's object is never run, so no `lastIndex` is shared and no
 * message can make it backtrack. What may not live here: which webhook a pattern belongs to.
 */

import { RE2JS } from 're2js'
import { PartywallError } from '../../core/errors.ts'
import { toRe2Source, UnsupportedPattern } from './pattern-source.ts'
import { fromHostPattern, toHostPattern } from './pattern-translation.ts'

/** Longer messages match no pattern. HipChat itself cuts messages there. */
export const MAX_TEXT_LENGTH = 10_000
const MAX_SOURCE_LENGTH = 1_000
/** Steps per character grow with the program, so its size is bounded too. */
const MAX_PROGRAM_SIZE = 1_000

/** What `RegExp.exec` returns, without the shared state. */
export type PatternMatch = RegExpExecArray

export interface Pattern {
  /** The text published in the descriptor: the host's Python-like dialect. */
  readonly hostPattern: string
  /** As `RegExp.exec` without `g` and `y`; `null` when the text does not match or is longer than 10,000 characters. */
  exec(text: string): PatternMatch | null
}

/**
 * Compiles an author's pattern for linear matching.
 *
 * @param pattern  a RegExp (flags `g` and `y` are left out), or text in the host's dialect, `(?i)` prefix and `\x{e9}` included
 * @throws PartywallError ERR_PATTERN_UNSUPPORTED for look-around, back references, the `v` flag, or a pattern too large
 */
export function compilePattern(pattern: RegExp | string): Pattern {
  try {
    const expression = typeof pattern === 'string' ? fromHostPattern(pattern) : pattern
    const { source, flags } = expression
    if (source.length > MAX_SOURCE_LENGTH) throw new UnsupportedPattern(`more than ${MAX_SOURCE_LENGTH} characters`)
    const engine = RE2JS.compile(toRe2Source(source, flags), engineFlags(flags))
    if (engine.programSize() > MAX_PROGRAM_SIZE) throw new UnsupportedPattern('repetitions that grow too large')
    return {
      hostPattern: toHostPattern(source, flags),
      exec: text => (text.length > MAX_TEXT_LENGTH ? null : (engine.exec(text) as PatternMatch | null)),
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown'
    throw new PartywallError('ERR_PATTERN_UNSUPPORTED', {
      message: `the pattern ${String(pattern).slice(0, 80)} cannot run in linear time: ${reason}; write it without look-around and back references`,
      cause: error,
    })
  }
}

function engineFlags(flags: string): number {
  let bits = 0
  if (flags.includes('i')) bits |= RE2JS.CASE_INSENSITIVE
  if (flags.includes('m')) bits |= RE2JS.MULTILINE
  if (flags.includes('s')) bits |= RE2JS.DOTALL
  return bits
}
