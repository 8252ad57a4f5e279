// A host with one installation in one room, and the calls of that installation's token.
import assert from 'node:assert/strict'
import {
  type HipchatHost,
  type HipchatHostOptions,
  type HostGroup,
  type HostRoom,
  type HostUser,
  type Installation,
  startHipchatHost,
} from '../../../src/host/index.ts'
import { api, type FakeAddon, startFakeAddon, tokenFor } from './fake-addon.ts'

export type Json = Record<string, unknown>

export const ALL_SCOPES = [
  ...['admin_group', 'admin_room', 'import_data', 'manage_rooms', 'send_message'],
  ...['send_notification', 'view_group', 'view_messages', 'view_room'],
]

export interface World {
  readonly host: HipchatHost
  readonly addon: FakeAddon
  readonly group: HostGroup
  readonly room: HostRoom
  readonly user: HostUser
  /** For the whole group, with every scope. */
  readonly installation: Installation
  readonly token: string
  call(method: string, path: string, body?: unknown): Promise<Response>
  /** The JSON of a call that must have this status. */
  json(status: number, method: string, path: string, body?: unknown): Promise<Json>
  /** The status of a call that must have failed in the documented form, else that of one that went well. */
  status(method: string, path: string, body?: unknown): Promise<number>
  close(): Promise<void>
}

/** @param capabilities of the add-on, beside all scopes and a callback */
export async function startWorld(capabilities: Json = {}, options: HipchatHostOptions = {}): Promise<World> {
  const host = await startHipchatHost(options)
  const addon = await startFakeAddon({ hipchatApiConsumer: { scopes: ALL_SCOPES, fromName: 'Faker' }, ...capabilities })
  const group = host.createGroup({ name: 'Acme' })
  const user = group.createUser({ name: 'Ann Other', mentionName: 'ann', email: 'ann@example.com' })
  const room = group.createRoom({ name: 'Lobby', topic: 'first' })
  const installation = await host.install(addon.descriptor, { group })
  const token = await tokenFor(host, installation)
  const call = (method: string, path: string, body?: unknown) => api(host, token, method, path, body)
  return {
    host,
    addon,
    group,
    room,
    user,
    installation,
    token,
    call,
    json: async (status, method, path, body) => {
      const response = await call(method, path, body)
      const document = (await response.json()) as Json
      assert.equal(response.status, status, JSON.stringify(document))
      return document
    },
    status: async (method, path, body) => {
      const response = await call(method, path, body)
      const text = await response.text()
      if (response.status >= 400) {
        const { error } = JSON.parse(text) as { error: Json }
        assert.deepEqual([error.code, typeof error.type, typeof error.message], [response.status, 'string', 'string'])
      }
      return response.status
    },
    close: async () => {
      await addon.close()
      await host.close()
    },
  }
}

export const items = (page: Json): Json[] => page.items as Json[]
export const names = (page: Json): unknown[] => items(page).map(item => item.name)
