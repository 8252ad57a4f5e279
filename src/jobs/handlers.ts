/** The table of work handlers: filled while the app is built, read by the dispatcher. */

import type { ContextMode } from '../core/context.ts'
import type { HandlerTable, WorkHandler } from '../core/ports.ts'

/** @throws TypeError from `set` when a name is taken: two add-ons would run each other's work */
export function createHandlerTable(): HandlerTable & { names(): readonly string[] } {
  const handlers = new Map<string, WorkHandler>()
  const modes = new Map<string, ContextMode>()
  const timeouts = new Map<string, number>()
  return {
    set(name, handler, mode = 'full', timeoutMs) {
      if (handlers.has(name)) throw new TypeError(`a work handler named ${name} exists already`)
      handlers.set(name, handler)
      modes.set(name, mode)
      if (timeoutMs !== undefined) timeouts.set(name, timeoutMs)
    },
    get: name => handlers.get(name),
    modeOf: name => modes.get(name) ?? 'full',
    timeoutOf: name => timeouts.get(name),
    names: () => [...handlers.keys()],
  }
}
