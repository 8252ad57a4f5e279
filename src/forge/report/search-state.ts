/**
 * Looks for texts in everything that a process keeps between calls: variables of modules, `globalThis`, the environment, files of the
 * private folder. Runs inside the guest, in programs that were built for the isolation report and in no others.
 *
 * Variables of modules are reached as a debugger reaches them, through the scopes of the app's functions: the code that is looked
 * at is the code that runs, unchanged. Nothing is called and no getter is run.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { type Runtime, Session } from 'node:inspector'
import path from 'node:path'

export interface FoundPlace {
  readonly kind: 'variable' | 'global' | 'environment' | 'file'
  /** Name of the variable, or the file. */
  readonly name: string
  /** Where inside it: `[0].text`, `.get("settings")`; empty for the value itself. */
  readonly at: string
  readonly marker: string
}

/** Enough for large apps; a search that would take longer says what it found until then. */
const MAX_FUNCTIONS = 20_000
const MAX_MS = 10_000
const MAX_FILE_BYTES = 1024 * 1024
/** Scopes that are not the app's: the globals are looked at on their own. */
const FOREIGN_SCOPES = new Set(['global', 'script'])

/**
 * @param roots  the app's functions, and objects that hold them
 * @param markers  texts that only one tenant could have brought
 * @param folder  the private folder of the process
 * @param isOurs  names of `globalThis` that are the platform's own
 */
export function searchState(
  roots: readonly unknown[],
  markers: readonly string[],
  folder: string,
  isOurs: (name: string) => boolean,
): FoundPlace[] {
  return [
    ...searchVariables(roots, markers),
    ...searchGlobals(markers, isOurs),
    ...searchEnvironment(markers),
    ...searchFiles(folder, '', markers),
  ]
}

function searchVariables(roots: readonly unknown[], markers: readonly string[]): FoundPlace[] {
  const session = new Session()
  session.connect()
  try {
    return walkScopes(new Debugger(session), roots, markers)
  } finally {
    session.disconnect()
  }
}

function walkScopes(debug: Debugger, roots: readonly unknown[], markers: readonly string[]): FoundPlace[] {
  const found = new Map<string, FoundPlace>()
  const seenScopes = new Set<string>()
  const waiting: unknown[] = []
  const seen = new WeakSet<object>()
  const enqueue = (value: unknown) => waiting.push(...functionsIn(value, seen))
  for (const root of roots) enqueue(root)
  // The bundle is one script: what leads out of it is Node's own.
  const scripts = new Set(waiting.map(one => debug.look(one).script))
  const endsAt = performance.now() + MAX_MS
  for (let looked = 0; waiting.length > 0 && looked < MAX_FUNCTIONS && performance.now() < endsAt; looked += 1) {
    const { script, scopes } = debug.look(waiting.pop())
    if (script === undefined || !scripts.has(script)) continue
    for (const scope of debug.scopesIn(scopes)) {
      const variables = debug.variablesOf(scope.id)
      // The protocol hands out a new object for each look at a scope: what it holds tells it from others.
      const name = `${scope.description} ${variables.map(variable => variable.name).join(' ')}`
      if (seenScopes.has(name)) continue
      seenScopes.add(name)
      for (const variable of variables) {
        const value = debug.valueOf(variable)
        for (const { at, marker } of searchValue(value, markers)) {
          const place: FoundPlace = { kind: 'variable', name: variable.name, at, marker }
          found.set(`${variable.name} ${at} ${marker}`, place)
        }
        enqueue(value)
      }
    }
  }
  return [...found.values()]
}

/** The little of the debugger's protocol that is needed; all of it answers before it returns. */
class Debugger {
  readonly #session: Session
  readonly #slot = '__partywall_report_value__'

  constructor(session: Session) {
    this.#session = session
  }

  /** The script that a function is from, and the list of its scopes. */
  look(target: unknown): { script: string | undefined; scopes: string | undefined } {
    const id = this.#idOf(target)
    if (id === undefined) return { script: undefined, scopes: undefined }
    const { internalProperties = [] } = this.#ask<Runtime.GetPropertiesReturnType>('Runtime.getProperties', {
      objectId: id,
      ownProperties: true,
    })
    const find = (wanted: string) => internalProperties.find(({ name }) => name === wanted)?.value
    const location = find('[[FunctionLocation]]')?.value as { scriptId: string } | undefined
    return { script: location?.scriptId, scopes: find('[[Scopes]]')?.objectId }
  }

  scopesIn(list: string | undefined): { id: string; description: string }[] {
    if (list === undefined) return []
    return this.#properties(list).flatMap(({ value }) => {
      const description = value?.description ?? ''
      const isForeign = FOREIGN_SCOPES.has(description.toLowerCase())
      return value?.objectId === undefined || isForeign ? [] : [{ id: value.objectId, description }]
    })
  }

  variablesOf(scopeId: string): Runtime.PropertyDescriptor[] {
    return this.#properties(scopeId)
  }

  /** The value itself, in this process: the protocol is only the way to it. */
  valueOf({ value }: Runtime.PropertyDescriptor): unknown {
    if (value?.objectId === undefined) return value?.value
    this.#ask('Runtime.callFunctionOn', {
      objectId: value.objectId,
      functionDeclaration: `function () { globalThis.${this.#slot} = this }`,
    })
    return this.#take()
  }

  #properties(objectId: string): Runtime.PropertyDescriptor[] {
    return this.#ask<Runtime.GetPropertiesReturnType>('Runtime.getProperties', { objectId, ownProperties: true }).result
  }

  #idOf(value: unknown): string | undefined {
    Object.assign(globalThis, { [this.#slot]: value })
    const { result } = this.#ask<Runtime.EvaluateReturnType>('Runtime.evaluate', {
      expression: `globalThis.${this.#slot}`,
    })
    this.#take()
    return result.objectId
  }

  #take(): unknown {
    const value: unknown = Reflect.get(globalThis, this.#slot)
    Reflect.deleteProperty(globalThis, this.#slot)
    return value
  }

  #ask<T>(method: string, parameters: object): T {
    let answer: { error: Error | null; value: object | undefined } | undefined
    this.#session.post(method, parameters, (error, value) => {
      answer = { error, value }
    })
    if (answer === undefined) throw new Error(`${method} did not answer at once`)
    if (answer.error) throw answer.error
    return answer.value as T
  }
}

/** Functions among the members of a value, so that their scopes are looked at too; each once. */
function functionsIn(value: unknown, seen: WeakSet<object>): object[] {
  const functions: object[] = []
  const waiting: { value: unknown; depth: number }[] = [{ value, depth: 0 }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (!isObject(next.value) || seen.has(next.value)) continue
    seen.add(next.value)
    if (typeof next.value === 'function') functions.push(next.value)
    if (next.depth < 4)
      for (const { member } of membersOf(next.value)) waiting.push({ value: member, depth: next.depth + 1 })
  }
  return functions
}

function searchValue(value: unknown, markers: readonly string[]): { at: string; marker: string }[] {
  const found: { at: string; marker: string }[] = []
  const seen = new Set<object>()
  const waiting: { value: unknown; at: string; depth: number }[] = [{ value, at: '', depth: 0 }]
  for (let next = waiting.pop(); next !== undefined && seen.size < 100_000; next = waiting.pop()) {
    const { value: current, at, depth } = next
    const text = textOf(current)
    if (text !== undefined) for (const marker of markers) if (text.includes(marker)) found.push({ at, marker })
    if (!isObject(current) || seen.has(current) || depth > 8) continue
    seen.add(current)
    for (const { name, member } of membersOf(current)) waiting.push({ value: member, at: at + name, depth: depth + 1 })
  }
  return found
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
    : undefined
}

/** Without getters: running code of the app would change what is looked at. */
function membersOf(value: object): { name: string; member: unknown }[] {
  if (ArrayBuffer.isView(value)) return []
  const members = Object.entries(Object.getOwnPropertyDescriptors(value)).flatMap(([key, descriptor]) =>
    'value' in descriptor
      ? [{ name: Array.isArray(value) ? `[${key}]` : `.${key}`, member: descriptor.value as unknown }]
      : [],
  )
  if (value instanceof Map) {
    for (const [key, member] of value) {
      members.push({ name: `.get(${label(key)})`, member }, { name: '.keys()', member: key })
    }
  }
  if (value instanceof Set) for (const member of value) members.push({ name: '.values()', member })
  return members
}

const label = (key: unknown): string => (typeof key === 'string' ? JSON.stringify(key.slice(0, 60)) : typeof key)

function searchGlobals(markers: readonly string[], isOurs: (name: string) => boolean): FoundPlace[] {
  return Object.entries(Object.getOwnPropertyDescriptors(globalThis)).flatMap(([name, descriptor]) => {
    if (!('value' in descriptor) || isOurs(name) || descriptor.value === globalThis) return []
    // Node's own are not enumerable, or the same in every process.
    if (descriptor.enumerable !== true) return []
    return searchValue(descriptor.value, markers).map(
      ({ at, marker }): FoundPlace => ({ kind: 'global', name, at, marker }),
    )
  })
}

const searchEnvironment = (markers: readonly string[]): FoundPlace[] =>
  Object.entries(process.env).flatMap(([name, value = '']) =>
    markers
      .filter(marker => value.includes(marker))
      .map((marker): FoundPlace => ({ kind: 'environment', name, at: '', marker })),
  )

function searchFiles(folder: string, below: string, markers: readonly string[]): FoundPlace[] {
  return readdirSync(path.join(folder, below), { withFileTypes: true }).flatMap(entry => {
    const name = path.join(below, entry.name)
    if (entry.isDirectory()) return searchFiles(folder, name, markers)
    if (!entry.isFile()) return []
    const text = readFileSync(path.join(folder, name)).subarray(0, MAX_FILE_BYTES).toString('latin1')
    return markers
      .filter(marker => text.includes(marker) || name.includes(marker))
      .map((marker): FoundPlace => ({ kind: 'file', name: path.join(folder, name), at: '', marker }))
  })
}

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function'
