/**
 * An abort controller for other people's listeners: one that throws, or rejects, is reported and harms nobody else.
 *
 * A plain signal makes an uncaught exception of it, which ends the process. Listeners of a signal that an author derives
 * with `AbortSignal.any` are his own to guard.
 */

type Listener = NonNullable<Parameters<AbortSignal['addEventListener']>[1]>
type AddOptions = Parameters<AbortSignal['addEventListener']>[2]
type RemoveOptions = Parameters<AbortSignal['removeEventListener']>[2]

/** @param onError hears of each failure of a listener */
export function createGuardedController(onError: (error: unknown) => void): AbortController {
  const controller = new AbortController()
  guardSignal(controller.signal, onError)
  return controller
}

function guardSignal(signal: AbortSignal, onError: (error: unknown) => void): void {
  const plain = AbortSignal.prototype
  /** The same listener is the same guard, so that adding it twice and removing it work as they should. */
  const guards = new WeakMap<object, (event: Event) => void>()
  let onAbort: unknown = null
  const callOnAbort = (event: Event): unknown =>
    typeof onAbort === 'function' ? onAbort.call(signal, event) : undefined

  const guardOf = (listener: Listener): ((event: Event) => void) => {
    const guard = guards.get(listener) ?? (event => report(() => call(listener, signal, event), onError))
    guards.set(listener, guard)
    return guard
  }
  Object.defineProperties(signal, {
    addEventListener: {
      value: (type: string, listener: Listener | null, options?: AddOptions) =>
        listener === null ? undefined : plain.addEventListener.call(signal, type, guardOf(listener), options),
    },
    removeEventListener: {
      value: (type: string, listener: Listener | null, options?: RemoveOptions) =>
        listener === null ? undefined : plain.removeEventListener.call(signal, type, guardOf(listener), options),
    },
    onabort: {
      get: () => onAbort,
      set: (value: unknown) => {
        onAbort = typeof value === 'function' ? value : null
        // The same one each time: it is added once.
        plain.addEventListener.call(signal, 'abort', guardOf(callOnAbort))
      },
    },
  })
}

const call = (listener: Listener, signal: AbortSignal, event: Event): unknown =>
  typeof listener === 'function' ? listener.call(signal, event) : listener.handleEvent(event)

function report(work: () => unknown, onError: (error: unknown) => void): void {
  try {
    const result = work()
    if (result instanceof Promise) result.catch(onError)
  } catch (error) {
    onError(error)
  }
}
