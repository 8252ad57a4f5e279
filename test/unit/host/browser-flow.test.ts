// Installing through the user's browser, install links, and what the browser saw on its way.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { FAULTS, type HipchatHost, type HostGroup, type HostRoom, startHipchatHost } from '../../../src/host/index.ts'
import { type FakeAddon, requestToken, type Seen, startFakeAddon } from './fake-addon.ts'

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
  host.faults.clear()
  group = host.createGroup({ name: 'Acme' })
  room = group.createRoom({ name: 'Lobby' })
})
after(async () => {
  await addon.close()
  await host.close()
})

const installable = (urls: Record<string, string>) => {
  const { capabilities } = addon.descriptor as { capabilities: Record<string, object> }
  capabilities.installable = Object.fromEntries(
    Object.entries(urls).map(([name, path]) => [name, `${addon.url}${path}`]),
  )
}
/** A page that fetches the document as it should, and then sends the browser somewhere. */
const page = (path: string, location: (query: URLSearchParams) => string) => {
  const documents: Record<string, unknown>[] = []
  addon.answers.set(`GET ${path}`, async (seen: Seen) => {
    const query = new URL(seen.path, addon.url).searchParams
    const response = await fetch(query.get('installable_url') ?? '')
    documents.push((await response.json()) as Record<string, unknown>)
    return { status: 302, headers: { location: location(query) } }
  })
  return documents
}
const back = (query: URLSearchParams) => query.get('redirect_url') ?? ''

test('install, update and uninstall go through the browser, which comes back each time', async () => {
  installable({ installedUrl: '/welcome', updatedUrl: '/again', uninstalledUrl: '/bye' })
  const [installed, updated, ended] = [page('/welcome', back), page('/again', back), page('/bye', back)]
  const installation = await host.install(addon.descriptorUrl, { group, room, relayState: 'r' })
  const { oauthId, oauthSecret } = installation
  assert.deepEqual(installed[0], {
    oauthId,
    oauthSecret,
    capabilitiesUrl: host.capabilitiesUrl,
    groupId: group.id,
    roomId: room.id,
  })
  const { visit } = installation
  assert.deepEqual(installation.result, { ok: true, status: 302, failure: undefined })
  assert.deepEqual([visit?.isFetched, visit?.isBack, visit?.pages.map(one => one.status)], [true, true, [302, 200]])
  assert.equal(await installation.update({ rotateSecret: true }), installation)
  assert.deepEqual([updated[0]?.oauthId, updated[0]?.oauthSecret], [oauthId, installation.oauthSecret])
  assert.notEqual(installation.oauthSecret, oauthSecret)
  assert.equal((await installation.uninstall()).ok, true)
  assert.deepEqual([ended[0]?.oauthId, 'oauthSecret' in (ended[0] ?? {})], [oauthId, false])
  assert.equal((await requestToken(host, installation)).status, 401)
})

test('an update without an address of its own goes to the first one', async () => {
  installable({ installedUrl: '/welcome' })
  const documents = page('/welcome', back)
  const installation = await host.install(addon.descriptorUrl, { group })
  await installation.update()
  assert.deepEqual(
    documents.map(one => one.oauthId),
    Array(2).fill(installation.oauthId),
  )
})

test('with both flows, the callback comes first and decides; the browser follows', async () => {
  installable({ callbackUrl: '/installed', installedUrl: '/welcome', uninstalledUrl: '/bye' })
  const documents = page('/welcome', back)
  page('/bye', back)
  const installation = await host.install(addon.descriptorUrl, { group })
  assert.deepEqual(
    addon.seen.map(one => `${one.method} ${one.path.split('?')[0]}`),
    ['GET /descriptor', 'POST /installed', 'GET /welcome'],
  )
  assert.equal(documents[0]?.oauthSecret, addon.received('POST', '/installed')[0]?.body.oauthSecret)
  assert.deepEqual([installation.result?.status, installation.visit?.isBack], [204, true])
  const ended = await installation.uninstall()
  assert.deepEqual([ended.status, installation.visit?.isFetched], [204, true])
})

test('a page that sends the browser elsewhere can be seen to', async () => {
  installable({ installedUrl: '/welcome' })
  page('/welcome', () => '/thanks')
  addon.answers.set('GET /thanks', () => ({ status: 200 }))
  const installation = await host.install(addon.descriptorUrl, { group })
  assert.equal(installation.state, 'installed')
  assert.equal(installation.visit?.isBack, false)
  assert.equal(installation.visit?.pages.at(-1)?.url, `${addon.url}/thanks`)
})

test('a page that sends the browser to one that fails has not installed anything', async () => {
  installable({ installedUrl: '/welcome' })
  page('/welcome', () => '/broken')
  addon.answers.set('GET /broken', () => ({ status: 500 }))
  const installation = await host.install(addon.descriptorUrl, { group })
  assert.deepEqual([installation.state, installation.result?.ok], ['failed', false])
})

for (const [what, location] of [
  ['round in a circle', '/welcome'],
  ['where nobody is', 'http://127.0.0.1:1/'],
] as const) {
  test(`a page that sends the browser ${what} has not installed anything`, async () => {
    installable({ installedUrl: '/welcome' })
    addon.answers.set('GET /welcome', () => ({ status: 302, headers: { location } }))
    const installation = await host.install(addon.descriptorUrl, { group })
    assert.deepEqual([installation.state, installation.result?.failure], ['failed', 'unreachable'])
  })
}

test('a document that cannot be fetched leaves nothing installed', async () => {
  installable({ installedUrl: '/welcome' })
  addon.answers.set('GET /welcome', async seen => {
    const response = await fetch(new URL(seen.path, addon.url).searchParams.get('installable_url') ?? '')
    return { status: response.status === 200 ? 200 : 502 }
  })
  host.faults.inject({ ...FAULTS.installableGone, times: 1 })
  const installation = await host.install(addon.descriptorUrl, { group })
  assert.deepEqual([installation.state, installation.result?.status], ['failed', 502])
})

const follow = (query: Record<string, string>) => fetch(`${host.url}/addons/install?${new URLSearchParams(query)}`)

test('an install link installs for the signed-in user’s group or a room of it, with its relay state', async () => {
  host.signIn(group.owner)
  installable({ installedUrl: '/welcome' })
  page('/welcome', back)
  const response = await follow({ url: addon.descriptorUrl, room: 'Lobby', relayState: 'from-link' })
  const answer = (await response.json()) as Record<string, unknown>
  const installation = host.installations.find(one => one.oauthId === answer.oauthId)
  assert.deepEqual([installation?.group, installation?.room, installation?.relayState], [group, room, 'from-link'])
  assert.deepEqual([answer.groupId, answer.roomId], [group.id, room.id])
  const [seen] = addon.received('GET', '/welcome')
  assert.equal(new URL(seen?.path ?? '', addon.url).searchParams.get('relayState'), 'from-link')
})

test('an install link may carry the descriptor, or the key of one that was published', async () => {
  host.signIn(group.owner)
  const encoded = Buffer.from(JSON.stringify(addon.descriptor)).toString('base64')
  assert.equal((await follow({ url: `data:application/json;base64,${encoded}` })).status, 200)
  assert.equal((await follow({ key: 'com.example.fake' })).status, 404)
  host.publish('com.example.fake', addon.descriptorUrl)
  const answer = (await (await follow({ key: 'com.example.fake' })).json()) as Record<string, unknown>
  assert.equal(answer.roomId, undefined)
  assert.equal(host.installations.filter(one => one.group === group).length, 2)
})

test('an install link that cannot be followed says why, and installs nothing', async () => {
  const url = addon.descriptorUrl
  host.signIn(undefined)
  assert.equal((await follow({ url })).status, 401)
  host.signIn(group.owner)
  host.createGroup({ name: 'Other' }).createRoom({ name: 'Theirs' })
  const status = async (query: Record<string, string>) => (await follow(query)).status
  assert.equal(await status({ url, room: 'Theirs' }), 404)
  assert.equal(await status({}), 400)
  assert.equal(await status({ url, key: 'both' }), 400)
  assert.equal(await status({ url: 'data:text/plain,x' }), 400)
  assert.equal(await status({ url: 'file:///etc/passwd' }), 400)
  assert.equal(await status({ url: 'http://127.0.0.1:1/' }), 502)
  addon.answers.set('POST /installed', () => ({ status: 403 }))
  const refused = await follow({ url })
  assert.deepEqual([refused.status, /answered 403/.test(await refused.text())], [502, true])
  assert.deepEqual(
    host.installations.filter(one => one.group === group),
    [],
  )
})
