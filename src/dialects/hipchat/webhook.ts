/**
 * The webhook route (protocol A8): proves the delivery, makes it durable, answers. The work follows in `webhook-work.ts`.
 *
 * A delivery counts only with the host's signature of the very tenant its body names; one that a tenant registered at run time
 * needs that tenant's `webhookToken` besides.
 */

import { hash, timingSafeEqual } from 'node:crypto'
import { PartywallError } from '../../core/errors.ts'
import { type JsonBody, readJsonBody } from '../../core/json-body.ts'
import type { Delivery } from '../../core/ports.ts'
import type { Answer, RoutedRequest } from '../../http/view.ts'
import { jsonAnswer, NO_CONTENT } from '../common/answers.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { compilePattern } from './pattern.ts'
import { authenticate, type Principal } from './principal.ts'
import { findTenantWebhook, type TenantWebhook } from './tenant-webhooks.ts'
import { readWebhook, type WebhookFields } from './webhook-event.ts'
import type { Replies } from './webhook-replies.ts'

export interface WebhookDeps extends LifecycleDeps {
  /** Handler name of the deliveries this route accepts. */
  readonly webhookHandler: string
  readonly replies: Replies
}

/** What of the add-on a delivery is for. */
export interface Selection {
  /** Static definitions whose pattern matches. */
  readonly names: readonly string[]
  /** Whether the `onWebhook` listeners of the event run too. */
  readonly listeners: boolean
  /** The pattern of a definition registered at run time. */
  readonly pattern?: string | undefined
}

/** How long a token may still be accepted after its `exp`. */
const LEEWAY_SECONDS = 60

/**
 * @throws PartywallError 401 for anything unproved; ERR_WEBHOOK_INVALID, ERR_BODY_INVALID (400), ERR_CONTENT_TYPE (415);
 *   ERR_STORE_UNAVAILABLE (503) when the delivery could not be made durable
 */
export async function handleWebhook({ view, query }: RoutedRequest, deps: WebhookDeps): Promise<Answer> {
  const principal = await authenticate(view, deps, { hostOnly: true })
  const body = await readJsonBody(view)
  const fields = readWebhook(body.value)
  if (fields.clientId !== principal.identity.externalId) throw new PartywallError('ERR_TENANT_MISMATCH')
  const parameters = readParameters(query)
  const isTokenProved = checkToken(parameters.token, principal)
  const done = { ...NO_CONTENT, tenant: fields.clientId }

  const { selection, reply } = await deps.binder.run(principal.identity, async context => {
    const selection = await select(
      parameters.name,
      isTokenProved,
      fields,
      own => findTenantWebhook(context, own, deps),
      deps,
    )
    if (selection === undefined) return { selection, reply: undefined }
    const wantsReply = selection.names.some(name => deps.definitions.get(name)?.reply)
    const reply = wantsReply ? deps.replies.expect() : undefined
    const accepted = await deps.inbox.accept(context, deliveryOf(selection, reply?.id, principal, fields, body, deps))
    if (accepted.outcome === 'duplicate') reply?.cancel()
    return { selection, reply }
  })
  if (selection === undefined) return done
  const answer = await reply?.answer
  return answer === undefined ? done : { ...jsonAnswer(answer), tenant: fields.clientId }
}

function readParameters(query: string): { readonly name: string | undefined; readonly token: string | undefined } {
  const parameters = new URLSearchParams(query)
  const single = (name: string) => {
    const values = parameters.getAll(name)
    if (values.length > 1) throw new PartywallError('ERR_WEBHOOK_INVALID', { details: { path: `?${name}` } })
    return values[0]
  }
  return { name: single('name'), token: single('token') }
}

/** True when the tenant's token came along; a wrong one is refused even where none is needed. */
function checkToken(token: string | undefined, { identity }: Principal): boolean {
  if (token === undefined) return false
  const expected = identity.secrets.get('webhookToken') ?? ''
  const isEqual = timingSafeEqual(sha256(token), sha256(expected))
  if (expected === '' || !isEqual) throw new PartywallError('ERR_TENANT_MISMATCH')
  return true
}

async function select(
  name: string | undefined,
  isTokenProved: boolean,
  fields: WebhookFields,
  findOwn: (name: string) => Promise<TenantWebhook | undefined>,
  { definitions }: WebhookDeps,
): Promise<Selection | undefined> {
  const listeners = definitions.listeners(fields.event).length > 0
  if (name === undefined) {
    const candidates = definitions.of(fields.event)
    const names = candidates.filter(({ pattern }) => !pattern || isMatch(pattern, fields)).map(matched => matched.name)
    // Nothing declared at all: the listeners are the declaration.
    return orNothing({ names, listeners: listeners && (names.length > 0 || candidates.length === 0) })
  }
  const definition = definitions.get(name)
  if (definition !== undefined) {
    if (definition.event !== fields.event)
      throw new PartywallError('ERR_WEBHOOK_INVALID', { details: { path: 'event' } })
    const names = !definition.pattern || isMatch(definition.pattern, fields) ? [name] : []
    return orNothing({ names, listeners: listeners && names.length > 0 })
  }
  if (!/^[0-9a-f]{40}$/.test(name)) return undefined
  const own = await findOwn(name)
  // A registration of an older descriptor, or one that was taken back: nobody waits for it any more.
  if (own === undefined) return undefined
  if (!isTokenProved) throw new PartywallError('ERR_TENANT_MISMATCH')
  if (own.event !== fields.event) throw new PartywallError('ERR_WEBHOOK_INVALID', { details: { path: 'event' } })
  const isMatching = own.pattern === undefined || isMatch(compilePattern(own.pattern), fields)
  return orNothing({ names: [], listeners: listeners && isMatching, pattern: own.pattern })
}

const isMatch = (pattern: { exec(text: string): unknown }, { content }: WebhookFields): boolean =>
  content !== undefined && pattern.exec(content) !== null

const orNothing = (selection: Selection): Selection | undefined =>
  selection.names.length > 0 || selection.listeners ? selection : undefined

function deliveryOf(
  selection: Selection,
  replyId: string | undefined,
  principal: Principal,
  fields: WebhookFields,
  body: JsonBody,
  deps: WebhookDeps,
): Delivery {
  const { names, listeners, pattern } = selection
  const head = {
    names,
    listeners,
    event: fields.event,
    ...(pattern === undefined ? {} : { pattern }),
    ...(replyId === undefined ? {} : { reply: replyId }),
  }
  const { tokenId } = principal
  return {
    handler: deps.webhookHandler,
    // The body goes on as the host wrote it, inside the envelope.
    payload: `${JSON.stringify(head).slice(0, -1)},"body":${body.text}}`,
    value: { ...head, body: body.value },
    // The same token has the same id: where there is one, it also stands for the token.
    ...(tokenId === undefined
      ? { retryKey: sha256(body.bytes), replayKey: sha256(principal.token) }
      : { retryKey: sha256(`jti ${tokenId}`) }),
    replayUntil: (principal.expiresAt + LEEWAY_SECONDS) * 1000,
  }
}

const sha256 = (data: string | Buffer): Buffer => hash('sha256', data, 'buffer')
