// What webhooks bring, from a simulated host to handlers over everything real: all ten events, names, patterns, replies.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HipchatApp, HipchatWebhookContext } from 'partywall'
import { regExpToPattern } from 'partywall/hipchat'
import { type HipchatHost, type HostGroup, type HostRoom, type Installation, startHipchatHost } from 'partywall/host'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type RunningApp, startHipchatApp } from '../support/hipchat-app.ts'
import { eventually } from './hipchat-support.ts'

const EVENTS = [
  ...(['room_created', 'room_enter', 'room_exit', 'room_message', 'room_notification', 'room_topic_change'] as const),
  ...(['room_file_upload', 'room_archived', 'room_unarchived', 'room_deleted'] as const),
]
const SCOPES = ['send_notification', 'admin_room'] as const

let database: TestDatabase
let host: HipchatHost
let running: RunningApp<HipchatApp>
const seen: HipchatWebhookContext[] = []
const matches: string[] = []

before(async () => {
  database = await createTestDatabase()
  host = await startHipchatHost({ rateLimit: false })
  running = await startHipchatApp({ database, hosts: [host] }, app => {
    const addon = app.hipchat({ name: 'Listener', scopes: SCOPES })
    for (const event of EVENTS) addon.webhook(event, context => seen.push(context), { name: event })
    return withPatterns(addon)
  })
})
after(async () => {
  await running?.close()
  await host?.close()
  await database?.close()
})

function withPatterns(addon: HipchatApp): HipchatApp {
  const card = { style: 'application', id: 'c1', title: 'Tea' }
  addon
    .webhook('room_message', /\bA\b/g, () => matches.push('A'))
    .webhook('room_message', /\bB\b/gy, () => matches.push('B'))
    .webhook('room_message', /^order (?<what>\w+)(?: (\d+))?$/i, context => matches.push(JSON.stringify(context.match)))
    .webhook('room_message', /^say text$/, () => 'just text', { reply: true })
    .webhook(
      'room_message',
      /^say more$/,
      () => ({ message: 'more', format: 'text', color: 'green', notify: true, from: 'Me' }),
      {
        reply: true,
      },
    )
    .webhook('room_message', /^say card$/, () => ({ message: 'fallback', card, attachTo: 'm1' }), { reply: true })
    .webhook('room_message', /^say nothing$/, () => undefined, { reply: true })
  return addon
}

interface Place {
  readonly group: HostGroup
  readonly room: HostRoom
  readonly installation: Installation
}

async function place(name: string, where: 'room' | 'group' = 'room'): Promise<Place> {
  const group = host.createGroup({ name })
  const room = group.createRoom({ name: `${name} room` })
  const target = where === 'room' ? { group, room } : { group }
  const installation = await host.install(`${running.url}/addon/capabilities`, target)
  assert.equal(installation.state, 'installed', JSON.stringify(installation.result))
  return { group, room, installation }
}

const services = <T>({ oauthId }: Installation, work: (of: ReturnType<HipchatApp['services']>) => Promise<T>) =>
  running.app.runAs({ dialect: 'hipchat', id: oauthId }, context => work(running.built.services(context)))

const heard = (
  event: string,
  { oauthId }: Installation,
  where: (context: HipchatWebhookContext) => boolean = () => true,
) => eventually(() => seen.find(one => one.event === event && one.tenant.id === oauthId && where(one)), event)

test('every event of a host brings its parts', async () => {
  const { group, room: first, installation } = await place('Events', 'group')
  const other = await host.install(`${running.url}/addon/capabilities`, { group, room: first })
  const ada = group.createUser({ name: 'Ada', mentionName: 'ada' })
  const room = group.createRoom({ name: 'Den', owner: ada })
  assert.equal((await heard('room_created', installation)).sender?.name, 'Ada')
  await room.enter(ada)
  await room.say(ada, 'good morning')
  await room.setTopic(ada, 'tea')
  const file = { name: 'a.png', size: 5, url: 'https://files.example/a.png' }
  await room.uploadFile(ada, file)
  await room.exit(ada)
  await services(other, async ({ tenantClient }) => {
    await tenantClient.sendNotification(first.id, '<b>built</b>', { from: 'Builds' })
    await tenantClient.setRoomTopic(first.id, 'coffee')
  })
  await room.archive(ada)
  await room.unarchive(ada)
  await room.delete(ada)
  for (const event of ['room_enter', 'room_exit', 'room_archived', 'room_unarchived', 'room_deleted']) {
    const context = await heard(event, installation)
    assert.deepEqual(
      [context.sender?.name, context.room?.id, context.roomClient.room],
      ['Ada', room.id, room.id],
      event,
    )
  }
  const message = await heard('room_message', installation, one => one.content === 'good morning')
  assert.deepEqual([message.sender?.name, message.message?.message, message.match], ['Ada', 'good morning', undefined])
  const notification = await heard('room_notification', installation)
  assert.deepEqual([notification.sender, notification.content], [{ name: 'Builds' }, '<b>built</b>'])
  const byUser = await heard('room_topic_change', installation, one => one.topic === 'tea')
  assert.equal(byUser.sender?.name, 'Ada')
  const byClient = await heard('room_topic_change', installation, one => one.topic === 'coffee')
  assert.deepEqual([byClient.sender?.id, byClient.sender?.name], [other.oauthId, 'Listener'])
  const upload = await heard('room_file_upload', installation)
  assert.deepEqual([upload.file?.name, upload.file?.url, upload.sender?.name], ['a.png', file.url, 'Ada'])
  assert.ok(seen.every(context => typeof context.webhookId === 'number' && context.webhook !== undefined))
})

test('a topic changed by a bare name, and a message of something that is no user, have a sender by that name', async () => {
  const { room, installation } = await place('Names')
  const deliver = (event: string, item: object) =>
    post(installation, `?name=${event}`, {
      event,
      oauth_client_id: installation.oauthId,
      webhook_id: 7,
      item: { room: { id: room.id }, ...item },
    })
  assert.equal(await deliver('room_topic_change', { sender: 'Bridge', topic: 'rain' }), 204)
  assert.equal(await deliver('room_message', { message: { message: 'x', from: 'Jenkins' } }), 204)
  assert.deepEqual((await heard('room_topic_change', installation)).sender, { name: 'Bridge' })
  assert.deepEqual((await heard('room_message', installation)).sender, { name: 'Jenkins' })
})

test('a message that two patterns match arrives twice and runs each handler once, with g as without (defect 15)', async () => {
  const { group, room, installation } = await place('Twice')
  for (const round of [1, 2, 3]) {
    matches.length = 0
    const { deliveries } = await room.say(group.owner, 'B, then A')
    assert.equal(deliveries.filter(one => one.webhook.pattern !== undefined).length, 2, `round ${round}`)
    await settled(installation)
    assert.deepEqual(matches.toSorted(), ['A', 'B'])
  }
})

test('the match is what RegExp.exec gives', async () => {
  const { group, room } = await place('Match')
  for (const text of ['Order TEA 2', 'order tea']) {
    matches.length = 0
    await room.say(group.owner, text)
    await eventually(() => matches[0], text)
    assert.equal(matches[0], JSON.stringify(/^order (?<what>\w+)(?: (\d+))?$/i.exec(text)))
  }
})

test('every shape of a reply is posted to the room', async () => {
  const { group, room } = await place('Reply')
  for (const word of ['text', 'more', 'card', 'nothing']) await room.say(group.owner, `say ${word}`)
  const posted = await eventually(() => {
    const all = room.history.filter(item => item.type === 'notification')
    return all.length >= 3 ? all : undefined
  }, 'three replies')
  assert.deepEqual(
    posted.map(({ message, message_format, color, notify, from, card, attach_to }) => ({
      message,
      message_format,
      color,
      notify,
      from,
      card,
      attach_to,
    })),
    [
      {
        message: 'just text',
        message_format: 'html',
        color: 'yellow',
        notify: false,
        from: 'Listener',
        card: undefined,
        attach_to: undefined,
      },
      {
        message: 'more',
        message_format: 'text',
        color: 'green',
        notify: true,
        from: 'Me',
        card: undefined,
        attach_to: undefined,
      },
      {
        message: 'fallback',
        message_format: 'html',
        color: 'yellow',
        notify: false,
        from: 'Listener',
        card: { style: 'application', id: 'c1', title: 'Tea' },
        attach_to: 'm1',
      },
    ],
  )
})

test('a delivery whose address names no webhook goes to each of its event once', async () => {
  const { room, installation } = await place('Unnamed')
  matches.length = 0
  const item = { room: { id: room.id }, message: { message: 'A and B', from: 'Grace' } }
  const body = { event: 'room_message', oauth_client_id: installation.oauthId, webhook_id: 7, item }
  assert.equal(await post(installation, '', body), 204)
  await settled(installation)
  const runs = seen.filter(one => one.tenant.id === installation.oauthId && one.event === 'room_message').length
  assert.deepEqual([matches.toSorted(), runs], [['A', 'B'], 1])
})

test('B7 webhooks.normalize, webhooks.digest: names of webhooks stay the same over restarts and change with what they say', async () => {
  const namesOf = async (event: 'room_message' | 'room_enter', pattern?: RegExp, name?: string) => {
    const made = await startHipchatApp({ database, hosts: [] }, app => {
      const addon = app.hipchat({ name: 'Names', scopes: ['view_room'] })
      const options = name === undefined ? {} : { name }
      if (pattern === undefined) addon.webhook(event, () => undefined, options)
      else addon.webhook(event, pattern, () => undefined, options)
      return addon.descriptor
    })
    await made.close()
    const { webhook } = made.built.capabilities as unknown as {
      webhook: { name: string; url: string; pattern?: string }[]
    }
    const [only] = webhook
    assert.equal(new URL(only?.url ?? '').searchParams.get('name'), only?.name)
    assert.equal(only?.pattern, pattern && regExpToPattern(pattern))
    return only?.name
  }
  const tea = await namesOf('room_message', /^tea$/)
  assert.match(tea ?? '', /^[0-9a-f]{40}$/)
  assert.equal(await namesOf('room_message', /^tea$/g), tea)
  const others = [
    await namesOf('room_message', /^tea$/i),
    await namesOf('room_message', /^te$/),
    await namesOf('room_message'),
    await namesOf('room_enter'),
  ]
  assert.equal(new Set([tea, ...others]).size, 5)
  assert.equal(await namesOf('room_message', /^tea$/, 'tea'), 'tea')
})

/** Every accepted delivery has run. */
const settled = ({ oauthId }: Installation) =>
  running.app.runAs({ dialect: 'hipchat', id: oauthId }, ({ tenantUid }) =>
    running.app.deliveries.idle(tenantUid, 10_000),
  )

async function post(installation: Installation, query: string, body: object): Promise<number> {
  const headers = { 'content-type': 'application/json', authorization: `JWT ${installation.signRequest()}` }
  const response = await fetch(`${running.url}/addon/webhook${query}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  })
  return response.status
}
