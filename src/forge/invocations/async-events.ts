/**
 * Runs what apps put into queues: at least once, in no order, for a day. A function that throws or asks for it is called again; what
 * comes of each event goes into the job's book. (Forge protocol s. 9.)
 */

import type { TenantContext } from '../../core/context.ts'
import type { WorkHandler } from '../../core/ports.ts'
import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import type { ConsumerModule } from '../manifest/types.ts'
import { createJobBook, type JobBook, RETENTION_MS } from './job-book.ts'
import { askedRetryOf, failureOf, type InvocationParts, type Retry } from './parts.ts'
import type { PushedEvent } from './queue-requests.ts'
import { timeoutOf } from './timeouts.ts'

export interface QueuedEvent extends PushedEvent {
  readonly queue: string
  readonly jobId: string
  /** Place in its push. */
  readonly index: number
  /** Epoch milliseconds on Forge's clock. */
  readonly publishedAt: number
  /** How many pushes led to this one. */
  readonly chain: number
  readonly retry?: Retry
  /** How often it has waited for others with its concurrency key. */
  readonly turn?: number
}

const BACKOFF_FIRST_MS = 5_000
const BACKOFF_MAX_MS = 900_000
/** How long an event waits that found its concurrency key in full use. */
const TURN_MS = 1_000
/** Tries of the platform's own: a process that died, a database that was away. */
const MAX_ATTEMPTS = 20

export async function enqueueEvent(
  context: TenantContext,
  event: QueuedEvent,
  { jobs, time, handlers }: InvocationParts,
  waitMs: number = event.delaySeconds * 1000,
): Promise<void> {
  await jobs.enqueue(context, {
    handler: handlers.event,
    payload: event as unknown as JsonValue,
    // One push that arrives twice is there once, and so is one retry.
    key: `forge-event ${event.queue} ${event.jobId} ${event.index} ${event.retry?.count ?? 0} ${event.turn ?? 0}`,
    maxAttempts: MAX_ATTEMPTS,
    ...(waitMs === 0 ? {} : { runAt: time.realTimeOf(time.now() + waitMs) }),
  })
}

export function createEventHandler(parts: InvocationParts): WorkHandler {
  const { runner, time, logger } = parts
  const turns = createTurns()

  return async (work, context) => {
    const event = work.payload as unknown as QueuedEvent
    const book = createJobBook(parts.stateOf(context))
    const end = (how: 'success' | 'failed') => book.end(event, event.index, how)
    if (await isOver(event, book)) return end('failed')
    const { manifest } = await runner.versionOf(context)
    const consumer = manifest.consumers.find(({ queue }) => queue === event.queue)
    // A version without the consumer came in between.
    if (consumer === undefined || 'endpointKey' in consumer.target) {
      logger.warn('forge-event-without-consumer', { tenant: context.identity.externalId, queue: event.queue })
      return end('failed')
    }
    const { functionKey } = consumer.target
    const leave = turns.enter(context.tenantUid, event.concurrency)
    if (leave === undefined) return enqueueEvent(context, { ...event, turn: (event.turn ?? 0) + 1 }, parts, TURN_MS)
    let next: { readonly retry: Retry; readonly waitMs: number } | undefined
    try {
      const value = await runner.run(context, {
        moduleType: 'consumer',
        moduleKey: consumer.key,
        functionKey,
        payload: payloadOf(consumer, event, time.now(), eventIdOf(event)),
        timeoutMs: timeoutOf(manifest, functionKey, 'consumer'),
        chain: event.chain,
      })
      const asked = askedRetryOf(value)
      if (asked === undefined) return await end('success')
      next = retryOf(event, asked.reason, asked.data, asked.afterSeconds * 1000)
    } catch (error) {
      const reason = failureOf(error)
      if (reason === undefined) throw error
      logger.warn('forge-event-failed', { tenant: context.identity.externalId, queue: event.queue, reason, error })
      next = retryOf(event, reason, event.retry?.data ?? null, backoffOf(event))
    } finally {
      leave()
    }
    if (time.now() + next.waitMs > event.publishedAt + RETENTION_MS) return end('failed')
    await enqueueEvent(context, { ...event, retry: next.retry }, parts, next.waitMs)
  }

  async function isOver(event: QueuedEvent, book: JobBook): Promise<boolean> {
    return time.now() > event.publishedAt + RETENTION_MS || (await book.isCancelled(event))
  }
}

const backoffOf = ({ retry }: QueuedEvent): number =>
  Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (retry?.count ?? 0))

const retryOf = (event: QueuedEvent, reason: Retry['reason'], data: JsonValue, waitMs: number) => ({
  retry: { count: (event.retry?.count ?? 0) + 1, reason, data },
  waitMs,
})

const eventIdOf = ({ jobId, index }: QueuedEvent): string => `${jobId}-${index}`

function payloadOf({ target }: ConsumerModule, event: QueuedEvent, now: number, eventId: string): JsonObject {
  const { body, jobId, queue, delaySeconds, concurrency, retry } = event
  const retryContext = retry && {
    retryCount: retry.count,
    retryReason: retry.reason,
    retryData: retry.data,
    retentionWindow: {
      startTime: new Date(event.publishedAt).toISOString(),
      remainingTimeMs: Math.max(0, event.publishedAt + RETENTION_MS - now),
    },
  }
  // SDK 1.x: a method of a resolver.
  if ('method' in target)
    return {
      call: { functionKey: target.method, payload: body, jobId },
      context: { ...(retryContext && { retryContext }) },
    }
  return {
    body,
    jobId,
    eventId,
    queueName: queue,
    ...(delaySeconds > 0 ? { delayInSeconds: delaySeconds } : {}),
    ...(concurrency && { concurrency: { ...concurrency } }),
    ...(retryContext && { retryContext }),
  }
}

/** How many events of one concurrency key of an installation run now, in this process. */
function createTurns() {
  const running = new Map<string, number>()
  return {
    /** @returns what to call at the end; `undefined` where the limit is reached */
    enter(tenant: string, concurrency: PushedEvent['concurrency']): (() => void) | undefined {
      if (concurrency === undefined) return () => undefined
      const name = `${tenant} ${concurrency.key}`
      const count = running.get(name) ?? 0
      if (count >= concurrency.limit) return undefined
      running.set(name, count + 1)
      return () => {
        const left = (running.get(name) ?? 1) - 1
        if (left === 0) running.delete(name)
        else running.set(name, left)
      }
    },
  }
}
