/** One text for a tuple of texts, such that different tuples never give the same text. */

/** Every part with its length before it: `5:hello3:you`. */
export const injective = (...parts: readonly string[]): string => {
  let text = ''
  for (const part of parts) text += `${part.length}:${part}`
  return text
}
