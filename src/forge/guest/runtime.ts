/**
 * `global.__forge_runtime__`: a getter, so that each invocation sees its own object, carried by AsyncLocalStorage. Outside of an
 * invocation, while modules load, it is an object that knows nobody. (Forge protocol s. 4.1, read from `@forge/api` 2.22 to 8.3.)
 */

import type { AsyncLocalStorage } from 'node:async_hooks'
import type { GuestCall, InstallationPlace } from './protocol.ts'

/**
 * Carries no authority and is the same everywhere: the platform knows the installation from the channel. The SDK only asks
 * that there is one.
 */
const PLACEHOLDER_TOKEN = 'none'

export type ForgeRuntime = ReturnType<typeof createRuntime>

export function createRuntime(call: GuestCall, appFolder: string) {
  const { runtime, context } = call
  const endsAt = performance.now() + call.timeoutMs
  return {
    proxy: { token: PLACEHOLDER_TOKEN, url: 'https://platform.invalid', host: 'platform.invalid' },
    contextAri: context.installContext,
    aaid: context.principal?.accountId,
    container: {
      runtime: `nodejs${process.versions.node.split('.')[0]}.x`,
      handler: call.handler,
      appCodeDir: appFolder,
    },
    appContext: {
      appId: runtime.appId,
      appVersion: runtime.appVersion,
      environmentId: runtime.environmentId,
      environmentType: runtime.environmentType,
      invocationId: runtime.invocationId,
      installationId: context.installation.id,
      functionKey: runtime.functionKey,
      moduleType: runtime.moduleType,
      moduleKey: runtime.moduleKey,
      license: context.license,
      installation: installationOf(context.installation),
      permissions: runtime.permissions,
    },
    lambdaContext: {
      awsRequestId: runtime.invocationId,
      getRemainingTimeInMillis: () => Math.max(0, Math.floor(endsAt - performance.now())),
    },
    tracing: runtime.trace,
    realtime: {},
    metrics: NO_METRICS,
    featureFlags: () => false,
  }
}

/** The getter; `storage` is what an invocation runs in. */
export function installRuntime(storage: AsyncLocalStorage<ForgeRuntime>): void {
  Object.defineProperty(globalThis, '__forge_runtime__', {
    get: () => storage.getStore() ?? LOAD_TIME,
    configurable: false,
    enumerable: false,
  })
}

/** Objects with functions do not survive JSON: they are made here anew. */
export function installationOf(installation: GuestCall['context']['installation']) {
  return {
    ari: { installationId: installation.id, ...named(`ari:cloud:ecosystem::installation/${installation.id}`) },
    contexts: installation.contexts.map(placeOf),
  }
}

const placeOf = ({ ari, ...place }: InstallationPlace) => ({ ...place, ...named(ari) })
const named = (ari: string) => ({ toString: () => ari, toJSON: () => ari })

const nothing = () => undefined
const NO_METRICS = {
  counter: () => ({ incr: nothing, incrBy: nothing, decr: nothing, decrBy: nothing }),
  timing: () => ({ measure: () => ({ stop: nothing }) }),
  gauge: () => ({ set: nothing }),
}

const LOAD_TIME = {
  proxy: { token: PLACEHOLDER_TOKEN, url: 'https://platform.invalid', host: 'platform.invalid' },
  contextAri: '',
  container: {},
  appContext: {},
  lambdaContext: {},
  tracing: {},
  realtime: {},
  metrics: NO_METRICS,
  featureFlags: () => false,
}
