// What events carry beyond the usual: who caused them, links, files, colors; and webhooks by key.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { ALL_SCOPES, type Json, startWorld, type World } from './world.ts'

const EVENTS = ['room_message', 'room_notification', 'room_topic_change', 'room_file_upload']

let world: World
before(async () => {
  world = await startWorld()
  const webhook = EVENTS.map(event => ({ event, url: `${world.addon.url}/${event}` }))
  const capabilities = { ...(world.addon.descriptor.capabilities as object), webhook }
  await world.host.install({ ...world.addon.descriptor, capabilities }, { group: world.group })
})
beforeEach(() => {
  world.addon.seen.length = 0
})
after(() => world.close())

/** The item of the one event that came. */
const heard = async (event: string): Promise<Json> => {
  await world.host.idle()
  const all = world.addon.received('POST', `/${event}`)
  assert.equal(all.length, 1, event)
  return (all[0]?.body.item ?? {}) as Json
}

test('a topic that an add-on changed has its OAuth client as sender', async () => {
  await world.status('PUT', `/room/${world.room.id}/topic`, { topic: 'by an add-on' })
  const { sender, topic, room } = await heard('room_topic_change')
  const { oauthId } = world.installation
  assert.deepEqual(sender, {
    id: oauthId,
    name: 'Fake',
    allowed_scopes: ALL_SCOPES,
    links: { self: `${world.host.url}/v2/oauth/client/${oauthId}` },
  })
  assert.deepEqual([topic, (room as Json).id], ['by an add-on', world.room.id])
})

test('a message of an add-on is from its label, and names mentions and links', async () => {
  await world.status('POST', `/room/${world.room.id}/message`, { message: '@ann https://example.com/' })
  const message = (await heard('room_message')).message as Json
  assert.deepEqual(
    [message.from, message.type, (message.mentions as Json[])[0]?.id, message.message_links],
    ['Faker', 'message', world.user.id, [{ type: 'link', url: 'https://example.com/' }]],
  )
})

test('a notification has its format and color', async () => {
  const body = { message: 'hi', color: 'purple', message_format: 'text', from: 'Bot' }
  await world.status('POST', `/room/${world.room.id}/notification`, body)
  const message = (await heard('room_notification')).message as Json
  assert.deepEqual(
    [message.from, message.color, message.message_format, message.type, message.mentions],
    ['Bot', 'purple', 'text', 'notification', []],
  )
})

test('a file that a user uploaded comes as its own event and in the message', async () => {
  const thumbUrl = 'https://files.example.com/t.png'
  const file = { name: 'a.png', size: 3, url: 'https://files.example.com/a.png' }
  await world.room.uploadFile(world.user, { ...file, thumbUrl, message: 'look' })
  const [item, { message }] = [await heard('room_file_upload'), await heard('room_message')]
  assert.deepEqual([item.file, (item.sender as Json).id], [{ ...file, thumb_url: thumbUrl }, world.user.id])
  assert.deepEqual([(message as Json).message, (message as Json).file], ['look', item.file])
})

test('a guest’s message is a guest’s', async () => {
  const guest = world.group.createUser({ name: 'A guest', mentionName: 'guest', isGuest: true })
  await world.room.say(guest, 'hello')
  assert.equal(((await heard('room_message')).message as Json).type, 'guest_access')
})

test('a webhook by key hears its room, is signed if it wants to be, and stops when it is removed', async () => {
  const path = `/room/${world.room.id}/extension/webhook/mine`
  const body = {
    event: 'room_message',
    url: `${world.addon.url}/keyed`,
    pattern: '(?i)^/X\\x{0041}',
    authentication: 'jwt',
  }
  assert.equal(await world.status('PUT', path, body), 201)
  await world.room.say(world.user, '/xa now')
  await world.room.say(world.user, 'say /xa')
  const [seen, ...more] = world.addon.received('POST', '/keyed')
  assert.match(seen?.headers.authorization ?? '', /^JWT /)
  assert.equal(more.length, 0)
  assert.equal(await world.status('DELETE', path), 204)
  await world.room.say(world.user, '/xa again')
  assert.equal(world.addon.received('POST', '/keyed').length, 1)
})

test('a reply with tags that rooms do not show is not posted', async () => {
  const capabilities = {
    ...(world.addon.descriptor.capabilities as object),
    webhook: [{ event: 'room_enter', url: `${world.addon.url}/entered` }],
  }
  await world.host.install({ ...world.addon.descriptor, capabilities }, { group: world.group })
  world.addon.answers.set('POST /entered', () => ({ status: 200, json: { message: '<script>x</script>' } }))
  const before = world.room.history.length
  assert.equal((await world.room.enter(world.user))[0]?.reply, 'ignored')
  assert.equal(world.room.history.length, before)
})
