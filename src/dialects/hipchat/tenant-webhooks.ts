/**
 * `ctx.tenantWebhooks`: webhooks this tenant registers at run time, over the host's REST API, and what is remembered of them.
 *
 * They arrive with the tenant's `webhookToken` besides the host's signature, and run the add-on's `onWebhook` listeners. The
 * address with that token is sent to the host and kept nowhere.
 */

import * as z from 'zod'
import type { TenantContext } from '../../core/context.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import type { JsonValue } from '../../core/tenant.ts'
import { urlOf } from './descriptor.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { compilePattern } from './pattern.ts'
import { segment } from './rest/address.ts'
import { attributesOf } from './tenant.ts'
import type { RoomRef, TenantClient } from './tenant-client.ts'
import { contentName } from './webhook-definitions.ts'
import { isWebhookEvent, WEBHOOK_EVENTS, type WebhookEvent } from './webhook-event.ts'

const storedShape = z.object({
  name: z.string(),
  event: z.enum(WEBHOOK_EVENTS),
  /** In the host's dialect. */
  pattern: z.string().optional(),
  room: z.union([z.number(), z.string()]),
  /** The host's id of the registration. */
  id: z.number(),
})
export type TenantWebhook = z.output<typeof storedShape>

export interface TenantWebhookRequest {
  readonly event: string
  /** For `room_message`: a RegExp, or text in the host's dialect. */
  readonly pattern?: RegExp | string | undefined
}

export interface TenantWebhooks {
  /** The tenant's own definition of this name. Names differ between rooms, so the room may be left out. */
  get(name: string): Promise<TenantWebhook | undefined>
  get(room: RoomRef, name: string): Promise<TenantWebhook | undefined>
  /**
   * Registers in a room (left out: the room of the installation); the same one again is returned, not registered twice. Needs the
   * scope `admin_room`.
   * @throws PartywallError ERR_WEBHOOK_INVALID, ERR_PATTERN_UNSUPPORTED, and what the client throws
   */
  add(event: string | TenantWebhookRequest, pattern?: RegExp | string): Promise<TenantWebhook>
  add(room: RoomRef, event: string | TenantWebhookRequest, pattern?: RegExp | string): Promise<TenantWebhook>
  /** Takes it back at the host and forgets it; false when there was none. */
  remove(name: string): Promise<boolean>
  remove(room: RoomRef, name: string): Promise<boolean>
}

export function createTenantWebhooks(
  context: TenantContext,
  client: TenantClient,
  deps: LifecycleDeps,
): TenantWebhooks {
  const store = deps.storeOf(context, 'webhook')
  const find = async (name: string) => read(await store.get(name))

  const register = async (room: RoomRef, { event, pattern }: TenantWebhookRequest): Promise<TenantWebhook> => {
    const known = checkEvent(event, pattern)
    const hostPattern = pattern === undefined ? undefined : compilePattern(pattern).hostPattern
    const name = contentName(known, hostPattern, String(room))
    const present = await find(name)
    if (present !== undefined) return present
    const created = await client.createRoomWebhook(room, {
      name,
      event: known,
      url: addressOf(context, name, deps),
      ...(hostPattern === undefined ? {} : { pattern: hostPattern }),
      authentication: 'jwt',
    })
    const webhook: TenantWebhook = { name, event: known, pattern: hostPattern, room, id: created.id }
    return keep(webhook)
  }

  /** Of two that registered at the same time, the second takes its registration back. */
  const keep = async (webhook: TenantWebhook): Promise<TenantWebhook> => {
    try {
      const { pattern, ...rest } = webhook
      await store.set(webhook.name, pattern === undefined ? rest : { ...rest, pattern }, { ifVersion: 0 })
      return webhook
    } catch (error) {
      await client.deleteRoomWebhook(webhook.room, webhook.id)
      const earlier = isPartywallError(error, 'ERR_VERSION_CONFLICT') ? await find(webhook.name) : undefined
      if (earlier === undefined) throw error
      return earlier
    }
  }

  return {
    get: (first: RoomRef, second?: string) => find(second ?? String(first)),
    async add(first: RoomRef | TenantWebhookRequest, second?: unknown, third?: RegExp | string) {
      const isRoomGiven = typeof first === 'number' || (typeof first === 'string' && !isWebhookEvent(first))
      const [room, event, pattern] = isRoomGiven ? [first, second, third] : [undefined, first, second]
      const definition = typeof event === 'string' ? { event, pattern: pattern as RegExp | string } : event
      return register(room ?? ownRoom(context), definition as TenantWebhookRequest)
    },
    async remove(first: RoomRef, second?: string) {
      const name = second ?? String(first)
      const webhook = await find(name)
      if (webhook === undefined) return false
      await client.request('DELETE', `/room/${segment(webhook.room)}/webhook/${webhook.id}`, {
        scopes: ['admin_room'],
        // Gone at the host already: what is left is to forget it.
        expect: [200, 204, 404],
      })
      return store.del(name)
    },
  }
}

function read(value: JsonValue | undefined): TenantWebhook | undefined {
  return value === undefined ? undefined : storedShape.parse(value)
}

function checkEvent(event: string, pattern: unknown): WebhookEvent {
  if (!isWebhookEvent(event)) throw new PartywallError('ERR_WEBHOOK_INVALID', { message: 'unknown webhook event' })
  if (pattern === undefined || event === 'room_message') return event
  throw new PartywallError('ERR_WEBHOOK_INVALID', { message: `${event} takes no pattern` })
}

function addressOf(context: TenantContext, name: string, { settings }: LifecycleDeps): string {
  const query = new URLSearchParams({ token: context.identity.secrets.get('webhookToken') ?? '', name })
  return `${urlOf(settings, settings.routes.webhook)}?${query}`
}

function ownRoom(context: TenantContext): RoomRef {
  const { room } = attributesOf(context.identity)
  if (room !== undefined) return room
  throw new PartywallError('ERR_WEBHOOK_INVALID', { message: 'installed for a whole group: name the room' })
}
