/** The listeners of lifecycle events, and the work that runs them. */

import * as z from 'zod'
import type { TenantContext } from '../../core/context.ts'
import type { IdentityRecord, JsonValue } from '../../core/tenant.ts'
import { runInTime } from '../../core/time-limit.ts'
import { extend } from '../common/extend.ts'
import { type ConnectInstalledContext, type ConnectLifecycleContext, createServices } from './handler-context.ts'
import type { LifecycleDeps } from './lifecycle.ts'

export type ConnectLifecycleListener = (context: ConnectLifecycleContext) => unknown
export type ConnectInstalledListener = (context: ConnectInstalledContext) => unknown

export interface Listeners {
  readonly installed: ConnectInstalledListener[]
  readonly enabled: ConnectLifecycleListener[]
  readonly disabled: ConnectLifecycleListener[]
  readonly uninstalled: ConnectLifecycleListener[]
}

/** How long the answer to `disabled` waits for the listeners. */
const DISABLED_MS = 5_000
const installationShape = z.object({ kind: z.enum(['install', 'update']) })

export const createListeners = (): Listeners => ({ installed: [], enabled: [], disabled: [], uninstalled: [] })

/** One after the other; the first that fails ends it. */
export async function runListeners<F extends object>(
  listeners: readonly ((context: ConnectLifecycleContext & F) => unknown)[],
  context: TenantContext,
  facts: F,
  deps: LifecycleDeps,
): Promise<void> {
  const services = extend(createServices(context, deps), { signal: context.signal, ...facts })
  for (const listener of listeners) await listener(services)
}

/** @param payload of a delivery that `announceInstall` made */
export const installationOf = (payload: JsonValue) => Object.freeze(installationShape.parse(payload))

/** With a store to read: what is written now would come too late for anybody to use. A listener that fails is told to the log. */
export async function tellDisabled(
  listeners: Listeners['disabled'],
  identity: IdentityRecord,
  deps: LifecycleDeps,
): Promise<void> {
  if (listeners.length === 0) return
  const bound = deps.binder.open(identity, 'read-only')
  try {
    await runInTime(bound, DISABLED_MS, () => runListeners(listeners, bound.context, {}, deps))
  } catch (error) {
    deps.logger.error('disabled-listener-failed', { tenant: identity.externalId, error })
  } finally {
    bound.release()
  }
}
