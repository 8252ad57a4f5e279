/**
 * `ctx.tenantWebhooks`: webhooks this tenant registers at run time, over the host's REST API, and what is remembered of them.
 *
 * They arrive with the tenant's `webhookToken` besides the host's signature, and run the add-on's `onWebhook` listeners. The
 * address with that token is sent to the host and kept nowhere.
 */

import * as z from 'zod'
import type { TenantContext } from '../../core/context.ts'
import { isPartywallError, PartywallError } from '../../core/errors.ts'
import type { IdentityRecord, JsonObject } from '../../core/tenant.ts'
import { segment } from '../common/address.ts'
import { urlOf } from './descriptor.ts'
import type { LifecycleDeps } from './lifecycle.ts'
import { compilePattern } from './pattern.ts'
import { attributesOf } from './tenant.ts'
import type { RoomRef, TenantClient } from './tenant-client.ts'
import { contentName, type WebhookDefinition } from './webhook-definitions.ts'
import { isWebhookEvent, WEBHOOK_EVENTS, type WebhookEvent } from './webhook-event.ts'

/** Shape of a stored definition. */
export const tenantWebhookShape = z.object({
  name: z.string(),
  event: z.enum(WEBHOOK_EVENTS),
  /** In the host's dialect. */
  pattern: z.string().optional(),
  room: z.union([z.number(), z.string()]),
  /** The host's id of the registration. */
  id: z.number(),
})
export type TenantWebhook = z.output<typeof tenantWebhookShape>

/** A webhook of the add-on's descriptor, which every installation has; registered for no room of its own. */
export interface DeclaredWebhook {
  readonly name: string
  readonly event: WebhookEvent
  readonly pattern: string | undefined
  readonly room?: undefined
  readonly id?: undefined
}

export interface TenantWebhookRequest {
  readonly event: string
  /** For `room_message`: a RegExp, or text in the host's dialect. */
  readonly pattern?: RegExp | string | undefined
}

const requestShape = z.object({ event: z.string(), pattern: z.union([z.instanceof(RegExp), z.string()]).optional() })

export interface TenantWebhooks {
  /** The tenant's own definition of this name, else the add-on's. Names differ between rooms, so the room may be left out. */
  get(name: string): Promise<TenantWebhook | DeclaredWebhook | undefined>
  get(room: RoomRef, name: string): Promise<TenantWebhook | DeclaredWebhook | undefined>
  /**
   * Registers in a room (left out: the room of the installation); one that the host still has is returned, not registered twice.
   * Needs the scope `admin_room`.
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
  const find = (name: string) => findTenantWebhook(context, name, deps)

  const register = async (room: RoomRef, { event, pattern }: TenantWebhookRequest): Promise<TenantWebhook> => {
    const known = checkEvent(event, pattern)
    const hostPattern = pattern === undefined ? undefined : compilePattern(pattern).hostPattern
    const name = contentName(known, hostPattern, String(room))
    const present = await find(name)
    if (present !== undefined) {
      if (await isRegistered(present, client)) return present
      await store.del(name)
    }
    const definition = { name, event: known, ...(hostPattern === undefined ? {} : { pattern: hostPattern }) }
    const url = addressOf(context, name, deps)
    const created = await client.createRoomWebhook(room, { ...definition, url, authentication: 'jwt' })
    return keep({ ...definition, room, id: created.id })
  }

  /** Of two that registered at the same time, the second takes its registration back. */
  const keep = async (webhook: TenantWebhook & JsonObject): Promise<TenantWebhook> => {
    try {
      await store.set(webhook.name, webhook, { ifVersion: 0 })
      return webhook
    } catch (error) {
      await client.deleteRoomWebhook(webhook.room, webhook.id)
      const earlier = isPartywallError(error, 'ERR_VERSION_CONFLICT') ? await find(webhook.name) : undefined
      if (earlier === undefined) throw error
      return earlier
    }
  }

  return {
    async get(first: RoomRef, second?: string) {
      const name = second ?? String(first)
      return (await find(name)) ?? declared(deps.definitions.get(name))
    },
    async add(first: RoomRef | TenantWebhookRequest, second?: unknown, third?: unknown) {
      const isRoomGiven = typeof first === 'number' || (typeof first === 'string' && !isWebhookEvent(first))
      return isRoomGiven
        ? register(first, readRequest(second, third))
        : register(ownRoom(context), readRequest(first, second))
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

/** What this tenant registered under a name, as it is remembered. */
export async function findTenantWebhook(
  context: TenantContext,
  name: string,
  deps: LifecycleDeps,
): Promise<TenantWebhook | undefined> {
  const value = await deps.storeOf(context, 'webhook').get(name)
  return value === undefined ? undefined : tenantWebhookShape.parse(value)
}

/** A host takes the registrations of an installation that ends; where it comes back with its data, they are gone. */
export async function forgetTenantWebhooks(identity: IdentityRecord, deps: LifecycleDeps): Promise<void> {
  await deps.binder.run(identity, context => deps.storeOf(context, 'webhook').clear())
}

/** Rooms and registrations end at the host without a word to the add-on. */
async function isRegistered({ room, id }: TenantWebhook, client: TenantClient): Promise<boolean> {
  try {
    await client.request('GET', `/room/${segment(room)}/webhook/${id}`, { scopes: ['admin_room'] })
    return true
  } catch (error) {
    if (isPartywallError(error, 'ERR_HOST_RESPONSE') && error.details?.status === 404) return false
    throw error
  }
}

const declared = (definition: WebhookDefinition | undefined): DeclaredWebhook | undefined =>
  definition && { name: definition.name, event: definition.event, pattern: definition.pattern?.hostPattern }

function readRequest(event: unknown, pattern: unknown): TenantWebhookRequest {
  const read = requestShape.safeParse(typeof event === 'string' ? { event, pattern } : event)
  if (read.success) return read.data
  throw new PartywallError('ERR_WEBHOOK_INVALID', { message: 'a webhook is an event, and for messages a pattern' })
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
