/**
 * Spelling at the border: authors write camelCase, the host reads kebab-case in queries and snake_case in bodies. Top level
 * only, as the old library did it; what an author spells the host's way passes unchanged.
 */

type Snake<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${Snake<Rest>}`
  : Name

/** A body in our spelling, or in the host's. */
export type EitherSpelling<T> = T | { readonly [Name in keyof T as Name extends string ? Snake<Name> : Name]: T[Name] }

/** The same values under the host's names. @param separator  `-` for queries, `_` for bodies */
export function hostSpelling<T>(values: Readonly<Record<string, T>>, separator: '_' | '-'): Record<string, T> {
  const entries = Object.entries(values).map(([name, value]): [string, T] => [
    name.replace(/(?<=[a-z0-9])[A-Z]/g, letter => separator + letter.toLowerCase()),
    value,
  ])
  return Object.fromEntries(entries)
}
