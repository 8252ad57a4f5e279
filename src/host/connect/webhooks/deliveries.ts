/** Sends events to the webhooks of a product's apps: who hears of what, what an attempt says, when there is another. */

import { AddonCallError } from '../../addon-client.ts'
import type { Attempt } from '../../webhooks/delivery.ts'
import { createRetryQueue, type RetryQueue } from '../../webhooks/retry-queue.ts'
import { forgeEventOf } from '../forge/events.ts'
import type { ConnectState } from '../state.ts'
import { signRequest } from '../tokens/sign.ts'
import type { ConnectDelivery } from './delivery.ts'
import { type HostEvent, type Listener, listenersOf } from './listeners.ts'

const MAX_ANSWER_BYTES = 64 * 1024

export interface ConnectDeliveries extends Omit<RetryQueue<DeliveryRecord>, 'send'> {
  /** @returns when each delivery has had its first attempt */
  send(event: HostEvent): Promise<readonly ConnectDelivery[]>
}

type DeliveryRecord = { -readonly [K in keyof ConnectDelivery]: ConnectDelivery[K] } & {
  readonly attempts: Attempt[]
  readonly source: HostEvent
  readonly listener: Listener
}

/** @param host the state this belongs to, asked for when something happens */
export function createConnectDeliveries(host: () => ConnectState): ConnectDeliveries {
  const queue: RetryQueue<DeliveryRecord> = createRetryQueue({
    now: () => host().clock.now(),
    isAutomatic: () => host().settings.automaticRetries && !host().closing.aborted,
    attempt: record => attempt(host(), record),
    onAttempt: record => host().hooks.emit('delivery', record),
  })
  return {
    ...queue,
    send: source => {
      const event = forgeEventOf(source)
      if (event !== undefined) host().hooks.emit('forge', event)
      return queue.send(listenersOf(host(), source).map(listener => newRecord(host(), source, listener)))
    },
  }
}

function newRecord(state: ConnectState, source: HostEvent, listener: Listener): DeliveryRecord {
  return {
    id: state.random.uuid(),
    event: source.event,
    product: source.product,
    installation: listener.installation,
    webhookId: listener.webhookId,
    url: listener.url,
    body: listener.excludeBody ? '' : JSON.stringify(bodyOf(state, source, listener)),
    status: 'pending',
    attempts: [],
    nextAttemptAt: undefined,
    source,
    listener,
  }
}

function bodyOf(state: ConnectState, { event, payload, place }: HostEvent, { webhookId, propertyKeys }: Listener) {
  const shown = propertyKeys.filter(key => place.issue?.properties.has(key) === true)
  const properties = Object.fromEntries(shown.map(key => [key, place.issue?.properties.get(key)]))
  return {
    timestamp: state.clock.now(),
    webhookEvent: event,
    ...payload,
    ...(shown.length > 0 && { issue: { ...Object(payload.issue), properties } }),
    ...(webhookId !== undefined && { matchedWebhookIds: [webhookId] }),
  }
}

async function attempt(state: ConnectState, record: DeliveryRecord): Promise<void> {
  const at = state.clock.now()
  try {
    const { status } = await post(state, record)
    record.attempts.push({ at, status, failure: undefined })
    // Uninstalled while the app was answering: the outcome no longer counts.
    if (record.status !== 'pending') return
    if (status >= 200 && status < 300) record.status = 'delivered'
    else waitOrFail(state, record, isWorthRetrying(status))
  } catch (error) {
    if (!(error instanceof AddonCallError)) throw error
    record.attempts.push({ at, status: undefined, failure: error.reason })
    if (record.status === 'pending') waitOrFail(state, record, true)
  }
}

/** The token is signed anew for each attempt; the identifier stays. */
function post(state: ConnectState, { id, url, body, installation, attempts, source, listener }: DeliveryRecord) {
  const isSigned = installation.descriptor.authentication === 'jwt'
  const token = isSigned && signRequest(state, installation, { method: 'POST', url }, { place: source.place })
  return state.apps.call({
    method: 'POST',
    url,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'Atlassian Webhook HTTP Client',
      'x-atlassian-webhook-identifier': id,
      'x-atlassian-webhook-flow': listener.flow,
      ...(attempts.length > 0 && { 'x-atlassian-webhook-retry': String(attempts.length) }),
      ...(token && { authorization: `JWT ${token}` }),
    },
    body,
    timeoutMs: state.settings.webhookTimeoutMs,
    maxBytes: MAX_ANSWER_BYTES,
  })
}

const isWorthRetrying = (status: number): boolean => [408, 409, 425, 429].includes(status) || status >= 500

function waitOrFail(state: ConnectState, record: DeliveryRecord, isRetried: boolean): void {
  const waitMs = state.settings.retryDelaysMs[record.attempts.length - 1]
  if (isRetried && waitMs !== undefined && record.product.type === 'jira') {
    record.nextAttemptAt = state.clock.now() + waitMs
    return
  }
  record.status = 'failed'
  record.listener.onFailed(record)
}
