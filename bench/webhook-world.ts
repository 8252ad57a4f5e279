/** What `webhook.ts` measures in: an app with 100 installations by a simulated host, and connections of the base. */

import { type App, createApp, listen } from 'partywall'
import { type HipchatHost, type Installation, startHipchatHost } from 'partywall/host'
import pg from 'pg'
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts'
import { freePort } from '../test/support/free-port.ts'
import { type Meter, openMeter } from './processor-time.ts'

const TENANTS = 100
/** Of the base: what it gains nothing from exceeding. */
const BASE_CONNECTIONS = 8
const KEY = { id: 'bench', key: Buffer.alloc(32, 7) }

export interface Handlers {
  ended: number
  /** What a handler waits for before it begins its work. */
  gate: Promise<void> | undefined
}

export interface World {
  readonly app: App
  readonly path: string
  readonly installations: readonly Installation[]
  /** When each handler began, by delivery. */
  readonly begun: Map<string, number>
  readonly handlers: Handlers
  readonly clients: readonly pg.Client[]
  /** An administrator's connection. */
  readonly watcher: pg.Client
  readonly meter: Meter
}

export async function openWorld(opened: (() => Promise<unknown>)[]): Promise<World> {
  const made = await createTestDatabase()
  opened.push(() => made.close())
  const host = await startHipchatHost({ callbackTimeoutMs: 60_000 })
  opened.push(() => host.close())
  const port = await freePort()
  const app = await createApp({
    key: 'com.example.bench',
    baseUrl: `http://127.0.0.1:${port}`,
    database: { urls: made.urls },
    keys: { current: KEY, find: id => (id === KEY.id ? KEY.key : undefined) },
    developmentHosts: [new URL(host.url).host],
    // Limits that keep tenants from each other are not what is measured.
    limits: { inFlight: 1_000, perSecond: 1_000_000, burst: 1_000_000 },
    logLevel: 'warn',
    requestLog: false,
  })
  opened.push(() => app.close())
  const begun = new Map<string, number>()
  const handlers: Handlers = { ended: 0, gate: undefined }
  const addon = app.hipchat({ name: 'Bench', scopes: ['view_room'], hosts: [new URL(host.url).host] })
  addon.onInstalled(ctx => ctx.tenantStore.set('row', { of: ctx.tenant.id }))
  addon.webhook('room_message', /^\/count /, async ctx => {
    begun.set(String(ctx.message?.id), performance.now())
    await handlers.gate
    if ((await ctx.tenantStore.get('row')) === undefined) throw new Error('the handler found no row')
    handlers.ended += 1
  })
  const server = await listen(app, { port })
  opened.push(() => server.close())
  const installations = await install(host, `${app.baseUrl}/addon/capabilities`)
  const webhook = installations[0]?.webhooks[0]
  if (webhook === undefined) throw new Error('the add-on has no webhook')
  const { pathname, search } = new URL(webhook.url)
  const clients = await openClients(made)
  opened.push(() => Promise.all(clients.map(client => client.end())))
  const watcher = new pg.Client({ connectionString: made.urls.admin })
  opened.push(() => watcher.end())
  await watcher.connect()
  const meter = await openMeter(made.urls.admin)
  opened.push(() => meter.close())
  return { app, path: pathname + search, installations, begun, handlers, clients, watcher, meter }
}

function install(host: HipchatHost, descriptor: string): Promise<Installation[]> {
  return Promise.all(
    Array.from({ length: TENANTS }, async (_, index) => {
      const group = host.createGroup({ name: `Group ${index}` })
      const room = group.createRoom({ name: `Room ${index}` })
      const installation = await host.install(descriptor, { group, room })
      if (installation.state !== 'installed') throw new Error(`not installed: ${JSON.stringify(installation.result)}`)
      return installation
    }),
  )
}

async function openClients({ admin, urls }: TestDatabase): Promise<pg.Client[]> {
  await admin('create schema bench')
  await admin(
    'create table bench.bare (id uuid primary key, payload json not null, received_at timestamptz not null default now())',
  )
  await admin('grant usage on schema bench to pw_app')
  await admin('grant insert on bench.bare to pw_app')
  const clients = Array.from(
    { length: BASE_CONNECTIONS },
    () => new pg.Client({ connectionString: urls.app, pipeline: true }),
  )
  await Promise.all(clients.map(client => client.connect()))
  return clients
}
