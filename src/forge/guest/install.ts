/**
 * The globals that `@forge/*` packages look for, in the order that they need: before the app's bundle is evaluated. `global.api`
 * stays undefined on purpose: old SDKs take it for the sandbox of before 2023.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { createSend, type HostCall } from './channel.ts'
import { createForgeFetch, createGlobalFetch } from './fetch.ts'
import { installNodeHttp } from './node-http.ts'
import { type ForgeRuntime, installRuntime } from './runtime.ts'

/** @returns what invocations run in */
export function installForgeGlobals(call: HostCall): AsyncLocalStorage<ForgeRuntime> {
  const storage = new AsyncLocalStorage<ForgeRuntime>()
  const send = createSend(call)
  installRuntime(storage)
  Object.defineProperty(globalThis, '__forge_fetch__', { value: createForgeFetch(send) })
  globalThis.fetch = createGlobalFetch(send)
  installNodeHttp(send)
  return storage
}
