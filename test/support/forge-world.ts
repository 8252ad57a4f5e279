/** A database, a simulated site or two, and an app that runs Forge apps behind a real server. Everything is closed with the test. */

import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type App, type AppOptions, createApp, type ForgeApp, type ForgeOptions, type Logger, listen } from 'partywall'
import { type ConnectHost, type Site, startConnectHost } from 'partywall/host'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { freePort } from './free-port.ts'
import type { Cleanup } from './processes.ts'

export interface LoggedEvent {
  readonly level: string
  readonly event: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface ForgeWorld {
  readonly app: App
  readonly url: string
  readonly host: ConnectHost
  readonly database: TestDatabase
  /** What the app has logged, oldest first. */
  readonly log: readonly LoggedEvent[]
  forge(options: ForgeOptions): Promise<ForgeApp>
  site(name: string): Site
}

/** @param hosts  further development hosts, `host:port` */
export async function createForgeWorld(
  test: Cleanup,
  { hosts = [], ...more }: Partial<AppOptions> & { readonly hosts?: readonly string[] } = {},
): Promise<ForgeWorld> {
  const closers: (() => Promise<unknown>)[] = []
  test.after(async () => {
    for (const close of closers.reverse()) await close()
  })
  const database = await createTestDatabase()
  closers.push(() => database.close())
  const folder = await mkdtemp(path.join(tmpdir(), 'pw-forge-'))
  closers.push(() => rm(folder, { recursive: true, force: true }))
  const host = await startConnectHost({ seed: 1 })
  closers.push(() => host.close())
  const port = await freePort()
  const log: LoggedEvent[] = []
  const key = createHash('sha256').update('forge world').digest()
  const { admin: _, ...urls } = database.urls
  const app = await createApp({
    key: 'com.example.forge',
    baseUrl: `http://127.0.0.1:${port}`,
    database: { folder, urls, environment: {} },
    keys: { current: { id: 'test', key }, find: id => (id === 'test' ? key : undefined) },
    developmentHosts: [new URL(host.url).host, ...hosts],
    logger: recordingLogger(log),
    requestLog: false,
    ...more,
  })
  closers.push(() => app.close())
  let serving: Promise<unknown> | undefined
  return {
    app,
    url: app.baseUrl,
    host,
    database,
    log,
    async forge(options) {
      const forge = await app.forge({ product: { credentials: host.forgeCredentials }, ...options })
      serving ??= listen(app, { port }).then(server => closers.push(() => server.close()))
      await serving
      return forge
    },
    site: name => host.sites.find(site => site.name === name) ?? host.createSite({ name }),
  }
}

const recordingLogger = (log: LoggedEvent[]): Logger => {
  const write =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void log.push({ level, event, fields })
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** A manifest with an id of its own. @param body  YAML after `app`, at its left edge */
export const manifestOf = (body: string, runtime = 'nodejs20.x'): string => `app:
  id: ari:cloud:ecosystem::app/${randomUUID()}
  name: Test
  runtime:
    name: ${runtime}
${body}`
