/** Webhooks that an add-on registers for one room. An installation sees and removes its own only. */

import type { Installation } from '../clients/installation.ts'
import { MAX_DYNAMIC } from '../extensions/table.ts'
import type { RoomRecord } from '../model.ts'
import { ApiError } from '../server/api-error.ts'
import { noContent, type Reply, type Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'
import { parseWebhook } from '../webhooks/parse-webhook.ts'
import type { Webhook, WebhookSpec } from '../webhooks/webhook.ts'
import { type ApiCall, apiRoute, readBody, roomOf } from './access.ts'
import { collection } from './collection.ts'

export const roomWebhookRoutes = (state: HostState): Route[] => [
  apiRoute(state, 'GET', '/room/:room/webhook', 'admin_room', call => {
    const room = roomOf(call)
    const own = [...room.webhooks.values()].filter(webhook => webhook.installation === call.token.installation)
    return collection(
      call.query,
      `${state.url}/v2/room/${room.id}/webhook`,
      own.map(webhook => describe(state, room, webhook)),
    )
  }),
  apiRoute(state, 'POST', '/room/:room/webhook', 'admin_room', call =>
    register(
      state,
      call,
      readBody(call, body => parseWebhook(body)),
    ),
  ),
  apiRoute(state, 'GET', '/room/:room/webhook/:id', 'admin_room', call => {
    const room = roomOf(call)
    return { status: 200, json: describe(state, room, ownWebhook(room, call.token.installation, call.params.id)) }
  }),
  apiRoute(state, 'DELETE', '/room/:room/webhook/:id', 'admin_room', call => {
    const room = roomOf(call)
    remove(state, room, ownWebhook(room, call.token.installation, call.params.id))
    return noContent
  }),
  apiRoute(state, 'PUT', '/room/:room/extension/webhook/:key', 'admin_room', call => {
    const key = call.params.key ?? ''
    const room = roomOf(call)
    const { installation } = call.token
    const spec = readBody(call, body => parseWebhook({ ...body, key }))
    const replaced = byKey(room, installation, key)
    if (replaced === undefined) ensurePlace(room, installation, key)
    else remove(state, room, replaced)
    return register(state, call, spec)
  }),
  apiRoute(state, 'DELETE', '/room/:room/extension/webhook/:key', 'admin_room', call => {
    const room = roomOf(call)
    const webhook = byKey(room, call.token.installation, call.params.key ?? '')
    if (webhook === undefined) throw new ApiError(404, 'Webhook not found.')
    remove(state, room, webhook)
    return noContent
  }),
]

function register(state: HostState, call: ApiCall, spec: WebhookSpec): Reply {
  const room = roomOf(call)
  const { installation } = call.token
  if (spec.key !== undefined && byKey(room, installation, spec.key) !== undefined) {
    throw new ApiError(400, 'A webhook with this key exists.')
  }
  const webhook: Webhook = { ...spec, id: state.random.nextId(), installation, source: 'rest' }
  room.webhooks.set(webhook.id, webhook)
  return { status: 201, json: { id: webhook.id, links: { self: selfOf(state, room, webhook) } } }
}

/** @throws ApiError 400 when the descriptor has the key, or the room has ten webhooks with keys already */
function ensurePlace(room: RoomRecord, installation: Installation, key: string): void {
  if (installation.webhooks.some(one => one.key === key)) {
    throw new ApiError(400, 'The descriptor has this key; it cannot be replaced.')
  }
  const keyed = [...room.webhooks.values()].filter(one => one.installation === installation && one.key !== undefined)
  if (keyed.length >= MAX_DYNAMIC) throw new ApiError(400, `There are ${MAX_DYNAMIC} of this kind already.`)
}

function remove(state: HostState, room: RoomRecord, webhook: Webhook): void {
  room.webhooks.delete(webhook.id)
  state.deliveries.drop(one => one === webhook)
}

function ownWebhook(room: RoomRecord, installation: Installation, id: string | undefined): Webhook {
  const webhook = room.webhooks.get(Number(id))
  if (webhook?.installation !== installation) throw new ApiError(404, 'Webhook not found.')
  return webhook
}

const byKey = (room: RoomRecord, installation: Installation, key: string): Webhook | undefined =>
  [...room.webhooks.values()].find(one => one.installation === installation && one.key === key)

const selfOf = (state: HostState, room: RoomRecord, webhook: Webhook): string =>
  `${state.url}/v2/room/${room.id}/webhook/${webhook.id}`

const describe = (state: HostState, room: RoomRecord, webhook: Webhook) => ({
  id: webhook.id,
  name: webhook.name,
  key: webhook.key,
  event: webhook.event,
  pattern: webhook.pattern,
  url: webhook.url,
  authentication: webhook.authentication,
  creator: { id: webhook.installation.oauthId, name: webhook.installation.descriptor.name },
  links: { self: selfOf(state, room, webhook) },
})
