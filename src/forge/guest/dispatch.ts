/** Runs one function call of the guest: finds the handler, gives it its two arguments, and makes plain JSON of how it ended. */

import type { AsyncLocalStorage } from 'node:async_hooks'
import type { JsonValue } from '../../core/tenant.ts'
import type { GuestCall, GuestContext, GuestError, GuestOutcome } from './protocol.ts'
import { createRuntime, type ForgeRuntime, installationOf } from './runtime.ts'

/** The bundle's exports by the file name that the manifest uses, `file` of `file.export`. */
export type HandlerModules = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export async function dispatch(
  modules: HandlerModules,
  call: GuestCall,
  storage: AsyncLocalStorage<ForgeRuntime>,
  appFolder: string,
): Promise<GuestOutcome> {
  setVariables(call.variables)
  try {
    const handler = findHandler(modules, call.handler)
    const value = await storage.run(createRuntime(call, appFolder), () =>
      handler(call.payload, contextOf(call.context)),
    )
    const text = JSON.stringify(value)
    return text === undefined ? { ok: true } : { ok: true, value: JSON.parse(text) as JsonValue }
  } catch (error) {
    return { ok: false, error: describe(error) }
  }
}

function findHandler(modules: HandlerModules, name: string): (payload: unknown, context: unknown) => unknown {
  const dot = name.lastIndexOf('.')
  const file = name.slice(0, dot)
  const handler = Object.hasOwn(modules, file) ? modules[file]?.[name.slice(dot + 1)] : undefined
  if (typeof handler !== 'function') throw new TypeError(`the app exports no function ${name}`)
  return handler as (payload: unknown, context: unknown) => unknown
}

const contextOf = ({ installation, ...context }: GuestContext) => ({
  ...context,
  installation: installationOf(installation),
})

let given: readonly string[] = []

/** `process.env` is what the environment's variables say now: those of the last call, if they went, are gone. */
function setVariables(variables: Readonly<Record<string, string>>): void {
  for (const name of given) if (!Object.hasOwn(variables, name)) delete process.env[name]
  given = Object.keys(variables)
  Object.assign(process.env, variables)
}

function describe(error: unknown): GuestError {
  if (!(error instanceof Error))
    return { name: 'Error', message: typeof error === 'string' ? error : inspectThrown(error) }
  const { status, serviceKey } = error as { status?: unknown; serviceKey?: unknown }
  return {
    name: String(error.name),
    message: String(error.message),
    ...(typeof error.stack === 'string' ? { stack: error.stack } : {}),
    ...(typeof status === 'number' ? { status } : {}),
    ...(typeof serviceKey === 'string' ? { serviceKey } : {}),
  }
}

/** What was thrown and is no error: as JSON, if it has any. */
function inspectThrown(thrown: unknown): string {
  try {
    return JSON.stringify(thrown) ?? String(thrown)
  } catch {
    // Circular, or its toJSON throws: its text must do.
    return Object.prototype.toString.call(thrown)
  }
}
