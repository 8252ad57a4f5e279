/** What both generations of `@forge/events` send to the queue, as one shape (Forge protocol s. 9, read from 0.9, 1.0 and 3.0). */

import type { JsonObject, JsonValue } from '../../core/tenant.ts'
import { recordOf } from '../answers.ts'

export interface Push {
  readonly queue: string
  readonly jobId: string
  readonly events: readonly PushedEvent[]
}
export interface PushedEvent {
  readonly body: JsonValue
  readonly delaySeconds: number
  readonly concurrency: { readonly key: string; readonly limit: number } | undefined
}
export interface JobName {
  readonly queue: string
  readonly jobId: string
}

const QUEUE = /^[a-zA-Z0-9-_]{1,100}$/
const JOB_ID = /^[a-zA-Z0-9-]{1,64}$/
const MAX_EVENTS = 50
const MAX_DELAY_SECONDS = 900
const MAX_CONCURRENCY_KEY = 200

/** @returns the reason of a refusal as text */
export function readPush(given: unknown): Push | string {
  const request = recordOf(given)
  const name = readJobName(request)
  if (typeof name === 'string') return name
  const { payload, schema, delayInSeconds } = request
  if (!Array.isArray(payload) || payload.length === 0) return 'a push has at least one event'
  if (payload.length > MAX_EVENTS) return `a push has at most ${MAX_EVENTS} events`
  // Of before 2.0: bodies alone, and one delay for all of them.
  const isOld = typeof schema === 'string' && schema.endsWith('/app-event')
  const events: PushedEvent[] = []
  for (const item of payload as readonly JsonValue[]) {
    const event = readEvent(isOld ? { body: item, delayInSeconds } : item)
    if (typeof event === 'string') return event
    events.push(event)
  }
  return { ...name, events }
}

/** @returns the reason of a refusal as text */
export function readJobName(given: unknown): JobName | string {
  const { queueName, jobId } = recordOf(given)
  if (typeof queueName !== 'string' || !QUEUE.test(queueName)) return 'queueName: letters, digits, - and _ are needed'
  if (typeof jobId !== 'string' || !JOB_ID.test(jobId)) return 'jobId is not one'
  return { queue: queueName, jobId }
}

function readEvent(given: unknown): PushedEvent | string {
  const { body, delayInSeconds = 0, concurrency } = recordOf(given)
  if (typeof body !== 'object' || body === null) return 'the body of an event must be an object'
  const isDelay = typeof delayInSeconds === 'number' && delayInSeconds >= 0 && delayInSeconds <= MAX_DELAY_SECONDS
  if (!isDelay) return `delayInSeconds is 0 to ${MAX_DELAY_SECONDS}`
  if (concurrency === undefined || concurrency === null)
    return { body: body as JsonObject, delaySeconds: delayInSeconds, concurrency: undefined }
  const { key, limit } = recordOf(concurrency)
  if (typeof key !== 'string' || key === '' || key.length > MAX_CONCURRENCY_KEY) return 'concurrency.key is not one'
  if (!Number.isSafeInteger(limit) || (limit as number) < 1) return 'concurrency.limit is a whole number from 1'
  return { body: body as JsonObject, delaySeconds: delayInSeconds, concurrency: { key, limit: limit as number } }
}
