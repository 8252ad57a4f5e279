/** Modules of a descriptor, or registered later: what all kinds have in common. */

import { FieldError, optional, readFlag, readList, readObject, readText } from '../../fields.ts'

export interface AppModule {
  /** `generalPages`, `webPanels` ... */
  readonly type: string
  readonly key: string
  /** Relative to the app's base URL, or absolute; with `{variables}`. */
  readonly url: string | undefined
  readonly isCacheable: boolean
  readonly conditions: readonly unknown[]
  readonly document: Readonly<Record<string, unknown>>
}

/** Kinds whose entries have no key. */
const KEYLESS = new Set(['webhooks'])
/** Kinds of which there is one, written without a list. */
const isSingle = (value: unknown): boolean => !Array.isArray(value)

/** @throws FieldError also for a key that is there twice */
export function readModules(modules: Readonly<Record<string, unknown>>): readonly AppModule[] {
  const found = Object.entries(modules)
    .filter(([type]) => !KEYLESS.has(type))
    .flatMap(([type, value]) =>
      readList(isSingle(value) ? [value] : value, `modules.${type}`, (entry, name) => readModule(type, entry, name)),
    )
  const keys = new Set<string>()
  for (const { key } of found) {
    if (keys.has(key)) throw new FieldError(`the module key ${key} is there twice`)
    keys.add(key)
  }
  return found
}

function readModule(type: string, value: unknown, name: string): AppModule {
  const document = readObject(value, name)
  return {
    type,
    key: readText(document.key, `${name}.key`, 255),
    url: urlOf(document),
    isCacheable: readFlag(document.cacheable, `${name}.cacheable`, false),
    conditions: optional(document.conditions, list => readList(list, `${name}.conditions`, entry => entry)) ?? [],
    document,
  }
}

/** Panels of issues have theirs in a target. */
function urlOf({ url, target }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof url === 'string') return url
  const { url: inTarget } = (typeof target === 'object' && target !== null ? target : {}) as { readonly url?: unknown }
  return typeof inTarget === 'string' ? inTarget : undefined
}
