/** A Connect app behind one framework on a listening server, and two sites of a simulated product that have installed it. */

import assert from 'node:assert/strict'
import { type App, type ConnectApp, createApp, type Listening, listen } from 'partywall'
import { type ConnectHost, type ConnectInstallation, type ConnectUser, startConnectHost } from 'partywall/host'
import type { TestDatabase } from '../database.ts'
import { freePort } from '../free-port.ts'
import { type Author, createAuthor, type Framework } from './author.ts'
import { PREFIX } from './world.ts'

export interface ConnectTenant {
  readonly id: string
  readonly installation: ConnectInstallation
  readonly user: ConnectUser
  /** A token of the product for this very request. */
  token(method: string, path: string): string
  /** What the browser bridge gives. */
  contextToken(): string
}

export interface ConnectAdapterWorld {
  readonly framework: Framework
  readonly app: App
  readonly host: ConnectHost
  readonly author: Author
  readonly server: Listening
  readonly ada: ConnectTenant
  readonly bob: ConnectTenant
  install(name: string): Promise<ConnectTenant>
  /** A path below the public address, with a token made for it. */
  ask(path: string, tenant?: ConnectTenant, init?: RequestInit): Promise<Response>
  close(): Promise<void>
}

export async function createConnectAdapterWorld(
  framework: Framework,
  database: TestDatabase,
): Promise<ConnectAdapterWorld> {
  const host = await startConnectHost()
  const port = await freePort()
  const key = { id: 'test', key: Buffer.alloc(32, 5) }
  const app = await createApp({
    key: `com.example.connect-${framework.name.toLowerCase().replaceAll(/[^a-z]/g, '')}`,
    baseUrl: `http://127.0.0.1:${port}${PREFIX}`,
    database: { urls: database.urls },
    keys: { current: key, find: id => (id === key.id ? key.key : undefined) },
    developmentHosts: [new URL(host.url).host],
    requestLog: false,
    logLevel: 'silent',
  })
  const author = createAuthor()
  const addon = addAddon(app, host)
  const server = await listen(await framework.build({ app, addon, author, prefix: PREFIX }), { port })
  const install = (name: string) => installTenant(host, app, name)
  return {
    framework,
    app,
    host,
    author,
    server,
    ada: await install('ada'),
    bob: await install('bob'),
    install,
    ask(path, tenant, init = {}) {
      const headers = new Headers(init.headers)
      if (tenant !== undefined) headers.set('authorization', `JWT ${tenant.token(init.method ?? 'GET', path)}`)
      return fetch(app.baseUrl + path, { redirect: 'manual', ...init, headers })
    },
    async close() {
      await Promise.all([server.close(), app.close()])
      await host.close()
    },
  }
}

function addAddon(app: App, host: ConnectHost): ConnectApp {
  const addon = app.connect({ name: 'Adapters', keyServers: [host.keyServerUrl] })
  addon
    .generalPage({ key: 'page', name: 'Page' }, async ctx => ({
      tenant: ctx.tenant.id,
      note: (await ctx.tenantStore.get('note')) ?? null,
    }))
    .api('/api', ctx => ({ tenant: ctx.tenant.id, user: ctx.authentication.userId }))
    .webhook('jira:issue_created', async ctx => {
      await ctx.tenantStore.update<number>('created', (count = 0) => count + 1)
    })
    .api('/created', async ctx => ({ created: (await ctx.tenantStore.get('created')) ?? 0 }))
  return addon
}

async function installTenant(host: ConnectHost, app: App, name: string): Promise<ConnectTenant> {
  const site = host.createSite({ name })
  const user = site.createUser({ displayName: name })
  const installation = await host.install(`${app.baseUrl}/atlassian-connect.json`, site.jira)
  assert.equal(installation.state, 'enabled', JSON.stringify(installation.result))
  return {
    id: installation.clientKey,
    installation,
    user,
    token: (method, path) => installation.signRequest({ method, url: app.baseUrl + path }, { user }),
    contextToken: () => installation.contextToken({ user }),
  }
}
