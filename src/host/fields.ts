/** Reads fields of documents that came from an add-on, with a reason where one is wrong. */

/** The document is not as it should be; `message` says which field and may be shown to the add-on. */
export class FieldError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'FieldError'
  }
}

export function readObject(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new FieldError(`${name} is not an object`)
}

export function readText(value: unknown, name: string, maxLength = 10_000): string {
  if (typeof value !== 'string' || value.length === 0) throw new FieldError(`${name} is not a text`)
  if (value.length > maxLength) throw new FieldError(`${name} is longer than ${maxLength} characters`)
  return value
}

/** @param fallback left out: the field is required */
export function readFlag(value: unknown, name: string, fallback?: boolean): boolean {
  if (value === undefined && fallback !== undefined) return fallback
  if (typeof value !== 'boolean') throw new FieldError(`${name} is neither true nor false`)
  return value
}

/** @param fallback left out: the field is required */
export function readChoice<const T extends string>(
  value: unknown,
  name: string,
  choices: readonly T[],
  fallback?: T,
): T {
  if (value === undefined && fallback !== undefined) return fallback
  const found = choices.find(choice => choice === value)
  if (found === undefined) throw new FieldError(`${name} is none of ${choices.join(', ')}`)
  return found
}

export function readWebUrl(value: unknown, name: string): string {
  const url = readText(value, name)
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new FieldError(`${name} is not an absolute http(s) URL: ${url}`)
  }
  return url
}

/** A whole number from `min` to `max`. */
export function readNumber(value: unknown, name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new FieldError(`${name} is not a whole number from ${min} to ${max}`)
  }
  return value
}

/** @param read one entry; its name says where it stands */
export function readList<T>(value: unknown, name: string, read: (entry: unknown, name: string) => T): readonly T[] {
  if (!Array.isArray(value)) throw new FieldError(`${name} is not a list`)
  return value.map((entry: unknown, index) => read(entry, `${name}[${index}]`))
}

/** @param trouble what is wrong; `undefined`: nothing. @throws FieldError */
export function refuse(trouble: string | undefined): void {
  if (trouble !== undefined) throw new FieldError(trouble)
}

/** Reads a field that may be left out. */
export const optional = <T>(value: unknown, read: (value: unknown) => T): T | undefined =>
  value === undefined ? undefined : read(value)
