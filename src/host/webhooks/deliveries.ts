/** Sends events to webhooks: who hears of what, attempts, waits between them, replies. */

import { AddonCallError } from '../addon-client.ts'
import type { Actor, HostUser, RoomRecord } from '../model.ts'
import { parseNotification } from '../rooms/notification.ts'
import { notify } from '../rooms/notify.ts'
import type { HostState } from '../state.ts'
import type { Attempt, Delivery } from './delivery.ts'
import type { Webhook, WebhookEvent } from './webhook.ts'

const MAX_REPLY_BYTES = 64 * 1024
const MAX_KEPT = 10_000

/** `source` is the installation that caused it: it is not told of its own doing. */
export interface RoomEvent extends Actor {
  readonly event: WebhookEvent
  readonly room: RoomRecord
  readonly item: unknown
  /** What patterns are matched against. */
  readonly text?: string
}

export interface Deliveries {
  /** The newest 10,000, oldest first. */
  readonly list: readonly Delivery[]
  /** @returns when each delivery has had its first attempt */
  send(event: RoomEvent): Promise<readonly Delivery[]>
  /** Lets `idle` wait for this work. */
  inBackground(work: Promise<unknown>): void
  /** Another attempt now for what waits for one. */
  retryPending(options: { readonly onlyDue?: boolean }): Promise<readonly Delivery[]>
  /** Gives up what has not been delivered to these webhooks. */
  drop(isGone: (webhook: Webhook) => boolean): void
  /** Resolves when no attempt is under way; throws what went wrong in the background. */
  idle(): Promise<void>
  /** Ends all timers. */
  stop(): void
}

type DeliveryRecord = { -readonly [K in keyof Delivery]: Delivery[K] } & {
  readonly room: RoomRecord
  readonly attempts: Attempt[]
  readonly user: HostUser | null
}

/** @param host the state this belongs to, asked for when something happens */
export function createDeliveries(host: () => HostState): Deliveries {
  const list: DeliveryRecord[] = []
  const timers = new Map<DeliveryRecord, NodeJS.Timeout>()
  const running = new Set<Promise<unknown>>()
  /** Errors of background work, which has no caller: `idle` throws them. */
  const failures: unknown[] = []

  const track = <T>(work: Promise<T>): Promise<T> => {
    const tracked = work.finally(() => running.delete(tracked))
    running.add(tracked)
    return tracked
  }
  const inBackground = (work: Promise<unknown>): void => {
    track(work).catch((error: unknown) => failures.push(error))
  }
  const attempt = async (record: DeliveryRecord): Promise<void> => {
    clearTimeout(timers.get(record))
    timers.delete(record)
    record.nextAttemptAt = undefined
    await runAttempt(host(), record, inBackground)
    const { closing, settings, hooks } = host()
    if (record.status === 'pending' && settings.automaticRetries && !closing.aborted) {
      const waitMs = (record.nextAttemptAt ?? 0) - host().clock.now()
      timers.set(record, setTimeout(() => inBackground(attempt(record)), Math.max(0, waitMs)).unref())
    }
    hooks.emit('delivery', record)
  }

  return {
    list,
    inBackground,
    send: event => {
      const records = listeners(event).map(webhook => newRecord(host(), event, webhook))
      list.push(...records)
      if (list.length > MAX_KEPT) list.splice(0, list.length - MAX_KEPT)
      return track(Promise.all(records.map(attempt)).then(() => records))
    },
    retryPending: options => {
      const now = host().clock.now()
      const waiting = list.filter(
        ({ nextAttemptAt }) => nextAttemptAt !== undefined && (options.onlyDue !== true || nextAttemptAt <= now),
      )
      return track(Promise.all(waiting.map(attempt)).then(() => waiting))
    },
    drop: isGone => {
      // What has left the list may still wait for its turn.
      for (const record of new Set([...list, ...timers.keys()])) {
        if (record.status !== 'pending' || !isGone(record.webhook)) continue
        clearTimeout(timers.get(record))
        timers.delete(record)
        record.status = 'dropped'
        record.nextAttemptAt = undefined
      }
    },
    idle: async () => {
      while (running.size > 0) await Promise.allSettled(running)
      if (failures.length > 0) throw failures.shift()
    },
    stop: () => {
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
    },
  }
}

function listeners({ event, room, text, source }: RoomEvent): Webhook[] {
  const fromDescriptors = [...room.group.installations].flatMap(one => (one.covers(room) ? one.webhooks : []))
  return [...fromDescriptors, ...room.webhooks.values()].filter(
    webhook => webhook.event === event && webhook.installation !== source && webhook.matches(text ?? ''),
  )
}

function newRecord(state: HostState, { event, room, item, user }: RoomEvent, webhook: Webhook): DeliveryRecord {
  const { oauthId } = webhook.installation
  return {
    id: state.random.text(20),
    event,
    webhook,
    room,
    oauthId,
    body: JSON.stringify({ event, oauth_client_id: oauthId, webhook_id: webhook.id, item }),
    status: 'pending',
    attempts: [],
    nextAttemptAt: undefined,
    reply: undefined,
    user: user ?? null,
  }
}

async function runAttempt(
  state: HostState,
  record: DeliveryRecord,
  inBackground: (work: Promise<unknown>) => void,
): Promise<void> {
  const at = state.clock.now()
  try {
    const answer = await call(state, record)
    record.attempts.push({ at, status: answer.status, failure: undefined })
    // Uninstalled while the add-on was answering: the outcome no longer counts.
    if (record.status !== 'pending') return
    if (answer.status < 200 || answer.status > 299) return waitForNext(state, record)
    record.status = 'delivered'
    if (answer.status === 200) record.reply = postReply(state, record, answer.body, inBackground)
  } catch (error) {
    if (!(error instanceof AddonCallError)) throw error
    record.attempts.push({ at, status: undefined, failure: error.reason })
    if (record.status === 'pending') waitForNext(state, record)
  }
}

/** The token is signed anew for each attempt; its `jti` stays, as it names the delivery. */
function call(state: HostState, { webhook, room, user, id, body }: DeliveryRecord) {
  const token =
    webhook.authentication === 'jwt' ? webhook.installation.signRequest({ jti: id }, { user, room }) : undefined
  return state.addons.call({
    method: 'POST',
    url: webhook.url,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'HipChat.com',
      ...(token === undefined ? {} : { authorization: `JWT ${token}` }),
    },
    body,
    timeoutMs: state.settings.webhookTimeoutMs,
    maxBytes: MAX_REPLY_BYTES,
  })
}

function waitForNext(state: HostState, record: DeliveryRecord): void {
  const waitMs = state.settings.retryDelaysMs[record.attempts.length - 1]
  if (waitMs === undefined) record.status = 'failed'
  else record.nextAttemptAt = state.clock.now() + waitMs
}

function postReply(
  state: HostState,
  record: DeliveryRecord,
  text: string,
  inBackground: (work: Promise<unknown>) => void,
): Delivery['reply'] {
  if (text === '' || record.room.isDeleted) return undefined
  const parsed = parseNotification(parseJson(text))
  if (!parsed.ok) return 'ignored'
  inBackground(notify(state, record.room, record.webhook.installation, parsed.notification).told)
  return 'posted'
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
