/** The queue as apps see it: push, stats, cancel. What runs the events is `async-events.ts`. (Forge protocol s. 9.) */

import { createBuckets } from '../../core/buckets.ts'
import type { Clock } from '../../core/ports.ts'
import { bytesOf, jsonAnswer, jsonOf } from '../answers.ts'
import type { Caller, GuestResponse, GuestService } from '../services.ts'
import { enqueueEvent } from './async-events.ts'
import { createJobBook, type JobBook } from './job-book.ts'
import type { InvocationParts } from './parts.ts'
import { type JobName, readJobName, readPush } from './queue-requests.ts'

const MAX_BYTES = 200 * 1024
const EVENTS_PER_MINUTE = 500
/** An event that pushes an event that pushes an event ...: so many links, and no more. */
const MAX_CHAIN = 1_000

export function createQueueService(parts: InvocationParts, clock: Clock): GuestService {
  const rates = createBuckets<string>(clock, { perSecond: EVENTS_PER_MINUTE / 60, burst: EVENTS_PER_MINUTE })
  const push = async (caller: Caller, given: unknown): Promise<GuestResponse> => {
    const wanted = readPush(given)
    if (typeof wanted === 'string') return refusal(400, wanted)
    const { queue, jobId, events } = wanted
    if (!caller.manifest.consumers.some(one => one.queue === queue))
      return refusal(400, `the manifest has no consumer of the queue ${queue}`)
    const chain = (caller.chain ?? 0) + 1
    if (chain > MAX_CHAIN) return refusal(405, `events have pushed events ${MAX_CHAIN} times in a row`)
    if (events.some(() => rates.take(caller.context.tenantUid) > 0))
      return refusal(429, `an installation pushes ${EVENTS_PER_MINUTE} events a minute`)
    await createJobBook(parts.stateOf(caller.context)).open({ queue, jobId }, events.length)
    const publishedAt = parts.time.now()
    await Promise.all(
      events.map((event, index) =>
        enqueueEvent(caller.context, { ...event, queue, jobId, index, publishedAt, chain }, parts),
      ),
    )
    return jsonAnswer(201, {})
  }

  return {
    async handle(caller, request) {
      const operation = /^\/?webhook\/queue\/(publish|stats|cancel)\b/.exec(request.path)?.[1]
      if (operation === undefined || request.method !== 'POST') return refusal(404, 'the queue has no such operation')
      if ((bytesOf(request)?.length ?? 0) > MAX_BYTES) return refusal(413, `a push has at most ${MAX_BYTES / 1024} KiB`)
      const given = jsonOf(request)
      if (operation === 'publish') return push(caller, given)
      const name = readJobName(given)
      if (typeof name === 'string') return refusal(400, name)
      const book = createJobBook(parts.stateOf(caller.context))
      return operation === 'stats' ? statsOf(book, name) : cancel(book, name)
    },
  }
}

async function statsOf(book: JobBook, name: JobName): Promise<GuestResponse> {
  const stats = await book.stats(name)
  return stats === undefined ? unknownJob(name) : jsonAnswer(200, stats)
}

async function cancel(book: JobBook, name: JobName): Promise<GuestResponse> {
  return (await book.cancel(name)) ? jsonAnswer(204) : unknownJob(name)
}

const unknownJob = ({ queue, jobId }: JobName) => refusal(404, `the queue ${queue} has no job ${jobId}`)

/** The SDK reads `errorMessage` of some statuses and `message` of others. */
const refusal = (status: number, message: string): GuestResponse =>
  jsonAnswer(status, { message, errorMessage: message, code: status, details: message })
