/** The request target as it was received: where its query begins. No parsing, no decoding. */

/** Raw query without `?`; what follows a `#`, which no client sends, is none of it. */
export function queryOf(target: string): string {
  const start = target.indexOf('?')
  if (start < 0) return ''
  const end = target.indexOf('#', start)
  return end < 0 ? target.slice(start + 1) : target.slice(start + 1, end)
}
