/** Sends events to webhooks: who hears of what, what an attempt says, waits between attempts, replies. */

import { AddonCallError } from '../addon-client.ts'
import type { Actor, HostUser, RoomRecord } from '../model.ts'
import { parseNotification } from '../rooms/notification.ts'
import { notify } from '../rooms/notify.ts'
import type { HostState } from '../state.ts'
import type { Attempt, Delivery } from './delivery.ts'
import { createRetryQueue, type RetryQueue } from './retry-queue.ts'
import type { Webhook, WebhookEvent } from './webhook.ts'

const MAX_REPLY_BYTES = 64 * 1024

/** `source` is the installation that caused it: it is not told of its own doing. */
export interface RoomEvent extends Actor {
  readonly event: WebhookEvent
  readonly room: RoomRecord
  readonly item: unknown
  /** What patterns are matched against. */
  readonly text?: string
}

export interface Deliveries extends Omit<RetryQueue<DeliveryRecord>, 'send' | 'drop'> {
  /** @returns when each delivery has had its first attempt */
  send(event: RoomEvent): Promise<readonly Delivery[]>
  /** Gives up what has not been delivered to these webhooks. */
  drop(isGone: (webhook: Webhook) => boolean): void
}

type DeliveryRecord = { -readonly [K in keyof Delivery]: Delivery[K] } & {
  readonly room: RoomRecord
  readonly attempts: Attempt[]
  readonly user: HostUser | null
}

/** @param host the state this belongs to, asked for when something happens */
export function createDeliveries(host: () => HostState): Deliveries {
  const queue: RetryQueue<DeliveryRecord> = createRetryQueue({
    now: () => host().clock.now(),
    isAutomatic: () => host().settings.automaticRetries && !host().closing.aborted,
    attempt: record => runAttempt(host(), record, work => queue.inBackground(work)),
    onAttempt: record => host().hooks.emit('delivery', record),
  })
  return {
    ...queue,
    send: event => queue.send(listeners(event).map(webhook => newRecord(host(), event, webhook))),
    drop: isGone => queue.drop(({ webhook }) => isGone(webhook)),
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
