/** A real Connect app on a database of its own, behind the package's own server, for the sites of a fake product. */

import {
  type App,
  type AppOptions,
  type ConnectApp,
  type ConnectOptions,
  createApp,
  type Logger,
  listen,
} from 'partywall'
import { freePort } from '../e2e/hipchat-support.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { type FakeProduct, startFakeProduct } from './fake-product.ts'

export interface ConnectWorld {
  readonly database: TestDatabase
  readonly product: FakeProduct
  readonly app: App
  readonly connect: ConnectApp
  readonly url: string
  readonly lines: string[]
  close(): Promise<void>
}

const KEYS = { current: { id: 'test', key: Buffer.alloc(32, 9) }, find: () => Buffer.alloc(32, 9) }

/** @param build  adds what the app answers, before it serves */
export async function startConnectWorld(
  build: (connect: ConnectApp, app: App) => void,
  options: Partial<ConnectOptions> | ((product: FakeProduct) => Partial<ConnectOptions>) = {},
  appOptions: Partial<AppOptions> = {},
): Promise<ConnectWorld> {
  const database = await createTestDatabase()
  const product = await startFakeProduct()
  const port = await freePort()
  const lines: string[] = []
  const write = (event: string, fields?: object) => void lines.push(JSON.stringify([event, fields]))
  const logger: Logger = { debug: write, info: write, warn: write, error: write }
  const { app: appUrl, system, jobs } = database.urls
  const app = await createApp({
    key: 'com.example.connect',
    baseUrl: `http://127.0.0.1:${port}`,
    database: { urls: { app: appUrl, system, jobs } },
    keys: KEYS,
    developmentHosts: [product.host],
    logger,
    requestLog: false,
    ...appOptions,
  })
  const connect = app.connect({
    name: 'Connect',
    keyServers: [product.url],
    ...(typeof options === 'function' ? options(product) : options),
  })
  build(connect, app)
  const server = await listen(app, { port })
  return {
    database,
    product,
    app,
    connect,
    url: app.baseUrl,
    lines,
    async close() {
      await server.close()
      await app.close()
      await product.close()
      await database.close()
    },
  }
}

/** Status, and the code of a refusal. */
export async function outcomeOf(response: Response | Promise<Response>): Promise<string> {
  const { status, body } = await readAnswer(await response)
  const code = (body as { error?: { code?: string } } | undefined)?.error?.code
  return code === undefined ? String(status) : `${status} ${code}`
}

export async function readAnswer(response: Response): Promise<{ readonly status: number; readonly body: unknown }> {
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  return { status: response.status, body: isJson ? JSON.parse(text) : text }
}
