/**
 * Events of products and of the app's own life: who of the manifest's triggers hears of one, and the call that tells them. Delivered
 * from the durable queue; what throws is logged, what asks for another attempt gets at most four. (Forge protocol s. 5.1, 9.)
 */

import type { TenantContext } from '../../core/context.ts'
import { newRowId } from '../../core/ids.ts'
import type { WorkHandler } from '../../core/ports.ts'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import { installationOf } from '../platform/installation.ts'
import { passesFilter } from './event-filter.ts'
import { RETENTION_MS } from './job-book.ts'
import { askedRetryOf, failureOf, type InvocationParts, type Retry } from './parts.ts'
import { timeoutOf } from './timeouts.ts'

/** Something that happened; `eventType` is `avi:jira:created:issue` and the like. */
export interface ForgeEvent {
  readonly eventType: string
  readonly [name: string]: JsonValue
}
export interface EventFacts {
  /** The app itself has caused it. */
  readonly isSelfGenerated?: boolean
}

interface TriggerWork {
  readonly id: string
  readonly moduleKey: string
  readonly event: ForgeEvent
  readonly deliveredAt: number
  readonly retry?: Retry
}

const MAX_RETRIES = 4
const MAX_ATTEMPTS = 20

/** @returns keys of the triggers that are told */
export async function deliverEvent(
  context: TenantContext,
  event: ForgeEvent,
  { isSelfGenerated = false }: EventFacts,
  parts: InvocationParts,
): Promise<readonly string[]> {
  const { manifest } = await parts.runner.versionOf(context)
  const { site, license } = installationOf(context.identity)
  const told: ForgeEvent = {
    ...event,
    context: event.context ?? site.contextAri,
    ...(isSelfGenerated ? { selfGenerated: true } : {}),
  }
  const facts = { isSelfGenerated, license }
  const heard = manifest.triggers.filter(trigger =>
    trigger.events.some(
      one =>
        one.eventType === event.eventType &&
        passesFilter(one.filter, told, facts, parts.logger) &&
        passesFilter(trigger.filter, told, facts, parts.logger),
    ),
  )
  const work = { id: newRowId(), event: told, deliveredAt: parts.time.now() }
  await Promise.all(heard.map(({ key }) => enqueueTrigger(context, { ...work, moduleKey: key }, parts, 0)))
  return heard.map(({ key }) => key)
}

async function enqueueTrigger(
  context: TenantContext,
  work: TriggerWork,
  { jobs, time, handlers }: InvocationParts,
  waitMs: number,
): Promise<void> {
  await jobs.enqueue(context, {
    handler: handlers.trigger,
    payload: work as unknown as JsonObject,
    key: `forge-trigger ${work.id} ${work.moduleKey} ${work.retry?.count ?? 0}`,
    maxAttempts: MAX_ATTEMPTS,
    ...(waitMs === 0 ? {} : { runAt: time.realTimeOf(time.now() + waitMs) }),
  })
}

export function createTriggerHandler(parts: InvocationParts): WorkHandler {
  const { runner, time, logger } = parts
  return async (given, context) => {
    const work = given.payload as unknown as TriggerWork
    const { manifest } = await runner.versionOf(context)
    const trigger = manifest.triggers.find(({ key }) => key === work.moduleKey)
    // Gone with a new version.
    if (trigger === undefined || !('functionKey' in trigger.target)) return
    const { functionKey } = trigger.target
    try {
      const value = await runner.run(context, {
        moduleType: 'trigger',
        moduleKey: trigger.key,
        functionKey,
        payload: { ...work.event, ...retryContextOf(work, time.now()) },
        timeoutMs: timeoutOf(manifest, functionKey, 'trigger'),
      })
      const asked = askedRetryOf(value)
      const count = (work.retry?.count ?? 0) + 1
      if (asked === undefined || count > MAX_RETRIES) return
      const retry = { count, reason: asked.reason, data: asked.data }
      await enqueueTrigger(context, { ...work, retry }, parts, asked.afterSeconds * 1000)
    } catch (error) {
      if (failureOf(error) === undefined) throw error
      logger.warn('forge-trigger-failed', { tenant: context.identity.externalId, trigger: trigger.key, error })
    }
  }
}

/** Tells those who hear of it at once, one after the other; what throws is logged. For what comes when nothing can be enqueued. */
export async function tellNow(
  context: TenantContext,
  event: ForgeEvent,
  { runner, logger }: InvocationParts,
): Promise<void> {
  const { manifest } = await runner.versionOf(context)
  for (const { key, events, target } of manifest.triggers) {
    if (!('functionKey' in target) || !events.some(one => one.eventType === event.eventType)) continue
    try {
      await runner.run(context, {
        moduleType: 'trigger',
        moduleKey: key,
        functionKey: target.functionKey,
        payload: { ...event, context: installationOf(context.identity).site.contextAri },
        timeoutMs: timeoutOf(manifest, target.functionKey, 'trigger'),
      })
    } catch (error) {
      if (failureOf(error) === undefined) throw error
      logger.warn('forge-trigger-failed', { tenant: context.identity.externalId, trigger: key, error })
    }
  }
}

function retryContextOf({ retry, deliveredAt }: TriggerWork, now: number): JsonObject {
  if (retry === undefined) return {}
  const remainingTimeMs = Math.max(0, deliveredAt + RETENTION_MS - now)
  return {
    retryContext: {
      retryCount: retry.count,
      retryReason: retry.reason,
      retryData: retry.data,
      retentionWindow: { startTime: new Date(deliveredAt).toISOString(), remainingTimeMs },
    },
  }
}
