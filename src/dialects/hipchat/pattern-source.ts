/**
 * Rewrites the source of a JavaScript regular expression into RE2 syntax that means the same. Pure text work; compiling and
 * matching live in `pattern.ts`, the host's dialect in `pattern-translation.ts`.
 *
 * What RE2 cannot express (look-around, back references, the `v` flag) is refused here or by the compiler, never guessed.
 * Two differences remain: RE2 walks code points where JavaScript without `u` walks UTF-16 units, and with the `m` flag only
 * `\n` ends a line.
 */

/** Why a pattern cannot be taken; `pattern.ts` turns it into ERR_PATTERN_UNSUPPORTED. */
export class UnsupportedPattern extends Error {}

const SPACE_RANGES = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
] as const

const point = (code: number): string => `\\x{${code.toString(16)}}`
const range = ([from, to]: readonly [number, number]): string =>
  from === to ? point(from) : `${point(from)}-${point(to)}`

const complement = (ranges: readonly (readonly [number, number])[]): (readonly [number, number])[] => {
  const gaps: (readonly [number, number])[] = []
  let next = 0
  for (const [from, to] of ranges) {
    if (from > next) gaps.push([next, from - 1])
    next = to + 1
  }
  gaps.push([next, 0x10ffff])
  return gaps
}

const SPACE = SPACE_RANGES.map(range).join('')
const NOT_SPACE = complement(SPACE_RANGES).map(range).join('')
const NOT_LINE_END = '[^\\n\\r\\x{2028}\\x{2029}]'
const NOTHING = '[^\\x{0}-\\x{10ffff}]'
const ANYTHING = '[\\x{0}-\\x{10ffff}]'
const CONTROL_LETTERS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 }

/** RE2 source with the meaning of `source` under `flags`; look-around and back references are refused. @throws UnsupportedPattern */
export function toRe2Source(source: string, flags: string): string {
  if (flags.includes('v')) throw new UnsupportedPattern('the flag v')
  const reader: Reader = { source, at: 0, unicode: flags.includes('u') }
  const dot = flags.includes('s') ? '.' : NOT_LINE_END
  let out = ''
  while (reader.at < source.length) {
    const char = source.charAt(reader.at)
    if (char === '\\') out += readEscape(reader, false)
    else if (char === '[') out += readClass(reader)
    else if (char === '(') out += readGroupOpening(reader)
    else {
      reader.at += 1
      out += char === '.' ? dot : char === ']' ? '\\]' : char
    }
  }
  return out
}

interface Reader {
  readonly source: string
  at: number
  readonly unicode: boolean
}

function readGroupOpening(reader: Reader): string {
  const rest = reader.source.slice(reader.at, reader.at + 4)
  if (!rest.startsWith('(?')) {
    reader.at += 1
    return '('
  }
  if (rest.startsWith('(?:')) {
    reader.at += 3
    return '(?:'
  }
  if (/^\(\?<[^=!]/.test(rest)) {
    reader.at += 3
    return '(?P<'
  }
  throw new UnsupportedPattern(`the group ${rest.slice(0, 3)}`)
}

function readClass(reader: Reader): string {
  reader.at += 1
  const negated = reader.source.charAt(reader.at) === '^'
  if (negated) reader.at += 1
  if (reader.source.charAt(reader.at) === ']') {
    reader.at += 1
    return negated ? ANYTHING : NOTHING
  }
  let out = negated ? '[^' : '['
  for (;;) {
    const char = reader.source.charAt(reader.at)
    if (char === '') throw new UnsupportedPattern('a class without end')
    if (char === ']') {
      reader.at += 1
      return `${out}]`
    }
    if (char === '\\') out += readEscape(reader, true)
    else {
      reader.at += 1
      // Inside a class RE2 gives `[:` and friends a meaning that JavaScript does not.
      out += /[[&~^]/.test(char) ? `\\${char}` : char
    }
  }
}

function readEscape(reader: Reader, inClass: boolean): string {
  const char = String.fromCodePoint(reader.source.codePointAt(reader.at + 1) ?? 0)
  reader.at += 1 + char.length
  if (char === 's') return inClass ? SPACE : `[${SPACE}]`
  if (char === 'S') return inClass ? NOT_SPACE : `[${NOT_SPACE}]`
  if ('dDwW'.includes(char)) return `\\${char}`
  if (char === 'b') return inClass ? point(8) : '\\b'
  if (char === 'B' && !inClass) return '\\B'
  const control = Object.hasOwn(CONTROL_LETTERS, char) ? CONTROL_LETTERS[char] : undefined
  if (control !== undefined) return point(control)
  if (char === 'u') return readUnicode(reader)
  if (char === 'x') return point(Number.parseInt(take(reader, /^[0-9a-fA-F]{2}/, 'the escape \\x'), 16))
  if (char === 'c') return point(take(reader, /^[A-Za-z]/, 'the escape \\c').charCodeAt(0) % 32)
  if (char === 'k') throw new UnsupportedPattern('a back reference')
  if (char === '0' && !/^[0-9]/.test(reader.source.slice(reader.at))) return point(0)
  if (/[0-9]/.test(char)) throw new UnsupportedPattern('a back reference')
  if ((char === 'p' || char === 'P') && reader.unicode) return readProperty(reader, char)
  // Any other escaped character stands for itself; letters such as \A or \Q mean something else to RE2.
  return /[A-Za-z]/.test(char) ? char : point(char.codePointAt(0) ?? 0)
}

function readUnicode(reader: Reader): string {
  if (reader.unicode && reader.source.charAt(reader.at) === '{') {
    return point(Number.parseInt(take(reader, /^\{[0-9a-fA-F]+\}/, 'the escape \\u').slice(1, -1), 16))
  }
  const code = Number.parseInt(take(reader, /^[0-9a-fA-F]{4}/, 'the escape \\u'), 16)
  if (code < 0xd800 || code > 0xdfff) return point(code)
  const low = /^\\u(d[c-f][0-9a-f]{2})/i.exec(reader.source.slice(reader.at, reader.at + 6))?.[1]
  if (code > 0xdbff || low === undefined) throw new UnsupportedPattern('half of a surrogate pair')
  reader.at += 6
  return point((code - 0xd800) * 0x400 + (Number.parseInt(low, 16) - 0xdc00) + 0x10000)
}

function readProperty(reader: Reader, letter: string): string {
  const name = take(reader, /^\{[A-Za-z0-9_=]+\}/, 'a property').slice(1, -1)
  return `\\${letter}{${name.replace(/^(?:Script|sc|General_Category|gc)=/, '')}}`
}

function take(reader: Reader, shape: RegExp, what: string): string {
  const found = shape.exec(reader.source.slice(reader.at, reader.at + 64))?.[0]
  if (found === undefined) throw new UnsupportedPattern(what)
  reader.at += found.length
  return found
}
