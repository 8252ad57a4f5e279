/** `${NAME}` in texts of the manifest: replaced for the names that `environment.variables` declares, and for those alone. */

import type { PathPart } from './document.ts'
import type { Report } from './read.ts'

const PLACEHOLDER = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g

/** @returns a copy; `value` stays as it is */
export function interpolate(
  value: unknown,
  given: Readonly<Record<string, string | undefined>>,
  wrong: Report,
): unknown {
  const declared = declaredIn(value, given)
  return declared.size === 0 ? value : replaceIn(value, declared, wrong, [])
}

/** Declared names and their values; one without a value and without a default is `undefined`. */
function declaredIn(
  value: unknown,
  given: Readonly<Record<string, string | undefined>>,
): Map<string, string | undefined> {
  const variables = memberOf(memberOf(value, 'environment'), 'variables')
  const entries = (Array.isArray(variables) ? variables : []).flatMap(
    (entry: unknown): [string, string | undefined][] => {
      const name = typeof entry === 'string' ? entry : memberOf(entry, 'key')
      const fallback = memberOf(entry, 'default')
      if (typeof name !== 'string') return []
      const own = Object.hasOwn(given, name) ? given[name] : undefined
      return [[name, own ?? (typeof fallback === 'string' ? fallback : undefined)]]
    },
  )
  return new Map(entries)
}

function replaceIn(
  value: unknown,
  declared: ReadonlyMap<string, string | undefined>,
  wrong: Report,
  path: readonly PathPart[],
): unknown {
  if (typeof value === 'string') {
    return value.replaceAll(PLACEHOLDER, (whole, name: string) => {
      if (!declared.has(name)) return whole
      const replacement = declared.get(name)
      if (replacement === undefined) wrong(path, `variable ${name} is declared and has neither a value nor a default`)
      return replacement ?? whole
    })
  }
  if (Array.isArray(value)) return value.map((one, index) => replaceIn(one, declared, wrong, [...path, index]))
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(value)) {
    // A member may be called __proto__.
    Object.defineProperty(copy, name, {
      value: replaceIn(member, declared, wrong, [...path, name]),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return copy
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
