/**
 * `ctx.tenantWebhooks`: webhooks that a tenant of Jira registers at run time (protocol s. 7). The product keeps them, 30 days
 * after each refresh; a weekly job of the tenant refreshes them, as long as there are any. Nothing is remembered here.
 */

import * as z from 'zod'
import type { TenantContext } from '../../core/context.ts'
import { PartywallError } from '../../core/errors.ts'
import { checkAnswer } from '../common/check.ts'
import type { ProductMethod, ProductRequest } from './call-request.ts'
import { handlerOf, scheduleOf, weekly } from './client-jobs.ts'
import type { ClientDeps } from './host-api.ts'
import { createTenantClient, type TenantClient } from './tenant-client.ts'
import { webhookLabel } from './webhook-definitions.ts'

export interface TenantWebhookRequest {
  /** Jira's name, such as `jira:issue_updated`. */
  readonly event: string
  /** Which issues; the product takes a subset of JQL. */
  readonly jqlFilter: string
  readonly fieldIdsFilter?: readonly string[]
  readonly issuePropertyKeysFilter?: readonly string[]
}

export interface TenantWebhook extends Omit<TenantWebhookRequest, 'event'> {
  /** The product's. */
  readonly id: number
  readonly events: readonly string[]
  readonly expiresAt: Date | undefined
}

/** A delivery that the product gave up. */
export interface FailedDelivery {
  readonly id: string
  readonly url: string
  readonly failedAt: Date
  /** Text of the delivery, where the product still has it. */
  readonly body: string | undefined
}

/** Errors as of `Exchange`. */
export interface TenantWebhooks {
  /** Deliveries run the handlers of `onWebhook(event)`, or `webhook(event)`, of the app. @throws PartywallError ERR_WEBHOOK_INVALID also where the product refuses it */
  add(webhook: TenantWebhookRequest): Promise<{ readonly id: number }>
  /** All that the product has of this app. */
  list(): Promise<readonly TenantWebhook[]>
  /** Those that are not there are no error. */
  remove(...ids: readonly number[]): Promise<void>
  /** Puts their end off by 30 days. @returns how many there are */
  refresh(): Promise<number>
  /** What the product could not deliver within the last 72 hours, at most 1,000, oldest first. */
  failed(options?: { readonly after?: Date }): Promise<readonly FailedDelivery[]>
}

const PATH = '/rest/api/3/webhook'
const JOB = 'webhooks-refresh'
const PAGE = 100
const MAX_PAGES = 10
/** Reading is all that these calls need, whatever their method. */
const SCOPE = 'READ'

const strings = z.array(z.string().min(1).max(255)).min(1).max(100)
const requestShape = z.strictObject({
  event: z.string().regex(/^[A-Za-z][\w:-]{0,99}$/),
  jqlFilter: z.string().max(10_000),
  fieldIdsFilter: strings.optional(),
  issuePropertyKeysFilter: strings.optional(),
})
const registeredShape = z.looseObject({
  webhookRegistrationResult: z
    .array(z.looseObject({ createdWebhookId: z.number().int().optional(), errors: z.array(z.string()).optional() }))
    .length(1),
})
const pageShape = z.looseObject({
  values: z.array(
    z.looseObject({
      id: z.number().int(),
      events: z.array(z.string()),
      jqlFilter: z.string(),
      fieldIdsFilter: z.array(z.string()).optional(),
      issuePropertyKeysFilter: z.array(z.string()).optional(),
      expirationDate: z.union([z.string(), z.number()]).optional(),
    }),
  ),
})
const failedShape = z.looseObject({
  values: z.array(
    z.looseObject({ id: z.string(), url: z.string(), failureTime: z.number(), body: z.string().optional() }),
  ),
})

export function createTenantWebhooks(
  context: TenantContext,
  client: Pick<TenantClient, 'request'>,
  deps: ClientDeps,
): TenantWebhooks {
  const { settings } = deps
  const call = (method: ProductMethod, path = '', request: ProductRequest = {}) =>
    client.request(method, PATH + path, { scope: SCOPE, ...request })

  const list = async (): Promise<readonly TenantWebhook[]> => {
    const found: TenantWebhook[] = []
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const answer = await call('GET', '', { query: { startAt: page * PAGE, maxResults: PAGE } })
      const { values } = checkAnswer(pageShape, answer)
      found.push(...values.map(readWebhook))
      if (values.length < PAGE) break
    }
    return found
  }

  return {
    list,
    async add(webhook) {
      const { event, ...filters } = checkRequest(webhook)
      const url = `${deps.app.baseUrl}${settings.routes.webhook}/${webhookLabel(event)}`
      const body = { url, webhooks: [{ events: [event], ...filters }] }
      const answer = checkAnswer(registeredShape, await call('POST', '', { body }))
      const id = answer.webhookRegistrationResult[0]?.createdWebhookId
      if (id === undefined)
        throw new PartywallError('ERR_WEBHOOK_INVALID', { message: 'the product refused the webhook' })
      const schedule = { name: scheduleOf(settings, JOB), handler: handlerOf(settings, JOB), payload: null }
      await deps.jobs.schedule(context, { ...schedule, cron: weekly(deps.random) })
      return { id }
    },
    async remove(...ids) {
      if (ids.length === 0) return
      if (!ids.every(Number.isSafeInteger)) throw new PartywallError('ERR_WEBHOOK_INVALID')
      await call('DELETE', '', { body: { webhookIds: ids }, expect: [200, 202, 204, 404] })
    },
    async refresh() {
      const ids = (await list()).map(({ id }) => id)
      if (ids.length > 0) await call('PUT', '/refresh', { body: { webhookIds: ids } })
      else await deps.jobs.unschedule(context, scheduleOf(settings, JOB))
      return ids.length
    },
    async failed({ after } = {}) {
      const query = { maxResults: 1_000, after: after?.getTime() }
      const { values } = checkAnswer(failedShape, await call('GET', '/failed', { query }))
      return values.map(({ id, url, failureTime, body }) => ({ id, url, failedAt: new Date(failureTime), body }))
    },
  }
}

/** The weekly job behind `add`. */
export function registerWebhookRefresh(deps: ClientDeps): void {
  deps.handlers.set(handlerOf(deps.settings, JOB), async (_, context) => {
    await createTenantWebhooks(context, createTenantClient(context, deps), deps).refresh()
  })
}

function checkRequest(webhook: TenantWebhookRequest): z.output<typeof requestShape> {
  const read = requestShape.safeParse(webhook)
  if (read.success) return read.data
  throw new PartywallError('ERR_WEBHOOK_INVALID', {
    message: 'a webhook has an event, a jqlFilter, and perhaps fieldIdsFilter and issuePropertyKeysFilter',
    details: { field: read.error.issues[0]?.path.join('.') },
  })
}

function readWebhook({ expirationDate, ...webhook }: z.output<typeof pageShape>['values'][number]): TenantWebhook {
  const at = expirationDate === undefined ? Number.NaN : new Date(expirationDate).getTime()
  const { id, events, jqlFilter, fieldIdsFilter, issuePropertyKeysFilter } = webhook
  return {
    id,
    events,
    jqlFilter,
    ...(fieldIdsFilter === undefined ? {} : { fieldIdsFilter }),
    ...(issuePropertyKeysFilter === undefined ? {} : { issuePropertyKeysFilter }),
    expiresAt: Number.isNaN(at) ? undefined : new Date(at),
  }
}
