// An app with an add-on of all scopes, installed from a recording host; calls run bound to that installation.
import assert from 'node:assert/strict'
import { createApp, type HipchatOptions, listen, type TenantClient } from 'partywall'
import { createTestDatabase } from '../support/database.ts'
import { installationOf, type RecordingHost, startRecordingHost } from '../support/recording-host.ts'
import { freePort } from './hipchat-support.ts'

export const ALL_SCOPES = [
  'admin_group',
  'admin_room',
  'import_data',
  'manage_rooms',
  'send_message',
  'send_notification',
  'view_group',
  'view_messages',
  'view_room',
] as const satisfies HipchatOptions['scopes']

const SECRET_KEY = { id: 'test', key: Buffer.alloc(32, 9) }
const ROOM = 5

export interface RestWorld {
  readonly host: RecordingHost
  run<T>(work: (client: TenantClient) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export async function createRestWorld(scopes: HipchatOptions['scopes'] = ALL_SCOPES): Promise<RestWorld> {
  const [database, host, port] = await Promise.all([createTestDatabase(), startRecordingHost(), freePort()])
  const hosts = [new URL(host.url).host]
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
  const response = await fetch(`${server.url}/addon/installable`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(installationOf(host, 'caller', ROOM)),
  })
  assert.equal(response.status, 204, await response.text())
  host.tokenRequests.length = 0
  return {
    host,
    run: work =>
      app.runAs({ dialect: 'hipchat', id: 'caller' }, async context => work(addon.services(context).tenantClient)),
    async close() {
      await server.close()
      await app.close()
      await Promise.all([host.close(), database.close()])
    },
  }
}
