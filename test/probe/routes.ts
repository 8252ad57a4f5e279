/** The probe's routes: every one behind authentication but `/healthz`. */

import { setTimeout as delay } from 'node:timers/promises'
import {
  type Answer,
  type App,
  type ConnectApp,
  currentContext,
  type HipchatApp,
  type JsonValue,
  type Mountable,
  PartywallError,
  type RequestView,
  type TenantStore,
} from 'partywall'
import { readJsonBody } from '../../src/core/json-body.ts'

const MAX_DELAY_MS = 10_000
const EVENTS_WAIT_MS = 2000
const EVENTS_SCOPE = 'probe-events'

/** HipChat's half, below `/hipchat`. */
export function addHipchatRoutes(app: App, addon: HipchatApp): void {
  addon.webhook('room_message', /^\/hello( (a+)+)?$/, async context => {
    // The delivery's id is the key: a repeated run counts once.
    await noteEvent(context)
  })
  addon.page('/whoami', whoami)
  addon.page('/events', context => countEvents(app, context))

  addon.page('/outbound', context =>
    context.tenantClient.request('GET', '/probe', { scopes: ['send_notification', 'view_room', 'view_group'] }),
  )

  addStorageRoutes((path, handler, method) => addon.page(path, handler, { method }))
}

/** Connect's half, below `/connect`; the stored values stand at `/kv`. */
export function addConnectRoutes(app: App, addon: ConnectApp): void {
  addon.webhook('jira:issue_created', noteEvent, { path: '/connect/webhook' })
  addon.page('/connect/whoami', whoami)
  addon.api('/connect/context', whoami)
  addon.page('/connect/events', context => countEvents(app, context))
  addStorageRoutes((path, handler, method) => addon.page(path, handler, { method }))
}

interface Asked {
  readonly tenantStore: TenantStore
  readonly query: URLSearchParams
  readonly view: RequestView
}

/** `?delay=` in milliseconds is waited for inside the tenant's context. */
async function whoami({ query }: Asked): Promise<JsonValue> {
  const waitMs = Number(query.get('delay') ?? 0)
  if (Number.isFinite(waitMs) && waitMs > 0) await delay(Math.min(waitMs, MAX_DELAY_MS))
  return { tenant: currentContext().identity.externalId }
}

const noteEvent = ({ tenantStore, deliveryId }: Pick<Asked, 'tenantStore'> & { readonly deliveryId: string }) =>
  tenantStore.narrow(EVENTS_SCOPE).set(deliveryId, true)

async function countEvents(app: App, { tenantStore }: Asked): Promise<JsonValue> {
  await app.deliveries.idle(currentContext().tenantUid, EVENTS_WAIT_MS)
  return { count: Object.keys(await tenantStore.narrow(EVENTS_SCOPE).all()).length }
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

type AddRoute = (path: string, handler: (context: Asked) => unknown, method: 'GET' | 'PUT' | 'DELETE') => unknown

function addStorageRoutes(add: AddRoute): void {
  add(
    '/kv',
    async context => {
      const value = await storeOf(context).get(keyOf(context.query))
      return value === undefined ? notFound : { value }
    },
    'GET',
  )
  add(
    '/kv',
    async context => {
      const body = (await readJsonBody(context.view)).value as { value?: JsonValue } | null
      if (typeof body !== 'object' || body === null || body.value === undefined)
        throw new PartywallError('ERR_BODY_INVALID')
      await storeOf(context).set(keyOf(context.query), body.value)
      return { value: body.value }
    },
    'PUT',
  )
  add('/kv', async context => ((await storeOf(context).del(keyOf(context.query))) ? {} : notFound), 'DELETE')
  add(
    '/kv/list',
    async context => {
      const { query } = context
      const page = await storeOf(context).list({
        prefix: query.get('prefix') ?? '',
        ...(query.has('limit') ? { limit: Number(query.get('limit')) } : {}),
        ...(query.get('cursor') ? { cursor: query.get('cursor') ?? '' } : {}),
      })
      return { items: page.items, cursor: page.cursor ?? null }
    },
    'GET',
  )
}

const storeOf = ({ tenantStore, query }: Asked): TenantStore =>
  query.getAll('scope').reduce((store, scope) => store.narrow(scope), tenantStore)

function keyOf(query: URLSearchParams): string {
  const keys = query.getAll('key')
  if (keys.length !== 1 || keys[0] === undefined) throw new PartywallError('ERR_KEY_INVALID')
  return keys[0]
}

const notFound: Answer = {
  status: 404,
  headers: ['content-type', 'application/json; charset=utf-8'],
  body: JSON.stringify({ error: { code: 'ERR_NOT_FOUND', message: 'Not found.' } }),
}
