// Installing and removing through the user's browser: who may be asked, how often, and where the browser may go afterwards.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HipchatAddon } from '../../../../src/dialects/hipchat/addon.ts'
import type { InstallationFacts } from '../../../../src/dialects/hipchat/announcement.ts'
import type { Answer } from '../../../../src/http/view.ts'
import { answer, CAPABILITIES, createWorld, errorCode, HOST, installBody, view, type World } from './world.ts'

const TICKET = `${HOST}/v2/installable/once`
const BACK = `${HOST}/addons?room=5#done`
type Parameters = Readonly<Record<string, string>>

const createBrowserWorld = (build?: (addon: HipchatAddon) => void) => createWorld({ clientSideInstall: true }, build)

/** The host serves this document at the ticket's address, once. */
function offer(world: World, document: unknown): void {
  let isGood = true
  world.intercept = request => {
    if (request.url !== TICKET) return undefined
    const made = isGood ? answer(200, document) : answer(404)
    isGood = false
    return made
  }
}

function visit(world: World, page: string, changes: Parameters = {}, method = 'GET'): Promise<Answer> {
  const query = new URLSearchParams({ installable_url: TICKET, redirect_url: BACK, ...changes })
  return world.request(view(method, `/addon/${page}?${query}`))
}

function offerInstall(world: World, id: string, changes: object = {}): void {
  const client = { secret: `secret-of-${id}`, group: 7 }
  world.clients.set(id, client)
  offer(world, { ...installBody(id, client), ...changes })
}

const locationOf = ({ headers }: Answer) => headers[headers.indexOf('location') + 1]
const fetches = (world: World) => world.calls.filter(call => call.url === TICKET).length
const seenBy = (listener: (facts: InstallationFacts) => void) => (addon: HipchatAddon) =>
  void addon.onInstalled(context => listener(context.installation))

test('A 14: an install through the browser is proved and stored like any other, then the browser goes back', async () => {
  const seen: InstallationFacts[] = []
  const world = createBrowserWorld(seenBy(facts => void seen.push(facts)))
  offerInstall(world, 'a')
  const relayState = 'from "the" newsletter & more'
  const made = await visit(world, 'installed', { relayState })
  assert.deepEqual([made.status, locationOf(made), made.tenant], [303, BACK, 'a'])
  assert.ok(made.headers.includes('no-store') && made.headers.includes('no-referrer'))
  assert.equal((await world.identity('a'))?.state, 'installed')
  assert.deepEqual(
    world.calls.map(call => new URL(call.url).pathname),
    ['/v2/installable/once', '/v2/capabilities', '/v2/oauth/token'],
  )
  await world.inbox.finished()
  assert.deepEqual(seen, [{ kind: 'install', relayState }])
})

test('a page that is loaded again is refused with 410, and nothing happens twice', async () => {
  const world = createBrowserWorld()
  offerInstall(world, 'a')
  await visit(world, 'installed')
  const before = await world.identity('a')
  const again = await visit(world, 'installed')
  assert.deepEqual([again.status, errorCode(again)], [410, 'ERR_INSTALLABLE_GONE'])
  assert.equal((await world.identity('a'))?.version, before?.version)
  const looked = await visit(world, 'installed', {}, 'HEAD')
  assert.deepEqual([looked.status, fetches(world)], [405, 2], 'who only looks uses nothing up')
})

const REFUSED: readonly (readonly [string, Parameters, number, string])[] = [
  ['no document', { installable_url: '' }, 400, 'ERR_INSTALL_INVALID'],
  ['a document that is no address', { installable_url: '/v2/installable/once' }, 400, 'ERR_INSTALL_INVALID'],
  ['a document with user info', { installable_url: 'https://u@host.example/x' }, 400, 'ERR_INSTALL_INVALID'],
  ['a document of another host', { installable_url: 'https://evil.example/x' }, 403, 'ERR_INSTALL_HOST_REFUSED'],
  ['a document of another port', { installable_url: `${HOST}:8443/x` }, 403, 'ERR_INSTALL_HOST_REFUSED'],
  ['a document without TLS', { installable_url: 'http://host.example/x' }, 403, 'ERR_INSTALL_HOST_REFUSED'],
  ['a document inside', { installable_url: 'https://169.254.169.254/x' }, 403, 'ERR_INSTALL_HOST_REFUSED'],
  ['no way back', { redirect_url: '' }, 400, 'ERR_INSTALL_INVALID'],
  ['a way elsewhere', { redirect_url: 'https://evil.example/addons' }, 400, 'ERR_REDIRECT_REFUSED'],
  ['a way to another trusted host', { redirect_url: 'https://other.example/' }, 400, 'ERR_REDIRECT_REFUSED'],
  ['a way to another port', { redirect_url: `${HOST}:8443/` }, 400, 'ERR_REDIRECT_REFUSED'],
  ['a way without TLS', { redirect_url: 'http://host.example/' }, 400, 'ERR_REDIRECT_REFUSED'],
  ['a way with user info', { redirect_url: 'https://host.example@evil.example/' }, 400, 'ERR_REDIRECT_REFUSED'],
  ['a way with empty user info', { redirect_url: 'https://@host.example/' }, 400, 'ERR_REDIRECT_REFUSED'],
  ['a way with back slashes', { redirect_url: 'https://host.example\\@evil.example/' }, 400, 'ERR_REDIRECT_REFUSED'],
  ['a way without a scheme', { redirect_url: '//host.example/' }, 400, 'ERR_REDIRECT_REFUSED'],
  ['a path', { redirect_url: '/addons' }, 400, 'ERR_REDIRECT_REFUSED'],
  ['a script', { redirect_url: 'javascript:alert(1)' }, 400, 'ERR_REDIRECT_REFUSED'],
  ['a second header', { redirect_url: `${BACK}\r\nset-cookie: a=b` }, 400, 'ERR_REDIRECT_REFUSED'],
  ['an endless relay state', { relayState: 'x'.repeat(2_049) }, 400, 'ERR_INSTALL_INVALID'],
]
for (const [name, changes, status, code] of REFUSED) {
  test(`C 34: ${name} is refused before anything is fetched, and nothing is used up`, async () => {
    const world = createBrowserWorld()
    offerInstall(world, 'a')
    for (const page of ['installed', 'updated', 'uninstalled']) {
      const made = await visit(world, page, changes)
      assert.deepEqual([made.status, errorCode(made)], [status, code], page)
    }
    assert.deepEqual([world.calls.length, world.registry.records.size], [0, 0])
    assert.equal((await visit(world, 'installed')).status, 303)
  })
}

test('a parameter that is there twice is refused', async () => {
  const world = createBrowserWorld()
  for (const name of ['installable_url', 'redirect_url', 'relayState']) {
    const query = new URLSearchParams({ installable_url: TICKET, redirect_url: BACK, relayState: 'a' })
    query.append(name, query.get(name) ?? '')
    const made = await world.request(view('GET', `/addon/installed?${query}`))
    assert.deepEqual([made.status, errorCode(made), world.calls.length], [400, 'ERR_INSTALL_INVALID', 0], name)
  }
})

test('A 15: a document speaks for the host that served it alone, and no other host is asked', async () => {
  const world = createBrowserWorld()
  offerInstall(world, 'a', { capabilitiesUrl: 'https://other.example/v2/capabilities' })
  const made = await visit(world, 'installed')
  assert.deepEqual([made.status, errorCode(made)], [403, 'ERR_INSTALL_HOST_REFUSED'])
  assert.deepEqual(
    world.calls.map(call => call.url),
    [TICKET],
  )
  assert.equal(world.registry.records.size, 0)
})

test('C 33: a document that cannot be had is refused or asks for patience; it is asked for once', async () => {
  const cases: readonly (readonly [ReturnType<typeof answer>, number, string])[] = [
    [answer(404), 410, 'ERR_INSTALLABLE_GONE'],
    [answer(410), 410, 'ERR_INSTALLABLE_GONE'],
    [answer(302, undefined, { location: `${HOST}/elsewhere` }), 410, 'ERR_INSTALLABLE_GONE'],
    [answer(500), 503, 'ERR_HOST_RESPONSE'],
    [answer(429), 503, 'ERR_HOST_RESPONSE'],
    [answer(200, { oauthId: 5 }), 400, 'ERR_INSTALL_INVALID'],
    [{ ...answer(200), body: Buffer.from('<html>') }, 400, 'ERR_INSTALL_INVALID'],
    [{ ...answer(200), body: Buffer.from([0x22, 0xff, 0x22]) }, 400, 'ERR_INSTALL_INVALID'],
  ]
  for (const [reply, status, code] of cases) {
    const world = createBrowserWorld()
    world.intercept = request => (request.url === TICKET ? reply : undefined)
    for (const page of ['installed', 'uninstalled']) {
      const made = await visit(world, page)
      assert.deepEqual([made.status, errorCode(made)], [status, code])
    }
    assert.deepEqual([world.calls.length, world.registry.records.size], [2, 0])
    assert.ok(world.calls.every(call => (call.maxRedirects ?? 0) === 0 && call.timeoutMs && call.maxBytes))
  }
})

test('A 14: what the host does not honour is refused with the code of any other install, and nothing is stored', async () => {
  const world = createBrowserWorld()
  offerInstall(world, 'a', { oauthSecret: 'another-secret' })
  const made = await visit(world, 'installed')
  assert.deepEqual([made.status, errorCode(made)], [403, 'ERR_INSTALL_TOKEN_REFUSED'])
  assert.equal(locationOf(made) === BACK, false)
  assert.equal(world.registry.records.size, 0)
})

test('an install that meets another one asks for its document once', async () => {
  const world = createBrowserWorld()
  offerInstall(world, 'a')
  let isFirst = true
  world.registry.hooks.beforeApply = async () => {
    if (!isFirst) return
    isFirst = false
    await world.install('a', { body: { roomId: 6 } })
  }
  assert.equal((await visit(world, 'installed')).status, 303)
  assert.equal(fetches(world), 1)
  assert.equal((await world.identity('a'))?.version, 2)
})

test('A 15: an update through the browser keeps the id and counts only with a secret the bound host honours', async () => {
  const seen: InstallationFacts[] = []
  const world = createBrowserWorld(seenBy(facts => void seen.push(facts)))
  await world.install('a')
  offerInstall(world, 'a', { oauthSecret: 'attackers-secret' })
  assert.equal(errorCode(await visit(world, 'updated')), 'ERR_INSTALL_CONFLICT')
  world.clients.set('a', { secret: 'another-secret', group: 7 })
  offer(world, installBody('a', { secret: 'another-secret', group: 7 }))
  assert.equal((await visit(world, 'updated')).status, 303)
  assert.equal((await world.identity('a'))?.secrets.get('secret'), 'another-secret')
  await world.inbox.finished()
  assert.deepEqual(seen, [
    { kind: 'install', relayState: undefined },
    { kind: 'update', relayState: undefined },
  ])
})

test('a relay state that the browser brings after the host has told of the install reaches the listeners, once', async () => {
  const seen: InstallationFacts[] = []
  const world = createBrowserWorld(seenBy(facts => void seen.push(facts)))
  await world.install('a')
  for (const relayState of [undefined, 'mine', 'mine']) {
    offerInstall(world, 'a')
    assert.equal((await visit(world, 'installed', relayState === undefined ? {} : { relayState })).status, 303)
  }
  await world.inbox.finished()
  assert.deepEqual(seen, [
    { kind: 'install', relayState: undefined },
    { kind: 'install', relayState: 'mine' },
  ])
})

test('A 16: a removal through the browser counts by the word of the bound host alone', async () => {
  const world = createBrowserWorld()
  await world.install('a')
  offer(world, { oauthId: 'a' })
  assert.equal(errorCode(await visit(world, 'uninstalled')), 'ERR_UNINSTALL_REFUSED')
  offer(world, { oauthId: 'nobody' })
  assert.equal(errorCode(await visit(world, 'uninstalled')), 'ERR_INSTALLATION_UNKNOWN')
  world.clients.delete('a')
  for (const again of [false, true]) {
    offer(world, { oauthId: 'a' })
    const made = await visit(world, 'uninstalled')
    assert.deepEqual([made.status, locationOf(made), made.tenant], [303, BACK, 'a'], `again: ${again}`)
  }
  assert.equal((await world.identity('a'))?.state, 'uninstalled')
})

test('A 16: another trusted host cannot begin a removal, and the bound one is not asked', async () => {
  const world = createBrowserWorld()
  await world.install('a', { body: { capabilitiesUrl: 'https://other.example/v2/capabilities' } })
  world.clients.delete('a')
  offer(world, { oauthId: 'a', capabilitiesUrl: CAPABILITIES })
  world.calls.length = 0
  assert.equal(errorCode(await visit(world, 'uninstalled')), 'ERR_INSTALL_HOST_REFUSED')
  assert.equal(world.calls.length, 1)
  assert.equal((await world.identity('a'))?.state, 'installed')
})

test('the pages are there, and in the descriptor, only when the add-on asks for them', async () => {
  const plain = createWorld()
  assert.equal((await visit(plain, 'installed')).status, 404)
  const installableOf = ({ addon }: World) => JSON.parse(JSON.stringify(addon.descriptor)).capabilities.installable
  assert.equal(installableOf(plain).installedUrl, undefined)
  const world = createWorld({ clientSideInstall: true, path: '/two', routes: { updated: '/renewed' } })
  const base = 'https://greeter.example/two'
  assert.deepEqual(installableOf(world), {
    allowGlobal: true,
    allowRoom: true,
    callbackUrl: `${base}/addon/installable`,
    updateCallbackUrl: `${base}/addon/installable`,
    installedUrl: `${base}/addon/installed`,
    updatedUrl: `${base}/renewed`,
    uninstalledUrl: `${base}/addon/uninstalled`,
  })
  assert.ok(world.addon.routes.some(({ path }) => path === '/two/renewed'))
})
