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

/** Puts the tenant's properties on a framework's object: read-only, not enumerable, so that no printing or copying shows them. */
export function attach(target: object, properties: object): void {
  for (const name of Object.getOwnPropertyNames(properties)) {
    const get = () => Reflect.get(properties, name)
    Object.defineProperty(target, name, { get, enumerable: false, configurable: true })
  }
}
