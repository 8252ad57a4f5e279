/** Flat header lists, name, value, name, value: how to look into one. */

/** First value of a header, by lower-case name. */
export function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    const candidate = headers[index]
    if (candidate?.length === name.length && candidate.toLowerCase() === name) return headers[index + 1]
  }
  return undefined
}
