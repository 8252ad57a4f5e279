/**
 * Replies to webhooks: the route waits a moment for what the delivery's handler returns, and answers with it.
 *
 * The delivery runs once, from the inbox like any other; only who made the request may listen in, in this process. Late or
 * failed: no reply, and the delivery goes on as usual.
 */

import type { Random } from '../../core/ports.ts'
import { notificationBody } from './rest/notification.ts'

export interface ExpectedReply {
  readonly id: string
  /** The body of the answer; `undefined` when none came in time. Never rejects. */
  readonly answer: Promise<Record<string, unknown> | undefined>
  cancel(): void
}

export interface Replies {
  expect(): ExpectedReply
  /** Hands over what a handler returned; `undefined` when there is nothing to say. Unknown ids are ignored: nobody waits any more. */
  give(id: string, reply: Record<string, unknown> | undefined): void
}

const WAIT_MS = 2_000

export function createReplies(random: Random, waitMs = WAIT_MS): Replies {
  const waiting = new Map<string, (reply: Record<string, unknown> | undefined) => void>()
  return {
    expect() {
      const id = random.bytes(16).toString('hex')
      const answer = new Promise<Record<string, unknown> | undefined>(resolve => {
        const timer = setTimeout(() => settle(undefined), waitMs)
        const settle = (reply: Record<string, unknown> | undefined) => {
          clearTimeout(timer)
          waiting.delete(id)
          resolve(reply)
        }
        waiting.set(id, settle)
      })
      return { id, answer, cancel: () => waiting.get(id)?.(undefined) }
    },
    give: (id, reply) => waiting.get(id)?.(reply),
  }
}

/**
 * The notification a handler's result stands for: a text, or `{ message, color, format, notify, card }`.
 * @throws TypeError for anything else but `undefined` and `null`; PartywallError ERR_CALL_INVALID for what is no notification
 */
export function replyBody(result: unknown): Record<string, unknown> | undefined {
  if (result === undefined || result === null) return undefined
  if (typeof result === 'string') return notificationBody(result)
  if (typeof result !== 'object') throw new TypeError('a reply is a text or an object with a message')
  const { message, ...options } = result as { message: string }
  return notificationBody(message, options)
}
