/** Strict percent-decoding of `application/x-www-form-urlencoded` text: queries and forms from outside. */

/**
 * Decodes `%XX` as UTF-8 and `+` as a blank.
 * @returns `undefined` when an escape is incomplete or the bytes are not UTF-8; never a replacement character
 */
export function percentDecode(text: string): string | undefined {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    // The one thing it throws is URIError, and "cannot be decoded" is an answer here, not trouble.
    return undefined
  }
}

/**
 * Reads a whole form or query.
 * @returns name and value pairs in the order of arrival, or `undefined` when any of them cannot be decoded
 */
export function parseForm(text: string): readonly (readonly [name: string, value: string])[] | undefined {
  const pairs: [string, string][] = []
  for (const piece of text.split('&')) {
    if (piece === '') continue
    const equals = piece.indexOf('=')
    const name = percentDecode(equals < 0 ? piece : piece.slice(0, equals))
    const value = equals < 0 ? '' : percentDecode(piece.slice(equals + 1))
    if (name === undefined || value === undefined) return undefined
    pairs.push([name, value])
  }
  return pairs
}
