/** Jira's dynamic webhooks: make, list, delete, refresh, and what could not be delivered (protocol s. 7). */

import { FieldError, optional, readList, readNumber, readObject, readText } from '../../fields.ts'
import type { Reply } from '../../server/reply.ts'
import type { ConnectInstallation } from '../apps/installation.ts'
import { checkQuery } from '../query/match.ts'
import { QueryError } from '../query/parse.ts'
import type { ConnectState } from '../state.ts'
import { type DynamicWebhookSpec, MAX_DYNAMIC_WEBHOOKS } from '../webhooks/dynamic-webhook.ts'
import { connectInstallation } from './access.ts'
import { readBody } from './body.ts'
import type { ProductCall, ProductRoute } from './product-route.ts'

const PRODUCTS = ['jira'] as const
const PATH = '/rest/api/:version/webhook'

export const webhookRoutes: readonly ProductRoute[] = [
  { products: PRODUCTS, method: 'POST', path: PATH, scope: 'READ', handle: create },
  { products: PRODUCTS, method: 'GET', path: PATH, scope: 'READ', handle: list },
  { products: PRODUCTS, method: 'DELETE', path: PATH, scope: 'READ', handle: remove },
  { products: PRODUCTS, method: 'PUT', path: `${PATH}/refresh`, scope: 'READ', handle: refresh },
  { products: PRODUCTS, method: 'GET', path: `${PATH}/failed`, scope: 'READ', handle: listFailed },
]

/** One answer for each entry, as some may be good and others not. */
function create(call: ProductCall, { clock, random }: ConnectState): Reply {
  const installation = connectInstallation(call)
  const { url, entries } = readBody(call, body => ({
    url: ownAddress(installation, readText(body.url, 'url')),
    entries: readList(body.webhooks, 'webhooks', readObject),
  }))
  const results = entries.map(entry => {
    try {
      const spec = readSpec(url, entry)
      const isFull = installation.webhooks.list(clock.now()).length >= MAX_DYNAMIC_WEBHOOKS
      if (isFull) throw new FieldError(`there are at most ${MAX_DYNAMIC_WEBHOOKS} webhooks`)
      const id = random.nextId()
      installation.webhooks.add(id, spec, clock.now())
      return { createdWebhookId: id }
    } catch (error) {
      if (error instanceof FieldError || error instanceof QueryError) return { errors: [error.message] }
      throw error
    }
  })
  return { status: 200, json: { webhookRegistrationResult: results } }
}

function ownAddress({ appUrl }: ConnectInstallation, url: string): string {
  const isOwn = url === appUrl || url.startsWith(`${appUrl}/`) || url.startsWith(`${appUrl}?`)
  if (!isOwn) throw new FieldError('url is not below the base URL of the app')
  return url
}

function readSpec(url: string, entry: Readonly<Record<string, unknown>>): DynamicWebhookSpec {
  const texts = (value: unknown, name: string) => readList(value, name, (text, at) => readText(text, at))
  const jqlFilter = readText(entry.jqlFilter, 'jqlFilter')
  checkQuery(jqlFilter)
  return {
    url,
    jqlFilter,
    events: texts(entry.events, 'events'),
    fieldIdsFilter: optional(entry.fieldIdsFilter, value => texts(value, 'fieldIdsFilter')),
    issuePropertyKeysFilter: optional(entry.issuePropertyKeysFilter, value => texts(value, 'issuePropertyKeysFilter')),
  }
}

function list(call: ProductCall, { clock }: ConnectState): Reply {
  const values = connectInstallation(call)
    .webhooks.list(clock.now())
    .map(({ expiresAt, ...webhook }) => ({ ...webhook, expirationDate: new Date(expiresAt).toISOString() }))
  return {
    status: 200,
    json: { startAt: 0, maxResults: MAX_DYNAMIC_WEBHOOKS, total: values.length, isLast: true, values },
  }
}

const idsOf = (call: ProductCall): readonly number[] =>
  readBody(call, ({ webhookIds }) => readList(webhookIds, 'webhookIds', (id, name) => readNumber(id, name)))

function remove(call: ProductCall): Reply {
  connectInstallation(call).webhooks.delete(idsOf(call))
  return { status: 202 }
}

function refresh(call: ProductCall, { clock }: ConnectState): Reply {
  const expiresAt = connectInstallation(call).webhooks.refresh(idsOf(call), clock.now())
  return { status: 200, json: { expirationDate: new Date(expiresAt).toISOString() } }
}

function listFailed(call: ProductCall, { clock }: ConnectState): Reply {
  const values = connectInstallation(call)
    .webhooks.failures(clock.now())
    .map(({ delivery, failedAt }) => ({
      id: delivery.id,
      body: delivery.body,
      url: delivery.url,
      failureTime: failedAt,
    }))
  return { status: 200, json: { maxResults: 100, values } }
}
