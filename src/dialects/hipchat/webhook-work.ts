/**
 * Runs an accepted delivery: the matching definitions' handlers and the event's listeners, bound to the delivery's tenant.
 *
 * Everything that is due runs, also beside a handler that throws; then the attempt counts as failed and the whole delivery is
 * tried again. So handlers run at least once; `deliveryId` is the same in each attempt.
 */

import * as z from 'zod'
import type { TenantContext } from '../../core/context.ts'
import { PartywallError } from '../../core/errors.ts'
import type { Work } from '../../core/ports.ts'
import { createWebhookContext } from './handler-context.ts'
import { compilePattern, type PatternMatch } from './pattern.ts'
import type { WebhookDeps } from './webhook.ts'
import type { WebhookDefinition, WebhookHandler } from './webhook-definitions.ts'
import { readWebhook, type WebhookFields } from './webhook-event.ts'
import { replyBody } from './webhook-replies.ts'

const payloadShape = z.object({
  names: z.array(z.string()),
  listeners: z.boolean(),
  pattern: z.string().optional(),
  reply: z.string().optional(),
  body: z.unknown(),
})

interface Task {
  readonly handler: WebhookHandler
  readonly match: PatternMatch | undefined
  readonly replies: boolean
}

/** @throws whatever the first failing handler threw; ERR_HANDLER_UNKNOWN when a definition is not there (yet) */
export async function runWebhook(work: Work, context: TenantContext, deps: WebhookDeps): Promise<void> {
  const payload = payloadShape.parse(work.payload)
  const fields = readWebhook(payload.body)
  const tasks = tasksOf(payload, fields, deps)
  const results = await Promise.allSettled(
    tasks.map(async ({ handler, match }) =>
      handler(createWebhookContext({ context, work }, { fields, body: payload.body, match }, deps)),
    ),
  )
  giveReply(payload.reply, tasks, results, deps)
  const failures = results.filter(result => result.status === 'rejected')
  for (const failure of failures.slice(1)) {
    deps.logger.error('hipchat-webhook-handler-failed', { tenant: context.identity.externalId, error: failure.reason })
  }
  if (failures[0] !== undefined) throw failures[0].reason
}

function tasksOf(payload: z.output<typeof payloadShape>, fields: WebhookFields, { definitions }: WebhookDeps): Task[] {
  const found = payload.names.map(name => definitions.get(name))
  const listeners = payload.listeners ? definitions.listeners(fields.event) : []
  if (found.includes(undefined) || (payload.listeners && listeners.length === 0)) {
    throw new PartywallError('ERR_HANDLER_UNKNOWN', {
      message: 'the add-on has not (or no longer) what this delivery is for',
    })
  }
  const matched = found
    .filter(definition => definition !== undefined)
    .map(definition => ({ definition, match: matchOf(definition, fields) }))
  const first =
    matched[0]?.match ?? (payload.pattern && fields.content && compilePattern(payload.pattern).exec(fields.content))
  return [
    ...matched.flatMap(({ definition, match }) =>
      definition.handlers.map(handler => ({ handler, match, replies: definition.reply })),
    ),
    ...listeners.map(handler => ({ handler, match: first || undefined, replies: false })),
  ]
}

const matchOf = ({ pattern }: WebhookDefinition, { content }: WebhookFields): PatternMatch | undefined =>
  (content === undefined ? undefined : pattern?.exec(content)) ?? undefined

function giveReply(
  id: string | undefined,
  tasks: readonly Task[],
  results: readonly PromiseSettledResult<unknown>[],
  { replies, logger }: WebhookDeps,
): void {
  if (id === undefined) return
  const said = results.find(
    (result, index) => tasks[index]?.replies && result.status === 'fulfilled' && result.value != null,
  )
  try {
    replies.give(id, said?.status === 'fulfilled' ? replyBody(said.value) : undefined)
  } catch (error) {
    logger.error('hipchat-reply-invalid', { error })
    replies.give(id, undefined)
  }
}
