// The REST API: tokens, scopes, rooms, users, webhooks, limits; each installation sees its own share only.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import {
  type HipchatHost,
  type HostGroup,
  type HostRoom,
  type HostUser,
  type Installation,
  startHipchatHost,
} from '../../../src/host/index.ts'
import { api, type FakeAddon, requestToken, startFakeAddon, tokenFor } from './fake-addon.ts'

const SCOPES = ['admin_room', 'send_message', 'send_notification', 'view_group', 'view_messages', 'view_room']
type Json = Record<string, unknown>

let now = Date.parse('2026-11-22T10:00:00Z')
let host: HipchatHost
let addon: FakeAddon
let group: HostGroup
let room: HostRoom
let user: HostUser
let installation: Installation
let token: string

before(async () => {
  host = await startHipchatHost({ clock: { now: () => now }, floodControl: { calls: 30, windowSeconds: 60 } })
  addon = await startFakeAddon({ hipchatApiConsumer: { scopes: SCOPES, fromName: 'Faker' } })
})
beforeEach(async () => {
  group = host.createGroup({ name: 'Acme' })
  user = group.createUser({ name: 'Ann Other', mentionName: 'ann', email: 'ann@example.com' })
  room = group.createRoom({ name: 'A/B lobby', topic: 'first' })
  installation = await host.install(addon.descriptor, { group, room })
  token = await tokenFor(host, installation)
})
after(async () => {
  await addon.close()
  await host.close()
})

const call = (method: string, path: string, body?: unknown) => api(host, token, method, path, body)
const json = async (response: Promise<Response>): Promise<Json> => (await (await response).json()) as Json
const failure = async (response: Promise<Response>) => ((await json(response)).error as Json).code

test('a token covers the scopes asked for, and all of the descriptor when none is', async () => {
  const narrow = await json(requestToken(host, installation, 'view_room send_message'))
  assert.equal(narrow.scope, 'send_message view_room')
  assert.equal((await json(requestToken(host, installation))).scope, SCOPES.join(' '))
  assert.equal((await requestToken(host, installation, 'manage_rooms')).status, 400)
})

test('a token request may be JSON; other grants, wrong and foreign credentials are refused', async () => {
  const send = (credentials: string, body: string, type = 'application/json') =>
    fetch(`${host.url}/v2/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}`, 'content-type': type },
      body,
    })
  const good = `${installation.oauthId}:${installation.oauthSecret}`
  const grant = JSON.stringify({ grant_type: 'client_credentials', scope: 'view_room' })
  assert.equal((await send(good, grant)).status, 200)
  assert.equal((await send(`${good}x`, grant)).status, 401)
  assert.equal((await send(`x${good}`, grant)).status, 401)
  assert.equal((await send(good, JSON.stringify({ grant_type: 'password' }))).status, 400)
  assert.equal((await send(good, '{')).status, 400)
  assert.equal((await send(good, grant, 'text/plain')).status, 415)
  assert.equal((await fetch(`${host.url}/v2/oauth/token`, { method: 'POST' })).status, 401)
})

test('a token is described and revoked at its own address, and ends with its time', async () => {
  const session = await json(call('GET', `/oauth/token/${token}`))
  assert.deepEqual(
    [session.scopes, session.group_id, (session.client as Json).id],
    [SCOPES, group.id, installation.oauthId],
  )
  const other = await tokenFor(host, await host.install(addon.descriptor, { group }))
  assert.equal((await api(host, other, 'DELETE', `/oauth/token/${token}`)).status, 401)
  assert.equal((await call('DELETE', `/oauth/token/${token}`)).status, 204)
  assert.equal(await failure(call('GET', '/probe')), 401)
  assert.equal((await api(host, other, 'GET', '/probe')).status, 200)
  now += 28_800_000
  assert.equal((await api(host, other, 'GET', '/probe')).status, 401)
})

test('a call without the scope is refused in the documented form', async () => {
  const narrow = await tokenFor(host, installation, 'view_room')
  const response = await api(host, narrow, 'GET', '/user')
  assert.equal(response.status, 401)
  assert.deepEqual(await response.json(), {
    error: { code: 401, type: 'Unauthorized', message: 'This call needs the scope view_group.' },
  })
})

test('auth_token in the query works, and auth_test only checks', async () => {
  assert.equal((await fetch(`${host.url}/v2/probe?auth_token=${token}`)).status, 200)
  const path = `/room/${room.id}/topic?auth_test=true`
  assert.equal((await call('PUT', path, { topic: 'second' })).status, 202)
  assert.equal(room.topic, 'first')
  assert.equal((await api(host, 'nonsense', 'PUT', path)).status, 401)
})

test('the probe names the owner of the token', async () => {
  assert.deepEqual(await json(call('GET', '/probe')), { group: group.id, room: room.id, oauthId: installation.oauthId })
})

test('a room is found by id and by encoded name, in the own group only', async () => {
  assert.equal((await json(call('GET', `/room/${room.id}`))).name, 'A/B lobby')
  assert.equal((await json(call('GET', `/room/${encodeURIComponent('A/B lobby')}`))).id, room.id)
  const foreign = host.createGroup({ name: 'Other' }).createRoom({ name: 'There' })
  assert.equal(await failure(call('GET', `/room/${foreign.id}`)), 404)
  assert.equal(await failure(call('GET', '/room/%ff')), 400)
})

test('a room installation reaches its own room only, a global one all of its group', async () => {
  const second = group.createRoom({ name: 'Second' })
  assert.equal(await failure(call('POST', `/room/${second.id}/notification`, { message: 'hi' })), 403)
  assert.deepEqual(names(await json(call('GET', '/room'))), ['A/B lobby'])
  const wide = await tokenFor(host, await host.install(addon.descriptor, { group }))
  assert.equal((await api(host, wide, 'POST', `/room/${second.id}/notification`, { message: 'hi' })).status, 204)
  assert.deepEqual(names(await json(api(host, wide, 'GET', '/room'))), ['A/B lobby', 'Second'])
})

test('a notification is checked, filled with defaults and kept', async () => {
  assert.equal((await call('POST', `/room/${room.id}/notification`, { message: '<b>hi</b>' })).status, 204)
  const { id, date, ...item } = room.history.at(-1) ?? {}
  assert.deepEqual(item, {
    from: 'Faker',
    mentions: [],
    message: '<b>hi</b>',
    message_format: 'html',
    color: 'yellow',
    notify: false,
    type: 'notification',
    notification_sender: { id: installation.oauthId, type: 'addon' },
  })
  const wrong = [
    {},
    { message: '' },
    { message: 'x'.repeat(10_001) },
    { message: 'x', color: 'blue' },
    [],
    { message: 1 },
  ]
  for (const body of [...wrong, { message: 'x', notify: 'yes' }, { message: 'x', card: { style: 'file' } }]) {
    assert.equal(await failure(call('POST', `/room/${room.id}/notification`, body)), 400, JSON.stringify(body))
  }
})

test('topic, messages, replies and history', async () => {
  assert.equal((await call('PUT', `/room/${room.id}/topic`, { topic: 'second' })).status, 204)
  assert.equal(room.topic, 'second')
  const { message } = await room.say(user, 'one')
  assert.equal((await call('POST', `/room/${room.id}/message`, { message: 'two' })).status, 201)
  const reply = { message: 'three', parentMessageId: message.id }
  assert.equal((await call('POST', `/room/${room.id}/reply`, reply)).status, 204)
  assert.equal(await failure(call('POST', `/room/${room.id}/reply`, { ...reply, parentMessageId: 'x' })), 404)
  assert.deepEqual(messages(await json(call('GET', `/room/${room.id}/history/latest`))), ['one', 'two', 'three'])
  assert.deepEqual(messages(await json(call('GET', `/room/${room.id}/history/latest?max-results=1`))), ['three'])
  assert.deepEqual(messages(await json(call('GET', `/room/${room.id}/history?reverse=false`))), ['three', 'two', 'one'])
  const found = await json(call('GET', `/room/${room.id}/history/${message.id}`))
  assert.equal((found.message as Json).message, 'one')
})

test('members, participants and users', async () => {
  await room.enter(user)
  assert.deepEqual(names(await json(call('GET', `/room/${room.id}/participant`))), ['Ann Other'])
  assert.equal((await call('PUT', `/room/${room.id}/member/${encodeURIComponent('@ann')}`)).status, 204)
  assert.deepEqual(names(await json(call('GET', `/room/${room.id}/member`))), ['Owner of Acme', 'Ann Other'])
  assert.equal((await call('DELETE', `/room/${room.id}/member/${user.id}`)).status, 204)
  assert.deepEqual(names(await json(call('GET', '/user'))), ['Owner of Acme', 'Ann Other'])
  for (const name of [String(user.id), 'ann@example.com', '@ann']) {
    assert.equal((await json(call('GET', `/user/${encodeURIComponent(name)}`))).email, 'ann@example.com')
  }
  assert.equal(await failure(call('GET', `/user/${host.createGroup({ name: 'Other' }).owner.id}`)), 404)
  assert.equal((await call('POST', `/user/${user.id}/message`, { message: 'psst' })).status, 204)
  assert.equal(user.messages[0]?.message, 'psst')
})

test('collections come in pages', async () => {
  for (let i = 0; i < 5; i += 1) group.createUser({ name: `User ${i}`, mentionName: `user${i}` })
  const page = await json(call('GET', '/user?start-index=2&max-results=3'))
  assert.deepEqual(names(page), ['User 0', 'User 1', 'User 2'])
  assert.deepEqual([page.startIndex, page.maxResults], [2, 3])
  const links = page.links as Record<string, string>
  assert.equal(links.prev, `${host.url}/v2/user?start-index=0&max-results=3`)
  assert.equal(links.next, `${host.url}/v2/user?start-index=5&max-results=3`)
  assert.equal(await failure(call('GET', '/user?max-results=1001')), 400)
})

test('webhooks of a room: made, listed, fired and removed by their own installation only', async () => {
  const path = `/room/${room.id}/webhook`
  const hook = { name: 'mine', event: 'room_message', pattern: '^!', url: `${addon.url}/dynamic?token=t` }
  const made = await call('POST', path, hook)
  assert.equal(made.status, 201)
  const { id } = (await made.json()) as { id: number }
  assert.equal(typeof id, 'number')
  const other = await tokenFor(host, await host.install(addon.descriptor, { group, room }))
  assert.deepEqual(names(await json(call('GET', path))), ['mine'])
  assert.deepEqual(names(await json(api(host, other, 'GET', path))), [])
  assert.equal(await failure(api(host, other, 'DELETE', `${path}/${id}`)), 404)
  await room.say(user, 'quiet')
  await room.say(user, '!loud')
  const received = addon.received('POST', '/dynamic')
  assert.deepEqual(
    received.map(({ body }) => [body.oauth_client_id, body.webhook_id]),
    [[installation.oauthId, id]],
  )
  assert.equal((await json(call('GET', `${path}/${id}`))).pattern, '^!')
  assert.equal((await call('DELETE', `${path}/${id}`)).status, 204)
  assert.deepEqual(names(await json(call('GET', path))), [])
  assert.equal(await failure(call('POST', path, { ...hook, pattern: '(' })), 400)
  assert.equal(await failure(call('POST', path, { ...hook, event: 'room_enter' })), 400)
})

test('a webhook by key is replaced by the next with that key', async () => {
  const path = `/room/${room.id}/extension/webhook/main`
  const hook = { name: 'one', event: 'room_enter', url: `${addon.url}/keyed` }
  assert.equal((await call('PUT', path, hook)).status, 201)
  assert.equal((await call('PUT', path, { ...hook, name: 'two' })).status, 201)
  assert.deepEqual(names(await json(call('GET', `/room/${room.id}/webhook`))), ['two'])
  assert.equal((await call('DELETE', path)).status, 204)
  assert.equal((await call('DELETE', path)).status, 404)
})

test('500 calls in 5 minutes per token, told in headers, refused beyond, and free again after', async () => {
  const first = await call('GET', '/probe')
  assert.equal(first.headers.get('x-ratelimit-limit'), '500')
  assert.equal(first.headers.get('x-ratelimit-remaining'), '499')
  assert.equal(first.headers.get('x-ratelimit-reset'), String(now / 1000 + 300))
  for (let i = 1; i < 500; i += 1) assert.equal((await call('GET', '/probe')).status, 200)
  const refused = await call('GET', '/probe')
  assert.equal(refused.status, 429)
  assert.equal(refused.headers.get('x-ratelimit-remaining'), '0')
  assert.equal((await api(host, await tokenFor(host, installation), 'GET', '/probe')).status, 200)
  now += 300_000
  assert.equal((await call('GET', '/probe')).status, 200)
})

test('flood control counts messages to one room', async () => {
  const send = () => call('POST', `/room/${room.id}/notification`, { message: 'hi' })
  for (let i = 0; i < 30; i += 1) assert.equal((await send()).status, 204)
  const refused = await send()
  assert.equal(refused.status, 429)
  assert.equal(refused.headers.get('x-floodcontrol-limit'), '30')
})

test('unknown paths and methods, and bodies that are not JSON or too large', async () => {
  assert.equal(await failure(call('GET', '/nothing')), 404)
  const wrongMethod = await call('PATCH', `/room/${room.id}`)
  assert.equal(wrongMethod.status, 405)
  assert.equal(wrongMethod.headers.get('allow'), 'GET, PUT, DELETE')
  const send = (body: string) =>
    fetch(`${host.url}/v2/room/${room.id}/topic`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}` },
      body,
    })
  assert.equal((await send('{')).status, 400)
  assert.equal((await send('x'.repeat(1_100_000))).status, 413)
})

test('an installation that is gone has no token left', async () => {
  await installation.uninstall()
  assert.equal(await failure(call('GET', '/probe')), 401)
})

test('listeners hear of requests without tokens in their paths', async () => {
  const heard: unknown[] = []
  const stop = host.on('request', one => heard.push([one.method, one.path, one.status, one.oauthId]))
  await call('GET', `/oauth/token/${token}`)
  await fetch(`${host.url}/v2/probe?auth_token=${token}`)
  stop()
  await call('GET', '/probe')
  assert.deepEqual(heard, [
    ['GET', '/v2/oauth/token/:token', 200, installation.oauthId],
    ['GET', '/v2/probe', 200, installation.oauthId],
  ])
})

const items = (page: Json) => page.items as Json[]
const names = (page: Json) => items(page).map(item => item.name)
const messages = (page: Json) => items(page).map(item => item.message)
