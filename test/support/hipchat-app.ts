/** A real app with HipChat add-ons behind Koa, on a database of its own, for simulated hosts that the test names. */

import { randomBytes } from 'node:crypto'
import Koa from 'koa'
import { type App, createApp, listen } from 'partywall'
import type { HipchatHost } from 'partywall/host'
import { mount } from 'partywall/koa'
import { freePort } from '../e2e/hipchat-support.ts'
import type { TestDatabase } from './database.ts'

const KEYS = { current: { id: 'test', key: Buffer.alloc(32, 9) }, find: () => Buffer.alloc(32, 9) }

export interface HipchatAppOptions {
  readonly database: TestDatabase
  readonly hosts: readonly HipchatHost[]
  /** Default: a new one, so that apps on one database share nothing. */
  readonly key?: string
}

export interface RunningApp<T> {
  readonly app: App
  readonly url: string
  /** What `build` gave. */
  readonly built: T
  close(): Promise<void>
}

/** @param build adds the add-ons, and routes of its own to `koa`, behind those of the app */
export async function startHipchatApp<T>(
  { database, hosts, key = `com.example.t${randomBytes(4).toString('hex')}` }: HipchatAppOptions,
  build: (app: App, koa: Koa) => T,
): Promise<RunningApp<T>> {
  const port = await freePort()
  const { app: appUrl, system, jobs } = database.urls
  const app = await createApp({
    key,
    baseUrl: `http://127.0.0.1:${port}`,
    database: { urls: { app: appUrl, system, jobs } },
    keys: KEYS,
    developmentHosts: hosts.map(host => new URL(host.url).host),
    logLevel: 'silent',
    requestLog: false,
  })
  const koa = new Koa()
  koa.silent = true
  koa.use(mount(app))
  const built = build(app, koa)
  const server = await listen(koa.callback(), { port })
  return {
    app,
    url: app.baseUrl,
    built,
    async close() {
      await server.close()
      await app.close()
    },
  }
}
