/**
 * The raw request target: whether it has the one form we accept, its parts, and strict decoding of one path segment.
 * Nothing is normalised: a path that needs it is another path.
 */

export interface Target {
  /** Starts with `/`, still percent-encoded. */
  readonly path: string
  /** Without `?`; empty when there is none. */
  readonly query: string
}

// Origin form (RFC 9112, 3.2.1) in visible ASCII; `//` at the start would be read as a host by URL parsers.
const ORIGIN_FORM = /^\/(?!\/)[\x21\x22\x24-\x5b\x5d-\x7e]*$/

/** False for absolute form, `*`, `//host`, back slashes, `#`, blanks, control characters and bytes above ASCII. */
export const isOriginForm = (target: string): boolean => ORIGIN_FORM.test(target)

export function splitTarget(target: string): Target {
  const mark = target.indexOf('?')
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) }
}

/**
 * One path segment, percent-decoded as UTF-8.
 *
 * @returns `undefined` for what could be read as another path: empty, `.` and `..` in any spelling, encoded slashes and
 *   back slashes, control characters, broken or overlong encodings
 */
export function decodeSegment(raw: string): string | undefined {
  if (raw === '') return undefined
  const decoded = raw.includes('%') ? tryDecode(raw) : raw
  if (decoded === undefined || decoded === '.' || decoded === '..') return undefined
  for (let index = 0; index < decoded.length; index++) {
    const code = decoded.charCodeAt(index)
    if (code < 0x20 || code === 0x2f || code === 0x5c || (code >= 0x7f && code <= 0x9f)) return undefined
  }
  return decoded
}

function tryDecode(raw: string): string | undefined {
  try {
    return decodeURIComponent(raw)
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}
