/**
 * Runs an accepted delivery: the handlers of its route and the listeners of its event, bound to the delivery's tenant.
 *
 * Everything that is due runs, also beside a handler that throws; then the attempt counts as failed and the whole delivery is tried
 * again. So handlers run at least once; `deliveryId` is the same in each attempt.
 */

import * as z from 'zod'
import type { TenantContext } from '../../core/context.ts'
import { PartywallError } from '../../core/errors.ts'
import type { Work } from '../../core/ports.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { extend } from '../common/extend.ts'
import { type ConnectTenantServices, createServices } from './handler-context.ts'
import type { WebhookDeps } from './webhook.ts'

export interface ConnectWebhookContext extends ConnectTenantServices {
  readonly event: string
  /** As the product sent it; null where it leaves the body out. */
  readonly body: JsonValue
  /** Of the address, without the token. */
  readonly query: URLSearchParams
  /** What stands in the address for the `{variables}` of the path. */
  readonly params: Readonly<Record<string, string>>
  /** The product's id of the user who caused the event; `undefined` where there was none. */
  readonly userId: string | undefined
  /** `Primary` or `Secondary`, where the product says. */
  readonly flow: string | undefined
  /** Stable over retries. */
  readonly deliveryId: string
  /** 1 for the first. */
  readonly attempt: number
  /** Aborted when the installation ends. */
  readonly signal: AbortSignal
}

const payloadShape = z.object({
  route: z.string(),
  query: z.string(),
  params: z.record(z.string(), z.string()),
  flow: z.string().nullable(),
  userId: z.string().nullable(),
  body: z.json(),
})

/** @throws whatever the first failing handler threw; ERR_HANDLER_UNKNOWN when nobody handles the route (yet) */
export async function runWebhook(work: Work, context: TenantContext, deps: WebhookDeps): Promise<void> {
  const { route, query, params, flow, userId, body } = payloadShape.parse(work.payload)
  const handlers = deps.definitions.handlersOf(route)
  const event = deps.definitions.all().find(definition => definition.route === route)?.event
  if (event === undefined || handlers.length === 0) {
    throw new PartywallError('ERR_HANDLER_UNKNOWN', {
      message: 'the app has not (or no longer) what this delivery is for',
    })
  }
  const facts = { event, body, params, userId: userId ?? undefined, flow: flow ?? undefined }
  const delivery = { ...facts, deliveryId: work.id, attempt: work.attempt }
  const results = await Promise.allSettled(
    handlers.map(async handler => {
      const own = {
        ...delivery,
        query: new URLSearchParams(query),
        get signal() {
          return context.signal
        },
      }
      return handler(extend(createServices(context, deps), own))
    }),
  )
  const [first, ...more] = results.filter(result => result.status === 'rejected')
  for (const { reason } of more) {
    deps.logger.error('webhook-handler-failed', { tenant: context.identity.externalId, error: reason })
  }
  if (first !== undefined) throw first.reason
}
