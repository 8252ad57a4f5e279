/**
 * A database, a simulated host, and processes of one app behind one address; and requests to them as host and browsers make
 * them. Everything is closed with the test or the file it belongs to.
 */

import { after } from 'node:test'
import {
  type HipchatHost,
  type HipchatHostOptions,
  type HostGroup,
  type Installation,
  startHipchatHost,
} from 'partywall/host'
import type { IdentityKey } from '../../src/core/tenant.ts'
import type { FixtureOptions } from '../fixtures/app.ts'
import { type AppProcess, startAppProcess } from './app-process.ts'
import { createFront, type Front } from './front.ts'
import type { Cleanup } from './processes.ts'

export interface AppWorld {
  readonly host: HipchatHost
  readonly group: HostGroup
  readonly front: Front
  /** One more process; the first one is put behind the front. */
  start(more?: Partial<FixtureOptions>, test?: Cleanup): Promise<AppProcess>
  /** Installs the app in a new room. Fails when it is refused. */
  install(): Promise<Installation>
  keyOf(installation: Installation): IdentityKey
}

export interface AppWorldOptions {
  /** Prepared database; left out: the embedded one in `folder`. */
  readonly urls?: { readonly app: string; readonly system: string; readonly jobs: string }
  readonly folder?: string
  readonly app?: Partial<FixtureOptions>
  readonly host?: HipchatHostOptions
}

const KEY = 'com.example.fixture'

export async function createAppWorld(test: Cleanup, options: AppWorldOptions): Promise<AppWorld> {
  const front = await createFront()
  test.after(() => front.close())
  // Patient: a stopped process, or a busy machine, is no failure of the app.
  const host = await startHipchatHost({
    rateLimit: false,
    callbackTimeoutMs: 60_000,
    webhookTimeoutMs: 60_000,
    ...options.host,
  })
  test.after(() => host.close())
  const group = host.createGroup({ name: 'Acme' })
  const { urls } = options
  const environment = {
    DATABASE_URL: urls?.app,
    DATABASE_SYSTEM_URL: urls?.system,
    DATABASE_JOBS_URL: urls?.jobs,
    PARTYWALL_DATA: options.folder,
    DATABASE_LISTEN_URL: undefined,
    NODE_ENV: undefined,
  }
  let hasStarted = false
  let rooms = 0
  return {
    host,
    group,
    front,
    async start(more = {}, owner = test) {
      const isFirst = !hasStarted
      hasStarted = true
      const fixed = { key: KEY, baseUrl: front.url, hosts: [new URL(host.url).host] }
      const app = await startAppProcess(owner, { options: { ...fixed, ...options.app, ...more }, environment })
      if (isFirst) await front.to(app.port)
      return app
    },
    async install() {
      rooms += 1
      const room = group.createRoom({ name: `Room ${rooms}` })
      const installation = await host.install(descriptorOf(front), { group, room })
      if (installation.state !== 'installed') throw new Error(`install: ${JSON.stringify(installation.result)}`)
      return installation
    },
    keyOf: ({ oauthId }) => ({ app: KEY, environment: 'production', dialect: 'hipchat', externalId: oauthId }),
  }
}

export const descriptorOf = (front: Front): string => `${front.url}/addon/capabilities`

export interface Answered {
  readonly status: number
  /** JSON; `undefined` for an empty body. */
  readonly body: unknown
}

/** A request of a browser: `path` below `url`, with the token where there is one. */
export async function ask(url: string, path: string, token?: string, init: RequestInit = {}): Promise<Answered> {
  const headers = { ...(token === undefined ? {} : { authorization: `JWT ${token}` }), ...init.headers }
  const response = await fetch(url + path, { ...init, headers })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}

export const statusOf = async (url: string, path: string, token?: string): Promise<number> =>
  (await ask(url, path, token)).status

/** Code of a refusal. */
export const codeOf = ({ body }: Answered): string | undefined =>
  (body as { error?: { code?: string } } | undefined)?.error?.code

/** A delivery as the host sends it. The token's `jti` names it. */
export const deliver = (url: string, installation: Installation, text: string, token = freshToken(installation)) =>
  ask(url, '/addon/webhook', token, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      event: 'room_message',
      oauth_client_id: installation.oauthId,
      webhook_id: 1,
      item: {
        message: { message: text, from: { id: 1, name: 'Ann' } },
        room: { id: installation.room?.id, name: 'Room' },
      },
    }),
  })

/** Signed now, with the secret of now. */
export const freshToken = (installation: Installation): string => installation.signRequest()

export const isLargeScale = process.env.PARTYWALL_SCALE === 'ci'

/** Cleans up after all tests of the file, newest first. Call it at the top of the file: hooks have an end of their own. */
export function cleanupOfFile(): Cleanup {
  const works: (() => void | Promise<void>)[] = []
  after(async () => {
    for (const work of works.reverse()) await work()
  })
  return { after: work => void works.push(work) }
}
