// Installation, update, removal: what the host must have said before anything is stored, and in which order things happen.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartywallError } from '../../../../src/core/errors.ts'
import {
  answer,
  CAPABILITIES,
  capabilitiesOf,
  createWorld,
  errorCode,
  gate,
  HOST,
  installBody,
  view,
  type World,
} from './world.ts'

const post = (world: World, body: unknown) => world.request(view('POST', '/addon/installable', { body }))
const stored = (world: World) => world.registry.records.size

test('a first install stores the tenant and answers 204', async () => {
  const world = createWorld()
  const made = await world.install('a')
  assert.equal(made.status, 204)
  const identity = await world.identity('a')
  assert.equal(identity?.state, 'installed')
  assert.equal(identity?.host, 'host.example')
  assert.deepEqual(identity?.attributes, {
    group: 7,
    room: 5,
    links: { capabilities: CAPABILITIES, base: HOST, api: `${HOST}/v2`, token: `${HOST}/v2/oauth/token` },
    scopes: ['admin_room', 'send_notification', 'view_group'],
  })
  assert.equal(Buffer.from(identity?.secrets.get('webhookToken') ?? '', 'base64url').length, 16)
})

test('a body that is no installation is refused with 400 and nothing is fetched', async () => {
  const world = createWorld()
  const good = installBody('a', { secret: 'secret-of-a', group: 7 })
  const bad: unknown[] = [
    null,
    [],
    'text',
    {},
    { ...good, oauthId: '' },
    { ...good, oauthId: 5 },
    { ...good, oauthId: 'a:b' },
    { ...good, oauthId: 'a\u0000' },
    { ...good, oauthId: 'a'.repeat(256) },
    { ...good, oauthSecret: '' },
    { ...good, oauthSecret: null },
    { ...good, oauthSecret: 'undefined' },
    { ...good, oauthSecret: 'undefined' },
    { ...good, groupId: undefined },
    { ...good, groupId: '7' },
    { ...good, groupId: 1.5 },
    { ...good, roomId: 'x' },
    { ...good, capabilitiesUrl: 5 },
    { ...good, capabilitiesUrl: 'nowhere' },
    { ...good, capabilitiesUrl: 'ftp://host.example/' },
    { ...good, capabilitiesUrl: 'https://user@host.example/v2/capabilities' },
    { ...good, capabilitiesUrl: 'https://host.example\\@evil.example/' },
  ]
  for (const body of bad) {
    const made = await post(world, body)
    assert.equal(made.status, 400, JSON.stringify(body))
  }
  assert.equal(
    (await world.request(view('POST', '/addon/installable', { raw: Buffer.from('{"oauthId":') }))).status,
    400,
  )
  assert.equal(
    (await world.request(view('POST', '/addon/installable', { raw: Buffer.from([0x22, 0xff, 0x22]) }))).status,
    400,
  )
  assert.equal(
    (await world.request(view('POST', '/addon/installable', { raw: Buffer.from('['.repeat(100_000)) }))).status,
    400,
  )
  assert.equal(world.calls.length, 0)
  assert.equal(stored(world), 0)
})

test('C 34: an address of a host that is not allowed is refused before anything is fetched', async () => {
  const world = createWorld({
    hosts: ['host.example', '*.wide.example', 'port.example:8443'],
    insecureHosts: ['localhost:8080'],
  })
  const refused = [
    'https://evil.example/v2/capabilities',
    'https://host.example.evil.example/v2/capabilities',
    'https://evil-host.example/v2/capabilities',
    'https://host.example:8443/v2/capabilities',
    'http://host.example/v2/capabilities',
    'https://wide.example/v2/capabilities',
    'https://a.b.wide.example/v2/capabilities',
    'https://port.example/v2/capabilities',
    'https://localhost:8080/v2/capabilities',
    'http://localhost/v2/capabilities',
    'http://127.0.0.1:8080/v2/capabilities',
  ]
  for (const capabilitiesUrl of refused) {
    const made = await post(world, { ...installBody('a', { secret: 'secret-of-a', group: 7 }), capabilitiesUrl })
    assert.deepEqual([made.status, errorCode(made)], [403, 'ERR_INSTALL_HOST_REFUSED'], capabilitiesUrl)
  }
  assert.equal(world.calls.length, 0)
  for (const origin of ['https://a.wide.example', 'https://port.example:8443', 'http://localhost:8080']) {
    const made = await world.install(origin.replaceAll(/[:/]+/g, '.'), {
      body: { capabilitiesUrl: `${origin}/v2/capabilities` },
    })
    assert.equal(made.status, 204, origin)
  }
})

test('C 36: a document that is not the host’s own is refused with 400', async () => {
  const world = createWorld()
  const good = capabilitiesOf(HOST)
  const documents: unknown[] = [
    null,
    [],
    {},
    { ...good, links: { ...good.links, self: `${HOST}/v2/other` } },
    { ...good, links: { ...good.links, self: `${CAPABILITIES}/` } },
    { ...good, links: { ...good.links, api: 'https://evil.example/v2' } },
    { ...good, links: { ...good.links, api: `${HOST}:8443/v2` } },
    { ...good, links: { ...good.links, api: 'http://host.example/v2' } },
    { ...good, links: { ...good.links, api: `${HOST}/v2?x=` } },
    { ...good, links: { ...good.links, homepage: 'https://www.example' } },
    { ...good, capabilities: { ...good.capabilities, oauth2Provider: { tokenUrl: 'https://evil.example/token' } } },
    {
      ...good,
      capabilities: { ...good.capabilities, oauth2Provider: { tokenUrl: 'https://host.example@evil.example/' } },
    },
    { ...good, capabilities: { ...good.capabilities, hipchatApiProvider: { url: 'https://evil.example/v2/' } } },
    { ...good, capabilities: {} },
  ]
  for (const document of documents) {
    world.intercept = request => (request.method === 'GET' ? answer(200, document) : undefined)
    const made = await world.install('a')
    assert.deepEqual([made.status, errorCode(made)], [400, 'ERR_INSTALL_DOCUMENT_INVALID'], JSON.stringify(document))
  }
  for (const [status, expected] of [
    [302, 400],
    [404, 400],
    [201, 400],
    [500, 503],
    [429, 503],
  ]) {
    world.intercept = request =>
      request.method === 'GET' ? answer(status ?? 0, good, { location: 'https://evil.example' }) : undefined
    assert.equal((await world.install('a')).status, expected, String(status))
  }
  assert.equal(stored(world), 0)
  assert.ok(
    world.calls.every(call => call.method === 'GET'),
    'no credentials left the house',
  )
  assert.ok(world.calls.every(call => (call.maxRedirects ?? 0) === 0 && call.timeoutMs && call.maxBytes))
})

test('A 14: credentials count only after the host has issued a token for them; until then nothing is stored', async () => {
  const world = createWorld()
  const refusals: [number, number, string][] = [
    [401, 403, 'ERR_INSTALL_TOKEN_REFUSED'],
    [400, 403, 'ERR_INSTALL_TOKEN_REFUSED'],
    [403, 403, 'ERR_INSTALL_TOKEN_REFUSED'],
    [500, 503, 'ERR_OUTBOUND_UNREACHABLE'],
    [429, 503, 'ERR_OUTBOUND_UNREACHABLE'],
    [204, 503, 'ERR_OUTBOUND_UNREACHABLE'],
  ]
  for (const [status, expected, code] of refusals) {
    world.intercept = request => {
      assert.equal(stored(world), 0)
      return request.method === 'POST' ? answer(status) : undefined
    }
    const made = await world.install('a')
    assert.deepEqual([made.status, errorCode(made)], [expected, code])
  }
  world.intercept = () => {
    throw new PartywallError('ERR_OUTBOUND_TIMEOUT')
  }
  assert.equal((await world.install('a')).status, 503)
  world.intercept = () => {
    throw new PartywallError('ERR_OUTBOUND_REFUSED')
  }
  assert.deepEqual([(await world.install('a')).status, stored(world)], [403, 0])
})

test('the group of the body must be the group of the token', async () => {
  const world = createWorld()
  const made = await world.install('a', { group: 7, body: { groupId: 8 } })
  assert.deepEqual([made.status, errorCode(made), stored(world)], [403, 'ERR_INSTALL_GROUP_MISMATCH', 0])
  world.intercept = request => (request.method === 'POST' ? answer(200, { access_token: 'x' }) : undefined)
  assert.equal((await world.install('a', { body: { groupId: 8 } })).status, 204, 'a host that names none')
})

test('A 9: 2xx only after commit, listeners’ delivery and acknowledgements, in this order', async () => {
  const world = createWorld({}, addon => addon.onInstalled(() => undefined))
  await world.install('a')
  assert.deepEqual(world.registry.log, ['install install committed', 'settled'])
  assert.equal(world.inbox.deliveries.length, 1)
  world.registry.hooks.beforeApply = async () => {
    throw new PartywallError('ERR_STORE_UNAVAILABLE')
  }
  assert.equal((await world.install('b')).status, 503)
})

test('the same installation again is 2xx without a second effect', async () => {
  const installed: string[] = []
  const world = createWorld({}, addon => addon.onInstalled(ctx => installed.push(ctx.tenant.id)))
  await world.install('a')
  const before = await world.identity('a')
  assert.equal((await world.install('a')).status, 204)
  await world.inbox.finished()
  assert.equal((await world.identity('a'))?.version, before?.version)
  assert.deepEqual(installed, ['a'])
})

test('an update keeps the webhook token and replaces the secret', async () => {
  const world = createWorld()
  await world.install('a')
  const before = await world.identity('a')
  assert.equal((await world.install('a', { secret: 'another-secret' })).status, 204)
  const after = await world.identity('a')
  assert.equal(after?.secrets.get('webhookToken'), before?.secrets.get('webhookToken'))
  assert.equal(after?.secrets.get('secret'), 'another-secret')
})

test('A 15: the same id from another host is refused, and nothing is fetched from it', async () => {
  const world = createWorld()
  await world.install('a')
  const calls = world.calls.length
  const made = await world.install('a', {
    secret: 'attackers-secret',
    body: { capabilitiesUrl: 'https://other.example/v2/capabilities' },
  })
  assert.deepEqual([made.status, errorCode(made)], [409, 'ERR_INSTALL_CONFLICT'])
  assert.equal(world.calls.length, calls)
  assert.equal((await world.identity('a'))?.secrets.get('secret'), 'secret-of-a')
})

test('A 15: another secret counts only if the bound host honours it', async () => {
  const world = createWorld()
  await world.install('a')
  const made = await post(world, installBody('a', { secret: 'attackers-secret', group: 7 }))
  assert.deepEqual([made.status, errorCode(made)], [409, 'ERR_INSTALL_CONFLICT'])
  assert.equal((await world.identity('a'))?.secrets.get('secret'), 'secret-of-a')
})

test('concurrent re-installs end with the one secret the host honours', async () => {
  const world = createWorld()
  await world.install('a')
  world.clients.set('a', { secret: 'first-new-secret', group: 7 })
  // The first has the host's word already when the host goes on to the second secret.
  const reached = gate()
  const released = gate()
  world.registry.hooks.beforeApply = async change => {
    if (change.kind !== 'install' || change.secrets.secret !== 'first-new-secret') return
    reached.open()
    await released.promise
  }
  const first = post(world, installBody('a', { secret: 'first-new-secret', group: 7 }))
  await reached.promise
  assert.equal((await world.install('a', { secret: 'second-new-secret' })).status, 204)
  released.open()
  assert.equal((await first).status, 409)
  assert.equal((await world.identity('a'))?.secrets.get('secret'), 'second-new-secret')
})

test('hostile ids are ordinary tenants', async () => {
  const world = createWorld()
  for (const id of ['__proto__', 'constructor', '.*', '*', '%', "o'neil", 'ключ', '...', 'a b']) {
    assert.equal((await world.install(id)).status, 204, id)
    assert.equal((await world.identity(id))?.externalId, id)
  }
  for (const id of ['../x', 'a/b', 'a\\b', '.', '..', 'a:b']) {
    assert.equal((await world.install(id)).status, 400, id)
    assert.equal(await world.identity(id), undefined)
  }
})
