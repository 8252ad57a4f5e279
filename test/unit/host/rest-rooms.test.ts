// Rooms over REST: listing, making, changing, deleting; what others hear of it; statistics, invitations, expand.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { api, tokenFor } from './fake-addon.ts'
import { items, type Json, names, startWorld, type World } from './world.ts'

let world: World
before(async () => {
  world = await startWorld()
})
beforeEach(() => {
  world.addon.seen.length = 0
})
after(() => world.close())

let count = 0
const newRoom = (spec: Json = {}) => world.group.createRoom({ name: `Room ${++count}`, ...spec })
const full = (room: { readonly name: string; readonly owner: { readonly id: number } }, change: Json = {}) => ({
  name: room.name,
  privacy: 'public',
  is_archived: false,
  is_guest_accessible: false,
  topic: '',
  owner: { id: room.owner.id },
  ...change,
})

test('a room is made with its owner, and found by id and by name', async () => {
  const body = { name: 'War & peace/1', topic: 'Both', privacy: 'private', guest_access: true }
  const made = await world.json(201, 'POST', '/room', { ...body, owner_user_id: world.user.id })
  const found = await world.json(200, 'GET', `/room/${encodeURIComponent('War & peace/1')}`)
  assert.deepEqual(made, { id: found.id, links: { self: `${world.host.url}/v2/room/${found.id}` } })
  assert.deepEqual(
    [found.topic, found.privacy, found.is_guest_accessible, typeof found.guest_access_url, (found.owner as Json).id],
    ['Both', 'private', true, 'string', world.user.id],
  )
  assert.match(String(found.created), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/)
  assert.deepEqual(found.statistics, { links: { self: `${world.host.url}/v2/room/${found.id}/statistics` } })
})

for (const [what, body] of [
  ['without a name', {}],
  ['with a name that is taken', { name: 'Lobby' }],
  ['with a name of 51 characters', { name: 'x'.repeat(51) }],
  ['with an unknown privacy', { name: 'A', privacy: 'secret' }],
  ['with a topic of 251 characters', { name: 'A', topic: 'x'.repeat(251) }],
  ['with an owner who is nobody', { name: 'A', owner_user_id: 1 }],
] as const) {
  test(`a room ${what} is refused and not made`, async () => {
    const before = world.group.rooms.length
    assert.equal(await world.status('POST', '/room', body), 400)
    assert.equal(world.group.rooms.length, before)
  })
}

test('a list leaves out archived rooms, and private ones if asked to', async () => {
  const [hidden, old] = [newRoom({ privacy: 'private' }), newRoom()]
  await old.archive(world.user)
  const listed = async (query: string) => names(await world.json(200, 'GET', `/room?max-results=1000${query}`))
  assert.deepEqual([(await listed('')).includes(hidden.name), (await listed('')).includes(old.name)], [true, false])
  assert.equal((await listed('&include-private=false')).includes(hidden.name), false)
  assert.equal((await listed('&include-archived=true')).includes(old.name), true)
  assert.equal(await world.status('GET', '/room?include-archived=perhaps'), 400)
})

test('a list comes in pages of 1 to 1,000 that lead to each other', async () => {
  for (let i = 0; i < 3; i += 1) newRoom()
  const first = await world.json(200, 'GET', '/room?max-results=2')
  const { next } = first.links as Record<string, string>
  const second = await world.json(200, 'GET', (next ?? '').replace(`${world.host.url}/v2`, ''))
  assert.equal(items(first).length, 2)
  assert.equal(new Set([...names(first), ...names(second)]).size, items(first).length + items(second).length)
  for (const query of ['max-results=0', 'max-results=1001', 'max-results=x', 'start-index=-1']) {
    assert.equal(await world.status('GET', `/room?${query}`), 400, query)
  }
})

test('an update changes the whole room, and needs every field', async () => {
  const room = newRoom()
  const change = { privacy: 'private', is_guest_accessible: true, topic: 'New', owner: { id: world.user.id } }
  assert.equal(await world.status('PUT', `/room/${room.id}`, full(room, { name: 'Renamed', ...change })), 204)
  assert.deepEqual(
    [room.name, room.privacy, room.isGuestAccessible, room.topic, room.owner],
    ['Renamed', 'private', true, 'New', world.user],
  )
  for (const field of Object.keys(full(room))) {
    assert.equal(await world.status('PUT', `/room/${room.id}`, full(room, { [field]: undefined })), 400, field)
  }
  assert.equal(await world.status('PUT', `/room/${room.id}`, full(room, { name: 'Lobby' })), 400)
  assert.equal(room.name, 'Renamed')
})

test('others hear what an add-on does to rooms, with the add-on as sender; it does not hear itself', async () => {
  const events = ['room_created', 'room_topic_change', 'room_archived', 'room_unarchived', 'room_deleted']
  const webhook = events.map(event => ({ event, url: `${world.addon.url}/${event}` }))
  const capabilities = { ...(world.addon.descriptor.capabilities as object), webhook }
  const actor = await world.host.install({ ...world.addon.descriptor, capabilities }, { group: world.group })
  const listener = await world.host.install({ ...world.addon.descriptor, capabilities }, { group: world.group })
  const token = await tokenFor(world.host, actor)
  const call = (method: string, path: string, body?: unknown) => api(world.host, token, method, path, body)
  const made = (await (await call('POST', '/room', { name: 'Heard of' })).json()) as { id: number }
  const state = { name: 'Heard of', owner: world.user }
  await call('PUT', `/room/${made.id}`, full(state, { topic: 'T', is_archived: true }))
  await call('PUT', `/room/${made.id}`, full(state, { topic: 'T' }))
  await call('DELETE', `/room/${made.id}`)
  await world.host.idle()
  for (const event of events) {
    const [heard, ...more] = world.addon.received('POST', `/${event}`)
    assert.deepEqual([heard?.body.oauth_client_id, more.length], [listener.oauthId, 0], event)
    const { sender } = (heard?.body.item ?? {}) as { sender: Json }
    assert.deepEqual([sender.id, sender.name, Array.isArray(sender.allowed_scopes)], [actor.oauthId, 'Fake', true])
  }
  assert.equal(await world.status('GET', `/room/${made.id}`), 404)
  await actor.uninstall({ tellAddon: false })
  await listener.uninstall({ tellAddon: false })
})

test('an archived room can be read and changed, but not spoken in', async () => {
  const room = newRoom()
  await room.archive(world.user)
  assert.equal(await world.status('GET', `/room/${room.id}`), 200)
  assert.equal(await world.status('POST', `/room/${room.id}/message`, { message: 'hi' }), 403)
  assert.equal(await world.status('PUT', `/room/${room.id}/topic`, { topic: 'hi' }), 403)
  assert.equal(await world.status('PUT', `/room/${room.id}`, full(room)), 204)
  assert.equal(room.isArchived, false)
})

test('statistics count what was said', async () => {
  const room = newRoom()
  assert.equal((await world.json(200, 'GET', `/room/${room.id}/statistics`)).last_active, null)
  const { message } = await room.say(world.user, 'hi')
  const { links, ...numbers } = await world.json(200, 'GET', `/room/${room.id}/statistics`)
  assert.deepEqual(numbers, { messages_sent: 1, last_active: message.date })
})

test('an invitation reaches the user with its reason', async () => {
  const room = newRoom()
  assert.equal(await world.status('POST', `/room/${room.id}/invite/${world.user.id}`, { reason: 'Tea' }), 204)
  const { oauthId } = world.installation
  assert.deepEqual(world.user.invitations.at(-1), { room, reason: 'Tea', oauthId })
  assert.equal(await world.status('POST', `/room/${room.id}/invite/1`, { reason: 'Tea' }), 404)
  assert.equal(await world.status('POST', `/room/${room.id}/invite/${world.user.id}`, { reason: 1 }), 400)
})

test('an installation of one room makes no rooms and touches no others', async () => {
  const inRoom = await world.host.install(world.addon.descriptor, { group: world.group, room: world.room })
  const token = await tokenFor(world.host, inRoom)
  const other = newRoom()
  const status = async (method: string, path: string, body?: unknown) =>
    (await api(world.host, token, method, path, body)).status
  assert.equal(await status('POST', '/room', { name: 'Mine' }), 403)
  assert.equal(await status('DELETE', `/room/${other.id}`), 403)
  assert.equal(await status('PUT', `/room/${other.id}`, full(other)), 403)
  assert.equal(await status('POST', '/user', { name: 'A', email: 'a@example.com' }), 403)
  assert.equal(other.isDeleted, false)
})

test('expand puts whole entities where references are, on every name of a path', async () => {
  const room = newRoom({ owner: world.user })
  await room.enter(world.user)
  const one = await world.json(200, 'GET', `/room/${room.id}?expand=owner,participants,statistics,nothing.there`)
  assert.equal((one.owner as Json).email, 'ann@example.com')
  assert.equal((one.participants as Json[])[0]?.email, 'ann@example.com')
  assert.equal((one.statistics as Json).messages_sent, 0)
  const page = await world.json(200, 'GET', '/room?max-results=1000&expand=items.owner,items.participants')
  const last = items(page).find(item => item.id === room.id) ?? {}
  assert.deepEqual(
    [(last.owner as Json).email, (last.participants as Json[])[0]?.email],
    Array(2).fill('ann@example.com'),
  )
  const [user] = items(await world.json(200, 'GET', '/user?expand=items'))
  assert.equal(typeof user?.timezone, 'string')
  assert.equal(await world.status('GET', `/room?expand=${'a,'.repeat(10)}a`), 400)
  assert.equal(await world.status('GET', '/room?expand=a.b.c.d.e'), 400)
})
