/**
 * Scheduled triggers: each a job that enqueues the next one before it runs. The first comes five minutes after a deployment, spread
 * over the installations, and every further one an interval later. What throws is logged and not tried again; what was missed while
 * nothing ran is not made up for. (Forge protocol s. 9, 15.)
 */

import { hash } from 'node:crypto'
import type { TenantContext } from '../../core/context.ts'
import type { WorkHandler } from '../../core/ports.ts'
import type { JsonObject } from '../../core/tenant.ts'
import type { Manifest, ScheduledTriggerModule } from '../manifest/types.ts'
import { installationOf } from '../platform/installation.ts'
import { failureOf, type InvocationParts } from './parts.ts'
import { timeoutOf } from './timeouts.ts'

interface ScheduleWork {
  readonly moduleKey: string
  /** Names the schedules of a version: after any change of them all begin anew, and those of before end. */
  readonly generation: string
  /** Epoch milliseconds on Forge's clock. */
  readonly plannedAt: number
}

const MINUTE_MS = 60_000
const INTERVALS_MS = {
  fiveMinute: 5 * MINUTE_MS,
  hour: 60 * MINUTE_MS,
  day: 24 * 60 * MINUTE_MS,
  week: 7 * 24 * 60 * MINUTE_MS,
} as const
const FIRST_MS = 5 * MINUTE_MS
const SPREAD_MS = MINUTE_MS

const generationOf = ({ scheduledTriggers }: Pick<Manifest, 'scheduledTriggers'>): string =>
  hash('sha256', JSON.stringify(scheduledTriggers)).slice(0, 16)

/** After an installation, and after each change of its version: what is planned already stays as it is. */
export async function planSchedules(context: TenantContext, parts: InvocationParts): Promise<void> {
  const { manifest } = await parts.runner.versionOf(context)
  const generation = generationOf(manifest)
  const state = parts.stateOf(context).narrow('schedules')
  if ((await state.get('generation')) === generation) return
  const base = parts.time.now() + FIRST_MS
  for (const trigger of manifest.scheduledTriggers) {
    const plannedAt = base + spreadOf(context.identity.externalId, trigger)
    await plan(context, { moduleKey: trigger.key, generation, plannedAt }, parts)
  }
  await state.set('generation', generation)
}

async function plan(
  context: TenantContext,
  work: ScheduleWork,
  { jobs, time, handlers }: InvocationParts,
): Promise<void> {
  await jobs.enqueue(context, {
    handler: handlers.schedule,
    payload: work as unknown as JsonObject,
    key: `forge-schedule ${work.moduleKey} ${work.generation} ${work.plannedAt}`,
    runAt: time.realTimeOf(work.plannedAt),
  })
}

export function createScheduleHandler(parts: InvocationParts): WorkHandler {
  return async (given, context) => {
    const work = given.payload as unknown as ScheduleWork
    const { manifest } = await parts.runner.versionOf(context)
    const trigger = manifest.scheduledTriggers.find(({ key }) => key === work.moduleKey)
    if (trigger === undefined || generationOf(manifest) !== work.generation) return
    // First: whatever becomes of this run, there is a next one.
    await plan(context, { ...work, plannedAt: nextOf(work, trigger, parts.time.now()) }, parts)
    await runSchedule(context, trigger, parts)
  }
}

/** One run now, in whoever's turn it is. */
export async function runSchedule(
  context: TenantContext,
  { key, target }: ScheduledTriggerModule,
  { runner, logger }: InvocationParts,
): Promise<void> {
  if (!('functionKey' in target)) return
  const { manifest } = await runner.versionOf(context)
  const { cloudId } = installationOf(context.identity).site
  try {
    await runner.run(context, {
      moduleType: 'scheduledTrigger',
      moduleKey: key,
      functionKey: target.functionKey,
      payload: { context: { cloudId, moduleKey: key }, contextToken: '' },
      timeoutMs: timeoutOf(manifest, target.functionKey, 'scheduledTrigger'),
    })
  } catch (error) {
    if (failureOf(error) === undefined) throw error
    logger.warn('forge-schedule-failed', { tenant: context.identity.externalId, trigger: key, error })
  }
}

function nextOf({ plannedAt }: ScheduleWork, { interval }: ScheduledTriggerModule, now: number): number {
  const every = INTERVALS_MS[interval]
  return plannedAt + every * Math.max(1, Math.ceil((now - plannedAt) / every))
}

/** Always the same for an installation and a trigger. */
const spreadOf = (installationId: string, { key }: ScheduledTriggerModule): number =>
  Number.parseInt(hash('sha256', `${installationId} ${key}`).slice(0, 8), 16) % SPREAD_MS
