/**
 * What every adapter asks first: does the app answer this request itself, and whom does the guard let in. Errors come out as
 * answers, so that adapters write and never map.
 */

import { isPartywallError } from '../core/errors.ts'
import { errorAnswer } from './answers.ts'
import type { Answer, Guard, Guarded, Mountable, RequestView } from './view.ts'

/** The app's own answer, also when it refuses as a whole because it closes; `undefined` for what is not its own. */
export function answerOwn(app: Mountable, view: RequestView): Answer | Promise<Answer> | undefined {
  try {
    return app.handle(view)
  } catch (error) {
    if (!isPartywallError(error)) throw error
    return errorAnswer(error)
  }
}

/**
 * Calls one of the two, at once where the guard answers at once.
 *
 * @param onAdmitted  gets the request with its tenant; must see to it that `release` is called
 * @param onRefused   gets the answer for a request without one
 */
export function admit<Properties extends object, T>(
  guard: Guard<Properties>,
  view: RequestView,
  onAdmitted: (guarded: Guarded<Properties>) => T,
  onRefused: (answer: Answer) => T,
): T | Promise<T> {
  const refuse = (error: unknown): T => onRefused(errorAnswer(error))
  let guarded: Guarded<Properties> | Promise<Guarded<Properties>>
  try {
    guarded = guard(view)
  } catch (error) {
    return refuse(error)
  }
  return guarded instanceof Promise ? guarded.then(onAdmitted, refuse) : onAdmitted(guarded)
}

const PROPERTIES = Symbol('partywall.properties')
type Holder = object & { readonly [PROPERTIES]?: object }

/** Properties of which classes have getters on a prototype already. */
const kindsOn = new WeakMap<object, WeakSet<object>>()
/** Which names a prototype has getters for. */
const namesOn = new WeakMap<object, Set<string>>()

/**
 * Puts the tenant's properties on a framework's object: read-only, not enumerable, so that no printing or copying shows them.
 *
 * @param owner  gets the getters; where a framework makes its objects from a prototype of the app's own, that one: properties
 *   defined anew in each request cost it a tenth of its time
 */
export function attach(target: object, properties: object, owner: object = target): void {
  Object.defineProperty(target, PROPERTIES, { value: properties, enumerable: false, configurable: true })
  if (owner === target) {
    for (const name of propertyNames(properties)) Object.defineProperty(owner, name, accessorOf(name))
    return
  }
  const kinds = kindsOn.get(owner) ?? new WeakSet<object>()
  kindsOn.set(owner, kinds)
  const kind: object = Object.getPrototypeOf(properties)
  // Plain objects differ among themselves.
  if (kind !== Object.prototype && kinds.has(kind)) return
  kinds.add(kind)
  const names = namesOfPrototype(owner)
  for (const name of propertyNames(properties)) {
    if (names.has(name)) continue
    names.add(name)
    Object.defineProperty(owner, name, accessorOf(name))
  }
}

const namesOfClass = new WeakMap<object, readonly string[]>()

/** Fields and getters of an object, also those of its class: what handlers may read. */
export function propertyNames(properties: object): readonly string[] {
  const own = Object.keys(properties)
  const prototype: object | null = Object.getPrototypeOf(properties)
  if (prototype === null || prototype === Object.prototype) return own
  const known = namesOfClass.get(prototype) ?? gettersOf(prototype)
  namesOfClass.set(prototype, known)
  return [...own, ...known]
}

function gettersOf(prototype: object | null): readonly string[] {
  if (prototype === null || prototype === Object.prototype) return []
  const own = Object.entries(Object.getOwnPropertyDescriptors(prototype)).filter(([, { get }]) => get !== undefined)
  return [...own.map(([name]) => name), ...gettersOf(Object.getPrototypeOf(prototype))]
}

function namesOfPrototype(owner: object): Set<string> {
  const names = namesOn.get(owner) ?? new Set<string>()
  namesOn.set(owner, names)
  return names
}

/** Read-only where a tenant is proved; elsewhere, on an object of the same prototype, a name like any other. */
const accessorOf = (name: string): PropertyDescriptor => ({
  get(this: Holder) {
    const properties = this[PROPERTIES]
    return properties === undefined ? undefined : Reflect.get(properties, name)
  },
  set(this: Holder, value: unknown) {
    if (this[PROPERTIES] !== undefined) throw new TypeError(`${name} is the tenant's and cannot be replaced`)
    Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true })
  },
  enumerable: false,
  configurable: true,
})
