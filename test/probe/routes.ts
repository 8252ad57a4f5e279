/** The probe's routes: every one behind authentication but `/healthz`. */

import { setTimeout as delay } from 'node:timers/promises'
import {
  type Answer,
  type App,
  currentContext,
  type HipchatApp,
  type JsonValue,
  type Mountable,
  PartywallError,
  type TenantStore,
} from 'partywall'
import { readJsonBody } from '../../src/core/json-body.ts'

const MAX_DELAY_MS = 10_000
const EVENTS_WAIT_MS = 2000
const EVENTS_SCOPE = 'probe-events'

export function addProbeRoutes(app: App, addon: HipchatApp): void {
  addon.webhook('room_message', /^\/hello( (a+)+)?$/, async context => {
    // The delivery's id is the key: a repeated run counts once.
    await context.tenantStore.narrow(EVENTS_SCOPE).set(context.deliveryId, true)
  })

  addon.page('/whoami', async context => {
    const waitMs = Number(context.query.get('delay') ?? 0)
    if (Number.isFinite(waitMs) && waitMs > 0) await delay(Math.min(waitMs, MAX_DELAY_MS))
    return { tenant: currentContext().identity.externalId }
  })

  addon.page('/events', async context => {
    await app.deliveries.idle(currentContext().tenantUid, EVENTS_WAIT_MS)
    return { count: Object.keys(await context.tenantStore.narrow(EVENTS_SCOPE).all()).length }
  })

  addon.page('/outbound', context =>
    context.tenantClient.request('GET', '/probe', { scopes: ['send_notification', 'view_room', 'view_group'] }),
  )

  addStorageRoutes(addon)
}

/** `/healthz`, open to anybody: 200 when the store answers, 503 when not. Everything else is the app's. */
export function withHealth(app: App): Mountable {
  const answer = (status: number, ok: boolean): Answer => ({
    status,
    headers: ['content-type', 'application/json; charset=utf-8', 'cache-control', 'no-store'],
    body: JSON.stringify({ ok }),
  })
  return {
    handle(view) {
      if (view.target !== '/healthz' || view.method !== 'GET') return app.handle(view)
      return app.ready().then(
        () => answer(200, true),
        () => answer(503, false),
      )
    },
  }
}

function addStorageRoutes(addon: HipchatApp): void {
  const storeOf = ({ tenantStore, query }: { tenantStore: TenantStore; query: URLSearchParams }): TenantStore =>
    query.getAll('scope').reduce((store, scope) => store.narrow(scope), tenantStore)
  const keyOf = (query: URLSearchParams): string => {
    const keys = query.getAll('key')
    if (keys.length !== 1 || keys[0] === undefined) throw new PartywallError('ERR_KEY_INVALID')
    return keys[0]
  }

  addon.page('/kv', async context => {
    const value = await storeOf(context).get(keyOf(context.query))
    return value === undefined ? notFound : { value }
  })
  addon.page(
    '/kv',
    async context => {
      const body = (await readJsonBody(context.view)).value as { value?: JsonValue } | null
      if (typeof body !== 'object' || body === null || body.value === undefined)
        throw new PartywallError('ERR_BODY_INVALID')
      await storeOf(context).set(keyOf(context.query), body.value)
      return { value: body.value }
    },
    { method: 'PUT' },
  )
  addon.page('/kv', async context => ((await storeOf(context).del(keyOf(context.query))) ? {} : notFound), {
    method: 'DELETE',
  })
  addon.page('/kv/list', async context => {
    const { query } = context
    const page = await storeOf(context).list({
      prefix: query.get('prefix') ?? '',
      ...(query.has('limit') ? { limit: Number(query.get('limit')) } : {}),
      ...(query.get('cursor') ? { cursor: query.get('cursor') ?? '' } : {}),
    })
    return { items: page.items, cursor: page.cursor ?? null }
  })
}

const notFound: Answer = {
  status: 404,
  headers: ['content-type', 'application/json; charset=utf-8'],
  body: JSON.stringify({ error: { code: 'ERR_NOT_FOUND', message: 'Not found.' } }),
}
