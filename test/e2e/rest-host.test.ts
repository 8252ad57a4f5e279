// The REST client against the simulated host: what is said arrives, what is asked comes back, and its limits are kept.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TenantClient } from 'partywall'
import {
  type HipchatHost,
  type HostGroup,
  type HostRoom,
  type HostUser,
  type Installation,
  startHipchatHost,
} from 'partywall/host'
import { HIPCHAT_SCOPES } from '../../src/dialects/hipchat/options.ts'
import { type Caller, startCaller } from './rest-support.ts'

const CALLS = 200
const SENDINGS = 8

let host: HipchatHost
let caller: Caller
let group: HostGroup
let room: HostRoom
let ada: HostUser
let installation: Installation

before(async () => {
  host = await startHipchatHost({
    rateLimit: { calls: CALLS, windowSeconds: 300 },
    floodControl: { calls: SENDINGS, windowSeconds: 60 },
  })
  caller = await startCaller(host.url)
  group = host.createGroup({ name: 'Acme' })
  ada = group.createUser({ name: 'Ada', mentionName: 'ada', email: 'ada+tea@example.com' })
  room = group.createRoom({ name: 'A/B 茶 ..' })
  for (const n of [1, 2, 3, 4]) group.createRoom({ name: `Room ${n}` })
  installation = await host.install(`${caller.url}/addon/capabilities`, { group })
  assert.equal(installation.state, 'installed', JSON.stringify(installation.result))
})
after(async () => {
  await caller?.close()
  await host?.close()
})

const run = <T>(work: (client: TenantClient) => Promise<T>) => caller.run(installation.oauthId, work)

test('rooms and people are found by id, name, e-mail address and mention', async () => {
  await run(async client => {
    for (const name of [room.id, room.name]) assert.equal((await client.getRoom(name)).id, room.id)
    for (const name of [ada.id, '@ada', 'ada+tea@example.com']) assert.equal((await client.getUser(name)).name, 'Ada')
  })
})

test('every room over several pages', async () => {
  const names: string[] = []
  await run(async client => {
    for await (const { name } of client.items(client.getRooms({ maxResults: 2 }))) names.push(name)
  })
  assert.deepEqual(names, ['A/B 茶 ..', 'Room 1', 'Room 2', 'Room 3', 'Room 4'])
})

test('notifications, messages, replies and topics arrive, and the history gives them back', async () => {
  await run(async client => {
    const den = client.forRoom(room.name)
    await den.sendNotification('Hello', { format: 'text', color: 'green' })
    const posted = await den.sendRoomMessage('one')
    await den.replyToMessage(String(posted?.id), 'two')
    await den.setRoomTopic('tea')
    const { items } = await den.getRecentRoomHistory()
    assert.deepEqual(
      items.filter(item => item.type !== 'topic').map(item => item.message),
      ['Hello', 'one', 'two'],
    )
    const { message } = await den.getRoomMessage(String(posted?.id))
    assert.equal(typeof message === 'string' ? message : message.message, 'one')
    assert.equal((await den.getRoom()).topic, 'tea')
  })
})

test('members and private messages', async () => {
  await run(async client => {
    await client.addRoomMember(room.id, '@ada')
    assert.ok((await client.getRoomMembers(room.id)).items.some(user => user.id === ada.id))
    await client.removeRoomMember(room.id, 'ada+tea@example.com')
    assert.ok(!(await client.getRoomMembers(room.id)).items.some(user => user.id === ada.id))
    await client.forUser('@ada').sendPrivateMessage('psst', { format: 'text' })
  })
  assert.deepEqual(
    ada.messages.map(({ message }) => message),
    ['psst'],
  )
})

test('webhooks of a room, by id and by key', async () => {
  await run(async client => {
    const den = client.forRoom(room.id)
    const url = `${caller.url}/addon/webhook`
    const { id } = await den.createWebhook({ name: 'w', event: 'room_enter', url })
    assert.equal((await den.getWebhook(id)).event, 'room_enter')
    await den.deleteWebhook(id)
    await den.putRoomExtension('webhook', 'mine', { name: 'w', event: 'room_exit', url })
    assert.deepEqual(
      (await den.getWebhooks()).items.map(webhook => webhook.key),
      ['mine'],
    )
    await den.deleteRoomExtension('webhook', 'mine')
    assert.deepEqual((await den.getRoomWebhooks()).items, [])
  })
})

test('a session says what its token is good for; deleted, it is gone, and the next call gets another', async () => {
  await run(async client => {
    const token = await client.getToken('view_group')
    assert.deepEqual((await client.getSession(token)).scopes, ['view_group'])
    assert.equal((await client.getSession()).client?.id, installation.oauthId)
    await client.deleteSession(token)
    await assert.rejects(client.getSession(token), { code: 'ERR_HOST_RESPONSE' })
    assert.notEqual(await client.getToken('view_group'), token)
    assert.equal(await client.authTest(HIPCHAT_SCOPES.filter(scope => scope !== 'import_data')), true)
  })
})

test('rooms and people are made, changed and removed', async () => {
  await run(async client => {
    const { id } = await client.createRoom({ name: 'New', guestAccess: false })
    const made = client.forRoom(id)
    const owner = { id: ada.id }
    const update = {
      name: 'Newer',
      privacy: 'private',
      isArchived: false,
      isGuestAccessible: false,
      topic: '',
    } as const
    await made.updateRoom({ ...update, owner })
    assert.equal((await made.getRoom()).name, 'Newer')
    assert.equal(typeof (await made.getRoomStatistics()).messages_sent, 'number')
    await made.inviteToRoom('@ada', 'tea')
    await made.deleteRoom()
    await assert.rejects(made.getRoom(), { code: 'ERR_HOST_RESPONSE' })

    const user = await client.createUser({ name: 'Grace', email: 'grace@example.com', mentionName: 'grace' })
    const grace = client.forUser(user.id)
    await grace.updateUser({ name: 'Grace H', email: 'grace@example.com', title: 'Admiral' })
    assert.equal((await client.getUser('@grace')).title, 'Admiral')
    await grace.updateUserPhoto(Buffer.from('89504e470d0a1a0a', 'hex'))
    await grace.deleteUserPhoto()
    await grace.deleteUser()
  })
})

test('links, files, glances and extensions are taken', async () => {
  await run(async client => {
    const den = client.forRoom(room.id)
    await den.shareLinkWithRoom('https://a.example/page', 'see')
    await den.shareFileWithRoom({ name: 'tea.txt', content: 'hello', contentType: 'text/plain' }, 'see')
    await client.shareLinkWithUser(ada.id, 'https://a.example/page')
    await client.shareFileWithUser(ada.id, { name: 'a.txt', content: 'hello' })
    const shared = room.history.map(item => item.file?.name)
    assert.ok(shared.includes('tea.txt'), JSON.stringify(shared))
    const icon = { url: 'https://a.example/i.png', 'url@2x': 'https://a.example/i2.png' }
    const glance = { name: { value: 'Builds' }, icon, queryUrl: 'https://a.example/q' }
    await den.putRoomExtension('glance', 'builds', glance)
    await den.glancePushRoom([['builds', { label: '<b>5</b>' }]])
    await den.deleteRoomExtension('glance', 'builds')
    await client.putExtension('glance', 'all', glance)
    await client.glancePushGroup([['all', { label: '<b>5</b>' }]])
    await client.glancePushUser(ada.id, [['all', { label: '<b>6</b>' }]])
    await client.deleteExtension('glance', 'all')
    assert.ok((await client.getRecentPrivateChatHistory(ada.id)).items.length > 0)
    assert.ok(Array.isArray((await client.getEmoticons()).items))
    assert.ok((await den.getRoomParticipants()).items.length >= 0)
    assert.ok((await den.getRoomHistory({ maxResults: 1, reverse: false })).items.length > 0)
  })
})

test('the host’s own words and its limits are in the error', async () => {
  await run(async client => {
    const error = await client.getRoom('No such room').catch(caught => caught)
    assert.equal(error.code, 'ERR_HOST_RESPONSE')
    assert.deepEqual([error.details.status, error.details.hostMessage], [404, 'Room not found.'])
  })
})

test('too many messages to one room: said with the reset of that very limit, while other calls go on', async () => {
  const flooded = group.createRoom({ name: 'Flooded' })
  await run(async client => {
    const den = client.forRoom(flooded.id)
    for (let sent = 0; sent < SENDINGS; sent += 1) await den.sendNotification('Hello')
    assert.deepEqual([client.floodControl?.limit, client.floodControl?.remaining], [SENDINGS, 0])
    const error = await den.sendNotification('Hello again').catch(caught => caught)
    assert.deepEqual([error.code, error.status, error.details.floodRemaining], ['ERR_HOST_RATE_LIMITED', 503, 0])
    // The reset is told in whole seconds, rounded up.
    assert.ok(error.retryAfterSeconds > 2 && error.retryAfterSeconds <= 61, String(error.retryAfterSeconds))
    await den.getRoom()
    assert.equal(client.rateLimit?.limit, CALLS)
  })
  assert.equal(flooded.history.length, SENDINGS)
})
