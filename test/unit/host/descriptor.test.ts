// What the host wants of a descriptor before it offers the install.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DescriptorError, type HipchatHost, type HostGroup, startHipchatHost } from '../../../src/host/index.ts'
import { type FakeAddon, startFakeAddon } from './fake-addon.ts'

let host: HipchatHost
let addon: FakeAddon
let group: HostGroup
before(async () => {
  host = await startHipchatHost()
  addon = await startFakeAddon()
  group = host.createGroup({ name: 'Acme' })
})
after(async () => {
  await addon.close()
  await host.close()
})

const url = 'https://addon.example.com/'
const icon = { url, 'url@2x': url }
const name = { value: 'A name' }
const withCapability = (capability: object) => ({
  ...addon.descriptor,
  capabilities: { ...(addon.descriptor.capabilities as object), ...capability },
})

test('a descriptor with everything is taken, and what is unknown is passed over', async () => {
  const document = withCapability({
    hipchatApiConsumer: { scopes: ['view_room'], fromName: 'Bot', avatar: icon },
    configurable: { url, allowAccessToRoomAdmins: true },
    adminPage: { url },
    webhook: [{ event: 'room_message', url, pattern: '(?i)^/x', key: 'hook', authentication: 'jwt', name: 'x' }],
    glance: [
      { key: 'g', name, icon, queryUrl: url, target: 'p', weight: 1, conditions: [{ condition: 'user_is_admin' }] },
    ],
    webPanel: { key: 'p', name, location: 'hipchat.sidebar.right', url, icon },
    dialog: [{ key: 'd', title: name, url, options: { style: 'warning', hint: name, filter: { placeholder: name } } }],
    action: [{ key: 'a', name, location: 'hipchat.input.action', target: { key: 'd' } }],
    externalPage: [{ key: 'e', name, url }],
    command: { name: '/do-it', description: 'Does it', usage: '/do-it now', aliases: ['/do_it'] },
    oauth2Consumer: { redirectionUrls: [url] },
    unknownToThisHost: 1,
  })
  const vendor = { name: 'Partywall', url }
  const all = {
    ...document,
    version: '1',
    apiVersion: '1:1',
    vendor,
    links: { self: addon.descriptorUrl, homepage: url },
  }
  const { state, descriptor } = await host.install(all, { group })
  assert.equal(state, 'installed')
  assert.deepEqual(descriptor.extensions.map(one => one.kind).sort(), [
    ...['action', 'dialog', 'externalPage', 'glance', 'webPanel'],
  ])
  assert.deepEqual([descriptor.label, descriptor.configurableUrl, descriptor.redirectionUrls], ['Bot', url, [url]])
})

for (const [what, change] of [
  ['key', { key: undefined }],
  ['description', { description: '' }],
  ['own address', { links: {} }],
  ['web address of its home', { links: { self: url, homepage: 'addon' } }],
  ['vendor that is an object', { vendor: 'Partywall' }],
  ['capabilities', { capabilities: undefined }],
] as const) {
  test(`a descriptor without a good ${what} is refused`, () => refused({ ...addon.descriptor, ...change }))
}

for (const [what, capability] of [
  ['no consumer', { hipchatApiConsumer: undefined }],
  ['no scopes', { hipchatApiConsumer: { scopes: [] } }],
  ['an unknown scope', { hipchatApiConsumer: { scopes: ['view_everything'] } }],
  ['no installable', { installable: undefined }],
  ['an installable without an address', { installable: { allowRoom: true } }],
  ['a callback that is no web address', { installable: { callbackUrl: 'ftp://addon.example.com/' } }],
  ['an unknown event', { webhook: [{ event: 'room_burnt', url }] }],
  ['a pattern on another event', { webhook: [{ event: 'room_enter', url, pattern: 'x' }] }],
  ['a relative webhook', { webhook: [{ event: 'room_enter', url: '/hook' }] }],
  ['a webhook with basic authentication', { webhook: [{ event: 'room_enter', url, authentication: 'basic' }] }],
  ['two webhooks of one key', { webhook: [1, 2].map(() => ({ event: 'room_enter', url, key: 'k' })) }],
  [
    'two panels of one key',
    { webPanel: [1, 2].map(() => ({ key: 'k', name, location: 'hipchat.sidebar.right', url })) },
  ],
  ['a glance without a name', { glance: [{ key: 'g', icon }] }],
  ['a target without a key', { glance: [{ key: 'g', name, icon, target: {} }] }],
  ['a configuration page without an address', { configurable: {} }],
  ['an administration page without an address', { adminPage: {} }],
  ['a command without a slash', { command: [{ name: 'do', description: 'x' }] }],
  ['an alias in upper case', { command: [{ name: '/do', description: 'x', aliases: ['/DO'] }] }],
  ['a redirection that is no web address', { oauth2Consumer: { redirectionUrls: ['app:back'] } }],
] as const) {
  test(`a descriptor with ${what} is refused`, () => refused(withCapability(capability)))
}

test('an add-on that is not for whole groups, or not for rooms, is installed where it is for', async () => {
  const installable = { callbackUrl: `${addon.url}/installed` }
  const room = group.createRoom({ name: 'Lobby' })
  const roomOnly = withCapability({ installable: { ...installable, allowGlobal: false } })
  await assert.rejects(host.install(roomOnly, { group }), DescriptorError)
  assert.equal((await host.install(roomOnly, { group, room })).state, 'installed')
  const globalOnly = withCapability({ installable: { ...installable, allowRoom: false } })
  await assert.rejects(host.install(globalOnly, { group, room }), DescriptorError)
  assert.equal((await host.install(globalOnly, { group })).state, 'installed')
})

/** Refused for a reason, and the add-on hears nothing. */
async function refused(document: object): Promise<void> {
  const before = addon.seen.length
  await assert.rejects(
    host.install(document, { group }),
    error => error instanceof DescriptorError && error.reason === 'invalid' && error.message.length > 5,
  )
  assert.equal(addon.seen.length, before)
}
