/** One app behind one framework on a listening server, a simulated host that installs it, and requests as browsers make them. */

import assert from 'node:assert/strict'
import { type App, createApp, type HipchatApp, type Listening, listen } from 'partywall'
import { type HipchatHost, type HostRoom, type HostUser, type Installation, startHipchatHost } from 'partywall/host'
import type { TestDatabase } from '../database.ts'
import { freePort } from '../free-port.ts'
import { type Author, createAuthor, type Framework } from './author.ts'

export interface AdapterTenant {
  readonly id: string
  readonly installation: Installation
  readonly room: HostRoom
  readonly user: HostUser
  /** A fresh token of the host for `user`. */
  token(): string
}

export interface AdapterWorld {
  readonly framework: Framework
  readonly app: App
  readonly addon: HipchatApp
  readonly author: Author
  readonly server: Listening
  /** Errors the app's log has heard of. */
  readonly logged: readonly unknown[]
  /** Two that are always there. */
  readonly ada: AdapterTenant
  readonly bob: AdapterTenant
  install(name: string): Promise<AdapterTenant>
  /** A path below the public address. */
  ask(path: string, tenant?: AdapterTenant, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

export const PREFIX = '/base'
/** Requests of one tenant at once. */
export const IN_FLIGHT = 20

export async function createAdapterWorld(framework: Framework, database: TestDatabase): Promise<AdapterWorld> {
  const host = await startHipchatHost()
  const port = await freePort()
  const logged: unknown[] = []
  const app = await startApp({ framework, host, port, database, logged })
  const author = createAuthor()
  const addon = addAddon(app)
  const server = await listen(await framework.build({ app, addon, author, prefix: PREFIX }), { port })
  const install = (name: string) => installTenant(host, app, name)
  return {
    framework,
    app,
    addon,
    author,
    server,
    logged,
    ada: await install('Ada'),
    bob: await install('Bob'),
    install,
    ask(path, tenant, init = {}) {
      const headers = new Headers(init.headers)
      if (tenant !== undefined) headers.set('authorization', `JWT ${tenant.token()}`)
      return fetch(app.baseUrl + path, { redirect: 'manual', ...init, headers })
    },
    async close() {
      await Promise.all([server.close(), app.close()])
      await host.close()
    },
  }
}

interface Start {
  readonly framework: Framework
  readonly host: HipchatHost
  readonly port: number
  readonly database: TestDatabase
  readonly logged: unknown[]
}

function startApp({ framework, host, port, database, logged }: Start): Promise<App> {
  const key = { id: 'test', key: Buffer.alloc(32, 5) }
  return createApp({
    key: `com.example.${framework.name.toLowerCase().replaceAll(/[^a-z]/g, '')}`,
    baseUrl: `http://127.0.0.1:${port}${PREFIX}`,
    database: { urls: database.urls },
    keys: { current: key, find: id => (id === key.id ? key.key : undefined) },
    developmentHosts: [new URL(host.url).host],
    limits: { inFlight: IN_FLIGHT },
    requestLog: false,
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (event, fields) => logged.push([event, fields]),
    },
  })
}

function addAddon(app: App): HipchatApp {
  const addon = app.hipchat({ name: 'Adapters', scopes: ['send_notification'] })
  addon.webhook('room_message', /^\/say (\w+)$/, ctx => ctx.tenantStore.set('note', ctx.match?.[1] ?? ''))
  addon.page('/page', async ctx => ({ tenant: ctx.tenant.id, note: (await ctx.tenantStore.get('note')) ?? null }))
  return addon
}

async function installTenant(host: HipchatHost, app: App, name: string): Promise<AdapterTenant> {
  const group = host.createGroup({ name })
  const user = group.createUser({ name, mentionName: name.toLowerCase() })
  const room = group.createRoom({ name: `Room of ${name}` })
  const installation = await host.install(`${app.baseUrl}/addon/capabilities`, { group, room })
  assert.equal(installation.state, 'installed', JSON.stringify(installation.result))
  return { id: installation.oauthId, installation, room, user, token: () => installation.signRequest({}, { user }) }
}
