// Install, update and uninstall against a small independent add-on: what the host sends, and what it makes of the answers.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { inspect } from 'node:util'
import {
  DescriptorError,
  type HipchatHost,
  type HostGroup,
  type HostRoom,
  startHipchatHost,
} from '../../../src/host/index.ts'
import { type FakeAddon, requestToken, startFakeAddon } from './fake-addon.ts'

let host: HipchatHost
let addon: FakeAddon
let group: HostGroup
let room: HostRoom

before(async () => {
  host = await startHipchatHost()
})
beforeEach(async () => {
  await addon?.close()
  addon = await startFakeAddon()
  group = host.createGroup({ name: 'Acme' })
  room = group.createRoom({ name: 'Lobby' })
})
after(async () => {
  await addon.close()
  await host.close()
})

test('a room installation tells the add-on id, secret, capabilities URL, group and room', async () => {
  const installation = await host.install(addon.descriptorUrl, { group, room })
  assert.equal(installation.state, 'installed')
  assert.deepEqual(installation.result, { ok: true, status: 204, failure: undefined })
  assert.deepEqual(addon.received('POST', '/installed')[0]?.body, {
    oauthId: installation.oauthId,
    oauthSecret: installation.oauthSecret,
    capabilitiesUrl: host.capabilitiesUrl,
    groupId: group.id,
    roomId: room.id,
  })
})

test('a global installation names no room', async () => {
  await host.install(addon.descriptorUrl, { group })
  assert.equal('roomId' in (addon.received('POST', '/installed')[0]?.body ?? {}), false)
})

test('the add-on can prove its credentials while it is being installed', async () => {
  let answer: Record<string, unknown> = {}
  addon.answers.set('POST /installed', async ({ body }) => {
    const { capabilitiesUrl, oauthId, oauthSecret } = body as Record<string, string>
    const document = (await (await fetch(capabilitiesUrl ?? '')).json()) as { links: { self: string } }
    assert.equal(document.links.self, capabilitiesUrl)
    const response = await requestToken(host, { oauthId: oauthId ?? '', oauthSecret: oauthSecret ?? '' })
    answer = (await response.json()) as Record<string, unknown>
    return { status: response.status === 200 ? 204 : 403 }
  })
  assert.equal((await host.install(addon.descriptorUrl, { group, room })).state, 'installed')
  const { access_token: token, ...facts } = answer
  assert.match(String(token), /^[A-Za-z0-9]{40}$/)
  assert.deepEqual(facts, {
    token_type: 'bearer',
    expires_in: 28_799,
    scope: 'send_notification view_group admin_room',
    group_id: group.id,
    group_name: 'Acme',
  })
})

for (const [what, answer, expected] of [
  ['refuses', { status: 403 }, { ok: false, status: 403, failure: undefined }],
  ['redirects', { status: 302 }, { ok: false, status: 302, failure: undefined }],
] as const) {
  test(`an install fails and its client is dropped when the add-on ${what}`, async () => {
    addon.answers.set('POST /installed', () => answer)
    const installation = await host.install(addon.descriptorUrl, { group, room })
    assert.equal(installation.state, 'failed')
    assert.deepEqual(installation.result, expected)
    assert.equal((await requestToken(host, installation)).status, 401)
  })
}

test('an install fails when the add-on does not answer in time', async () => {
  const hasty = await startHipchatHost({ callbackTimeoutMs: 200 })
  try {
    addon.answers.set('POST /installed', () => new Promise<never>(() => undefined))
    const installation = await hasty.install(addon.descriptor, { group: hasty.createGroup({ name: 'Hasty' }) })
    assert.deepEqual(installation.result, { ok: false, status: undefined, failure: 'timeout' })
    assert.equal((await requestToken(hasty, installation)).status, 401)
  } finally {
    await hasty.close()
  }
})

for (const [what, change] of [
  ['names another address in links.self', { links: { self: 'http://127.0.0.1:9/descriptor' } }],
  [
    'has no scopes',
    { capabilities: { installable: { callbackUrl: 'http://a.invalid/' }, hipchatApiConsumer: { scopes: [] } } },
  ],
  ['has no name', { name: undefined }],
] as const) {
  test(`a descriptor that ${what} is refused before the add-on hears of it`, async () => {
    Object.assign(addon.descriptor, change)
    await assert.rejects(host.install(addon.descriptorUrl, { group, room }), DescriptorError)
    assert.deepEqual(addon.received('POST', '/installed'), [])
  })
}

test('a descriptor whose pattern the host cannot match is refused', async () => {
  const webhook = { url: `${addon.url}/hook`, event: 'room_message', pattern: '(?=x)y' }
  const capabilities = { ...(addon.descriptor.capabilities as object), webhook: [webhook] }
  addon.descriptor = { ...addon.descriptor, capabilities }
  await assert.rejects(host.install(addon.descriptor, { group, room }), { name: 'DescriptorError', reason: 'invalid' })
})

test('an unreachable descriptor is told from an invalid one', async () => {
  await assert.rejects(host.install('http://127.0.0.1:1/', { group }), {
    name: 'DescriptorError',
    reason: 'unreachable',
  })
})

test('an update keeps the id; the new secret counts once the add-on has taken it', async () => {
  const installation = await host.install(addon.descriptorUrl, { group, room })
  const { oauthId, oauthSecret: old } = installation
  const during: number[] = []
  addon.answers.set('POST /updated', async ({ body }) => {
    during.push((await requestToken(host, { oauthId, oauthSecret: old })).status)
    during.push((await requestToken(host, { oauthId, oauthSecret: String(body.oauthSecret) })).status)
    return { status: 204 }
  })
  assert.equal(await installation.update({ rotateSecret: true }), installation)
  assert.deepEqual(during, [200, 200])
  assert.notEqual(installation.oauthSecret, old)
  assert.equal((await requestToken(host, { oauthId, oauthSecret: old })).status, 401)
  assert.equal((await requestToken(host, installation)).status, 200)
})

test('an update that the add-on refuses leaves the old secret', async () => {
  const installation = await host.install(addon.descriptorUrl, { group, room })
  const old = installation.oauthSecret
  addon.answers.set('POST /updated', () => ({ status: 409 }))
  await installation.update({ rotateSecret: true })
  assert.equal(installation.state, 'installed')
  assert.equal(installation.oauthSecret, old)
  const offered = String(addon.received('POST', '/updated')[0]?.body.oauthSecret)
  assert.equal((await requestToken(host, { oauthId: installation.oauthId, oauthSecret: offered })).status, 401)
  assert.equal((await requestToken(host, installation)).status, 200)
})

test('without an update URL a re-install is a new installation, and the old client is gone', async () => {
  const { capabilities } = addon.descriptor as { capabilities: Record<string, object> }
  capabilities.installable = { callbackUrl: `${addon.url}/installed` }
  const first = await host.install(addon.descriptorUrl, { group, room })
  const second = await first.update()
  assert.notEqual(second.oauthId, first.oauthId)
  assert.equal((await requestToken(host, first)).status, 401)
  assert.equal((await requestToken(host, second)).status, 200)
})

test('an uninstall revokes the client before the add-on hears of it', async () => {
  const installation = await host.install(addon.descriptorUrl, { group, room })
  let atCallback = 0
  addon.answers.set(`DELETE /installed/${installation.oauthId}`, async () => {
    atCallback = (await requestToken(host, installation)).status
    return { status: 204 }
  })
  assert.deepEqual(await installation.uninstall(), { ok: true, status: 204, failure: undefined })
  assert.equal(atCallback, 401)
  assert.equal(installation.state, 'uninstalled')
})

test('an uninstalled installation comes back with the same id and a new secret', async () => {
  const installation = await host.install(addon.descriptorUrl, { group, room })
  const { oauthId, oauthSecret } = installation
  await installation.uninstall()
  await installation.update()
  assert.equal(installation.state, 'installed')
  assert.equal(installation.oauthId, oauthId)
  assert.notEqual(installation.oauthSecret, oauthSecret)
  assert.equal((await requestToken(host, installation)).status, 200)
})

test('the browser flow hands the document out once and the relay state along', async () => {
  const { capabilities } = addon.descriptor as { capabilities: Record<string, object> }
  capabilities.installable = { installedUrl: `${addon.url}/welcome` }
  let second = 0
  let document: Record<string, unknown> = {}
  addon.answers.set('GET /welcome', async ({ path }) => {
    const query = new URL(path, addon.url).searchParams
    assert.equal(query.get('relayState'), 'from-here')
    assert.equal(new URL(query.get('redirect_url') ?? '').origin, host.url)
    const address = query.get('installable_url') ?? ''
    document = (await (await fetch(address)).json()) as Record<string, unknown>
    second = (await fetch(address)).status
    return { status: 302 }
  })
  const installation = await host.install(addon.descriptorUrl, { group, room, relayState: 'from-here' })
  assert.equal(installation.state, 'installed')
  assert.equal(document.oauthSecret, installation.oauthSecret)
  assert.equal(second, 404)
})

test('a page that never fetched the document has not installed anything', async () => {
  const { capabilities } = addon.descriptor as { capabilities: Record<string, object> }
  capabilities.installable = { installedUrl: `${addon.url}/welcome` }
  addon.answers.set('GET /welcome', () => ({ status: 200 }))
  assert.equal((await host.install(addon.descriptorUrl, { group })).state, 'failed')
})

test('the secret is behind a getter that no printer reaches', async () => {
  const installation = await host.install(addon.descriptorUrl, { group, room })
  const printed =
    inspect(installation, { depth: 9, showHidden: true }) + JSON.stringify({ ...installation, group: 0, room: 0 })
  assert.equal(printed.includes(installation.oauthSecret), false)
})

test('rooms and groups of another host are refused', async () => {
  const other = await startHipchatHost()
  try {
    await assert.rejects(other.install(addon.descriptorUrl, { group }), TypeError)
  } finally {
    await other.close()
  }
})

test('a thousand installations at once, each with its own credentials', async () => {
  const patient = await startHipchatHost({ callbackTimeoutMs: 120_000 })
  const many = patient.createGroup({ name: 'Many' })
  const installations = await Promise.all(
    Array.from({ length: 1_000 }, () => patient.install(addon.descriptor, { group: many })),
  )
  await patient.close()
  const failed = installations.filter(one => one.state !== 'installed')
  assert.deepEqual(
    failed.map(one => one.result),
    [],
  )
  assert.equal(new Set(installations.map(one => one.oauthId)).size, 1_000)
  assert.equal(new Set(installations.map(one => one.oauthSecret)).size, 1_000)
})
