/**
 * The webhook routes (protocol s. 7): prove the delivery, make it durable, answer. The work follows in `webhook-work.ts`.
 *
 * A delivery is one by the product's identifier, which is the same over its retries; where there is none, by its body. One token never
 * brings a second one.
 */

import { hash } from 'node:crypto'
import { PartywallError } from '../../core/errors.ts'
import { type JsonBody, readJsonBody } from '../../core/json-body.ts'
import type { Delivery } from '../../core/ports.ts'
import type { JsonValue } from '../../core/tenant.ts'
import type { Answer, RequestView, RoutedRequest } from '../../http/view.ts'
import { NO_CONTENT } from '../common/answers.ts'
import type { Principal } from '../common/principal.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { authenticate } from './principal.ts'
import { MIGRATION_EVENT, type WebhookDefinition, type WebhookDefinitions } from './webhook-definitions.ts'

export interface WebhookDeps extends LifecycleDeps {
  /** Handler name of the deliveries these routes accept. */
  readonly webhookHandler: string
  readonly definitions: WebhookDefinitions
}

const MAX_IDENTIFIER_LENGTH = 255
const MAX_FLOW_LENGTH = 40

/**
 * @throws PartywallError 401 for anything unproved; ERR_WEBHOOK_INVALID, ERR_BODY_INVALID (400), ERR_CONTENT_TYPE (415);
 *   ERR_STORE_UNAVAILABLE (503) when the delivery could not be made durable
 */
export async function handleWebhook(
  { view, query, params }: RoutedRequest,
  definition: WebhookDefinition,
  deps: WebhookDeps,
): Promise<Answer> {
  const principal = await authenticate(view, deps, 'request')
  const body = await readBody(view)
  const done = { ...NO_CONTENT, tenant: principal.identity.externalId }
  if (deps.definitions.handlersOf(definition.route).length === 0) return done
  const head = {
    route: definition.route,
    query: withoutToken(query),
    params: { ...params },
    flow: single(view, 'x-atlassian-webhook-flow', MAX_FLOW_LENGTH) ?? null,
    userId: principal.userId ?? null,
  }
  const identifier = identifierOf(view)
  const keys = {
    retryKey: keyOf(definition, identifier, body, principal),
    ...replayKeyOf(identifier, phaseOf(definition, body), principal, deps),
  }
  const delivery = deliveryOf(head, keys, body, deps)
  await deps.binder.run(principal.identity, context => deps.inbox.accept(context, delivery))
  return done
}

/** Webhooks that leave their body out have none at all. */
async function readBody(view: RequestView): Promise<JsonBody | undefined> {
  const bytes = await view.body()
  return bytes.length === 0 ? undefined : readJsonBody(view)
}

/** @throws PartywallError ERR_WEBHOOK_INVALID a header of ours is there twice, empty, or too long */
function single(view: RequestView, name: string, maxLength: number): string | undefined {
  const [value, second] = view.headerValues(name)
  if (value === undefined) return undefined
  if (second === undefined && value !== '' && value.length <= maxLength) return value
  throw new PartywallError('ERR_WEBHOOK_INVALID', { details: { path: name } })
}

/** What the product calls the delivery, the same over its retries. Bitbucket has a header of its own. */
const identifierOf = (view: RequestView): string | undefined =>
  single(view, 'x-atlassian-webhook-identifier', MAX_IDENTIFIER_LENGTH) ??
  single(view, 'x-request-uuid', MAX_IDENTIFIER_LENGTH)

/** What a hook of a move between realms is called: its phases have no other name, and may follow each other within a second. */
function phaseOf({ event }: WebhookDefinition, body: JsonBody | undefined): string | undefined {
  if (event !== MIGRATION_EVENT) return undefined
  const { phase } = Object(body?.value) as { phase?: unknown }
  return typeof phase === 'string' ? phase : undefined
}

/**
 * One token brings one delivery, unless the product names its deliveries and not its tokens: two that it makes in the same second
 * for the same user are then letter for letter the same (decision 0008).
 */
function replayKeyOf(
  identifier: string | undefined,
  phase: string | undefined,
  { token, tokenId, expiresAt }: Principal,
  { settings }: WebhookDeps,
): Pick<Delivery, 'replayKey' | 'replayUntil'> {
  if (identifier !== undefined && tokenId === undefined) return {}
  const key = phase === undefined ? token : JSON.stringify([token, phase])
  return { replayKey: sha256(key), replayUntil: (expiresAt + settings.leewaySeconds) * 1000 }
}

function keyOf(
  { route }: WebhookDefinition,
  identifier: string | undefined,
  body: JsonBody | undefined,
  { token }: Principal,
): Buffer {
  if (identifier !== undefined) return sha256(JSON.stringify(['identifier', route, identifier]))
  return sha256(JSON.stringify(['body', route, sha256(body?.bytes ?? token).toString('hex')]))
}

function deliveryOf(
  head: Readonly<Record<string, JsonValue>>,
  keys: Pick<Delivery, 'retryKey' | 'replayKey' | 'replayUntil'>,
  body: JsonBody | undefined,
  { webhookHandler }: WebhookDeps,
): Delivery {
  return {
    handler: webhookHandler,
    // The body goes on as the product wrote it, inside the envelope.
    payload: `${JSON.stringify(head).slice(0, -1)},"body":${body?.text ?? 'null'}}`,
    value: { ...head, body: body?.value ?? null },
    ...keys,
  }
}

/** Kept for the handler, and tokens are not kept. */
function withoutToken(query: string): string {
  const parameters = new URLSearchParams(query)
  parameters.delete('jwt')
  return parameters.toString()
}

const sha256 = (data: string | Buffer): Buffer => hash('sha256', data, 'buffer')
