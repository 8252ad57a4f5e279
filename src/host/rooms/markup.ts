/** The HTML that a room shows in notifications. */

/** Documented one by one, or as "lists" and "tables". */
const TAGS = new Set([
  ...['a', 'b', 'i', 'strong', 'em', 'br', 'img', 'pre', 'code'],
  ...['ul', 'ol', 'li', 'dl', 'dt', 'dd'],
  ...['table', 'caption', 'colgroup', 'col', 'thead', 'tbody', 'tfoot', 'tr', 'th', 'td'],
])

/** @returns the first tag that is not among the allowed ones, in lower case */
export function foreignTag(html: string): string | undefined {
  for (const [, name = ''] of html.matchAll(/<\/?([a-z][a-z0-9:-]*)/gi)) {
    const tag = name.toLowerCase()
    if (!TAGS.has(tag)) return tag
  }
  return undefined
}
