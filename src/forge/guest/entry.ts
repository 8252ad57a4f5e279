/**
 * Where the program of an app begins: the globals first, then the app's modules, once, then calls. What the bundler generates calls this
 * with the modules; the sandbox calls what comes back.
 */

import type { JsonValue } from '../../core/tenant.ts'
import type { GuestApi } from '../../sandbox/types.ts'
import { dispatch, type HandlerModules } from './dispatch.ts'
import { installForgeGlobals } from './install.ts'
import type { GuestCall } from './protocol.ts'

/** @param load  evaluates the app's handler files, by the names that the manifest uses */
export function createGuest(
  api: GuestApi,
  load: () => HandlerModules,
  folder: string,
): (payload: JsonValue) => Promise<JsonValue> {
  const storage = installForgeGlobals((name, payload) => api.request(name, payload as JsonValue))
  const modules = load()
  return async payload =>
    (await dispatch(modules, payload as unknown as GuestCall, storage, folder)) as unknown as JsonValue
}
