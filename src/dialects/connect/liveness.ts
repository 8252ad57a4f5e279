/**
 * Whether a tenant is still there (protocol s. 2: a deleted site sends no `uninstalled`). A daily probe counts days of refusal and
 * reports; what follows is the author's decision.
 */

import * as z from 'zod'
import type { TenantContext } from '../../core/context.ts'
import { addonPath } from './addon-state.ts'
import { daily, handlerOf, scheduleOf } from './client-jobs.ts'
import type { ClientDeps } from './host-api.ts'
import { createTenantClient } from './tenant-client.ts'

export interface Liveness {
  readonly isAlive: boolean
  /** Whole days since the first refusal in a row; 0 while alive. */
  readonly refusedDays: number
}

const JOB = 'liveness'
const KEY = 'connect-refused-since'
const DAY_MS = 86_400_000
/** The product knows neither the app nor the site, or honours its word no more. */
const GONE: readonly number[] = [401, 403, 404]
const sinceShape = z.number()

/**
 * One probe. An unreachable or failing product says nothing about the tenant: the call rejects and no day is counted.
 * @throws as of `Exchange`
 */
export async function checkLiveness(context: TenantContext, deps: ClientDeps): Promise<Liveness> {
  const { exchange } = createTenantClient(context, deps)
  const store = deps.storeOf(context, 'internal')
  const { status } = await exchange('GET', addonPath(deps.settings.key), { expect: [200, ...GONE] })
  if (status === 200) {
    await store.del(KEY)
    return { isAlive: true, refusedDays: 0 }
  }
  const now = deps.clock.now()
  const earlier = await store.get(KEY)
  if (earlier === undefined) await store.set(KEY, now)
  const since = sinceShape.parse(earlier ?? now)
  return { isAlive: false, refusedDays: Math.max(0, Math.floor((now - since) / DAY_MS)) }
}

/** @param report  called at each probe that was refused for at least `afterDays` */
export function registerLiveness(
  deps: ClientDeps,
  report: (context: TenantContext, liveness: Liveness) => Promise<void>,
  afterDays: number,
): void {
  deps.handlers.set(handlerOf(deps.settings, JOB), async (_, context) => {
    const liveness = await checkLiveness(context, deps)
    if (liveness.isAlive || liveness.refusedDays < afterDays) return
    deps.logger.warn('connect-tenant-silent', { tenant: context.tenantUid, days: liveness.refusedDays })
    await report(context, liveness)
  })
}

/** Starts the daily probe of a tenant. */
export async function scheduleLiveness(context: TenantContext, deps: ClientDeps): Promise<void> {
  const { settings, random, jobs } = deps
  await jobs.schedule(context, {
    name: scheduleOf(settings, JOB),
    handler: handlerOf(settings, JOB),
    cron: daily(random),
    payload: null,
  })
}
