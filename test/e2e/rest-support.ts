// An app with an add-on that makes calls, bound to an installation; and the same installed from a recording host.
import assert from 'node:assert/strict'
import { createApp, type HipchatOptions, listen, type TenantClient } from 'partywall'
import { HIPCHAT_SCOPES } from '../../src/dialects/hipchat/options.ts'
import { createTestDatabase } from '../support/database.ts'
import { installationOf, type RecordingHost, startRecordingHost } from '../support/recording-host.ts'
import { freePort } from './hipchat-support.ts'

const SECRET_KEY = { id: 'test', key: Buffer.alloc(32, 9) }
const ROOM = 5

export interface Caller {
  readonly url: string
  /** Runs `work` with the client of an installation. */
  run<T>(oauthId: string, work: (client: TenantClient) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** @param hostUrl  the only host it is installed from */
export async function startCaller(hostUrl: string, scopes: HipchatOptions['scopes'] = HIPCHAT_SCOPES): Promise<Caller> {
  const [database, port] = await Promise.all([createTestDatabase(), freePort()])
  const hosts = [new URL(hostUrl).host]
  const app = await createApp({
    key: 'com.example.rest',
    baseUrl: `http://127.0.0.1:${port}`,
    database: { urls: database.urls },
    keys: { current: SECRET_KEY, find: id => (id === SECRET_KEY.id ? SECRET_KEY.key : undefined) },
    developmentHosts: hosts,
    logLevel: 'silent',
    requestLog: false,
  })
  const addon = app.hipchat({ name: 'Caller', scopes, hosts })
  const server = await listen(app, { port })
  return {
    url: server.url,
    run: (id, work) =>
      app.runAs({ dialect: 'hipchat', id }, async context => work(addon.services(context).tenantClient)),
    async close() {
      await server.close()
      await app.close()
      await database.close()
    },
  }
}

export interface RestWorld {
  readonly host: RecordingHost
  run<T>(work: (client: TenantClient) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export async function createRestWorld(scopes?: HipchatOptions['scopes']): Promise<RestWorld> {
  const host = await startRecordingHost()
  const caller = await startCaller(host.url, scopes)
  const response = await fetch(`${caller.url}/addon/installable`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(installationOf(host, 'caller', ROOM)),
  })
  assert.equal(response.status, 204, await response.text())
  host.tokenRequests.length = 0
  return {
    host,
    run: work => caller.run('caller', work),
    async close() {
      await caller.close()
      await host.close()
    },
  }
}
