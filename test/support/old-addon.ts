/** An add-on of the old library as a host knows it, and the records its store had: what an import starts from. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HipchatHost, HostGroup, HostRoom, Installation } from 'partywall/host'

export interface OldRecord {
  readonly id: string
  readonly secret: string
  readonly group: number
  readonly room: number
  readonly webhookToken: string
  readonly links: Readonly<Record<'capabilities' | 'base' | 'api' | 'token', string>>
  readonly enabled: boolean
}

export interface OldTenant {
  readonly record: OldRecord
  readonly room: HostRoom
  readonly installation: Installation
}

export interface OldAddon {
  /** Installs the old add-on in a new room. */
  install(host: HipchatHost, group: HostGroup, roomName: string): Promise<OldTenant>
  close(): Promise<void>
}

export async function startOldAddon(): Promise<OldAddon> {
  const server = createServer((_, response) => response.writeHead(204).end())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const descriptor = {
    key: 'com.example.old',
    name: 'Old',
    description: 'Old',
    links: { self: `${url}/addon/capabilities` },
    capabilities: {
      hipchatApiConsumer: { scopes: ['admin_room', 'send_notification'] },
      installable: { callbackUrl: `${url}/addon/installable` },
    },
  }
  return {
    async install(host, group, roomName) {
      const room = group.createRoom({ name: roomName })
      const installation = await host.install(descriptor, { group, room })
      return { room, installation, record: recordOf(host, room, installation) }
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const recordOf = (host: HipchatHost, room: HostRoom, { oauthId, oauthSecret }: Installation): OldRecord => ({
  id: oauthId,
  secret: oauthSecret,
  group: room.group.id,
  room: room.id,
  webhookToken: 'of-the-old-library',
  links: {
    capabilities: host.capabilitiesUrl,
    base: host.url,
    api: `${host.url}/v2`,
    token: `${host.url}/v2/oauth/token`,
  },
  enabled: true,
})

/** The keys and values of one tenant, `below` by what follows its id. */
export const dumpOf = (
  record: { readonly [K in keyof OldRecord]?: unknown } & { readonly id: string },
  below: Readonly<Record<string, unknown>> = {},
  root = 'ack',
): Record<string, unknown> => ({
  [`${root}:tenant:${record.id}`]: record,
  ...Object.fromEntries(Object.entries(below).map(([key, value]) => [`${root}:tenant:${record.id}:${key}`, value])),
})
