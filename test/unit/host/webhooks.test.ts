// Webhooks: payloads of all ten events, tokens checked by a second implementation, patterns, retries, replies.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { jwtVerify } from 'jose'
import {
  type HipchatHost,
  type HostGroup,
  type HostRoom,
  type HostUser,
  startHipchatHost,
} from '../../../src/host/index.ts'
import { parsePattern } from '../../../src/host/webhooks/pattern.ts'
import { api, type FakeAddon, startFakeAddon, tokenFor } from './fake-addon.ts'

const EVENTS = [
  'room_archived',
  'room_created',
  'room_deleted',
  'room_enter',
  'room_exit',
  'room_file_upload',
  'room_message',
  'room_notification',
  'room_topic_change',
  'room_unarchived',
]

let now = Date.parse('2026-11-22T10:00:00Z')
let host: HipchatHost
let addon: FakeAddon
let group: HostGroup
let room: HostRoom
let user: HostUser

before(async () => {
  addon = await startFakeAddon()
})
beforeEach(async () => {
  host = await startHipchatHost({ clock: { now: () => now }, retryDelaysMs: [1_000, 60_000] })
  addon.answers.clear()
  addon.seen.length = 0
  group = host.createGroup({ name: 'Acme' })
  user = group.createUser({ name: 'Ann Other', mentionName: 'ann', timezone: 'Europe/Berlin' })
  room = group.createRoom({ name: 'Lobby', privacy: 'private', owner: user })
})
afterEach(() => host.close())
after(() => addon.close())

const withWebhooks = (...webhook: object[]) => {
  const hooks = webhook.map(one => ({ url: `${addon.url}/hook`, event: 'room_message', ...one }))
  return { ...addon.descriptor, capabilities: { ...(addon.descriptor.capabilities as object), webhook: hooks } }
}
const hooks = (path = '/hook') => addon.received('POST', path)

test('a message arrives with room, sender, mentions, and the numeric id of the webhook', async () => {
  const installation = await host.install(withWebhooks({}), { group, room })
  const { message, deliveries } = await room.say(user, 'hello @ann and @nobody')
  assert.equal(hooks().length, 1)
  const me = {
    id: user.id,
    name: 'Ann Other',
    mention_name: 'ann',
    version: message.from && (message.from as { version: string }).version,
    links: { self: `${host.url}/v2/user/${user.id}` },
  }
  const self = `${host.url}/v2/room/${room.id}`
  const item = hooks()[0]?.body.item as { room: { version: string } } | undefined
  assert.deepEqual(hooks()[0]?.body, {
    event: 'room_message',
    oauth_client_id: installation.oauthId,
    webhook_id: installation.webhooks[0]?.id,
    item: {
      room: {
        id: room.id,
        name: 'Lobby',
        privacy: 'private',
        is_archived: false,
        version: item?.room.version,
        links: { self, webhooks: `${self}/webhook`, participants: `${self}/participant`, members: `${self}/member` },
      },
      message: {
        id: message.id,
        date: '2026-11-22T10:00:00.000000+00:00',
        from: me,
        mentions: [me],
        message: 'hello @ann and @nobody',
        type: 'message',
      },
    },
  })
  assert.equal(typeof installation.webhooks[0]?.id, 'number')
  assert.equal(hooks()[0]?.headers.authorization, undefined)
  assert.equal(deliveries[0]?.status, 'delivered')
})

test('all ten events reach whoever asked for them', async () => {
  await host.install(withWebhooks(...EVENTS.map(event => ({ event, url: `${addon.url}/${event}` }))), { group })
  const other = await host.install({ ...addon.descriptor, key: 'other' }, { group, room })
  await room.enter(user)
  await room.say(user, 'hi')
  await room.setTopic(user, 'news')
  await room.uploadFile(user, { name: 'a.txt', size: 3, url: 'http://files.invalid/a.txt' })
  await api(host, await tokenFor(host, other), 'POST', `/room/${room.id}/notification`, { message: 'note' })
  await room.archive(user)
  await room.unarchive(user)
  await room.exit(user)
  group.createRoom({ name: 'New' })
  await room.delete(user)
  await host.idle()
  const item = (event: string) => hooks(`/${event}`)[0]?.body.item as Record<string, Record<string, unknown>>
  for (const event of EVENTS) {
    assert.equal(hooks(`/${event}`)[0]?.body.event, event)
    assert.equal(typeof item(event).room?.id, 'number')
  }
  for (const event of ['room_enter', 'room_exit', 'room_topic_change', 'room_file_upload', 'room_archived']) {
    assert.equal(item(event).sender?.mention_name, 'ann', event)
  }
  assert.equal(item('room_topic_change').topic, 'news')
  assert.deepEqual(item('room_file_upload').file, { name: 'a.txt', size: 3, url: 'http://files.invalid/a.txt' })
  assert.equal(item('room_notification').message?.from, 'Faker')
  assert.equal(item('room_notification').message?.type, 'notification')
  assert.equal(item('room_created').room?.name, 'New')
})

test('a signed webhook carries a token that another implementation verifies, with the documented claims', async () => {
  const installation = await host.install(withWebhooks({ authentication: 'jwt' }), { group, room })
  await room.say(user, 'hi')
  const [scheme, token = ''] = hooks()[0]?.headers.authorization?.split(' ') ?? []
  assert.equal(scheme, 'JWT')
  const { payload, protectedHeader } = await jwtVerify(token, Buffer.from(installation.oauthSecret), {
    algorithms: ['HS256'],
    currentDate: new Date(now),
  })
  assert.deepEqual(protectedHeader, { alg: 'HS256', typ: 'JWT' })
  const { jti, ...claims } = payload
  assert.match(jti ?? '', /^[A-Za-z0-9]{20}$/)
  assert.deepEqual(claims, {
    iss: installation.oauthId,
    sub: user.id,
    prn: String(user.id),
    iat: now / 1000,
    exp: now / 1000 + 3600,
    context: { room_id: room.id, user_tz: 'Europe/Berlin', tz: 'Europe/Berlin' },
  })
})

test('a page address carries a token of its user and the theme', async () => {
  const installation = await host.install(addon.descriptor, { group, room })
  const page = new URL(installation.pageUrl('/configure?tab=1', { user, theme: 'dark' }))
  assert.equal(page.origin + page.pathname, `${addon.url}/configure`)
  assert.equal(page.searchParams.get('theme'), 'dark')
  assert.equal(page.searchParams.get('tab'), '1')
  const token = page.searchParams.get('signed_request') ?? ''
  const { payload } = await jwtVerify(token, Buffer.from(installation.oauthSecret), { currentDate: new Date(now) })
  assert.deepEqual(payload.context, { room_id: room.id, user_tz: 'Europe/Berlin', tz: 'Europe/Berlin' })
  const bare = installation.signRequest({ exp: undefined, iss: 'someone' }, { user: null })
  const claims = JSON.parse(Buffer.from(bare.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>
  assert.deepEqual(Object.keys(claims), ['iss', 'iat', 'jti', 'context'])
})

test('messages are matched by the host, anywhere in the text, in its own dialect', async () => {
  await host.install(withWebhooks({ pattern: '(?i)^/HELLO' }), { group, room })
  await room.say(user, 'well, /hello')
  assert.equal(hooks().length, 0)
  await room.say(user, '/hello there')
  assert.equal(hooks().length, 1)
})

for (const [pattern, text, expected] of [
  ['b+', 'abba', true],
  ['^b', 'abba', false],
  ['(?i)ABBA', 'abba', true],
  ['(?iu)ABBA', 'abba', true],
  ['caf\\x{00e9}', 'café', true],
  ['a\\Z', 'ba', true],
  ['a\\\\Z', 'a\\Z', true],
  ['(?P<name>a)', 'a', true],
  ['(?m)^b$', 'a\nb', true],
] as const) {
  test(`the pattern ${pattern} ${expected ? 'matches' : 'does not match'} ${JSON.stringify(text)}`, () => {
    const parsed = parsePattern(pattern)
    assert.ok(parsed.ok)
    assert.equal(parsed.matches(text), expected)
  })
}
for (const pattern of ['(?g)a', '(?x)a b', '(a', 'a(?=b)', '(a)\\1']) {
  test(`the pattern ${pattern} is refused with a reason`, () => assert.equal(parsePattern(pattern).ok, false))
}

test('a delivery that fails is tried again with the same body and jti, each time later, and then given up', async () => {
  await host.install(withWebhooks({ authentication: 'jwt' }), { group, room })
  addon.answers.set('POST /hook', () => ({ status: 500 }))
  const [delivery] = (await room.say(user, 'hi')).deliveries
  assert.equal(delivery?.nextAttemptAt, now + 1_000)
  assert.deepEqual(await host.retryPending({ onlyDue: true }), [])
  now += 1_000
  assert.deepEqual(await host.retryPending({ onlyDue: true }), [delivery])
  assert.equal(delivery?.nextAttemptAt, now + 60_000)
  await host.retryPending()
  assert.equal(delivery?.status, 'failed')
  assert.deepEqual(await host.retryPending(), [])
  const ids = hooks().map(({ headers }) => {
    const payload = headers.authorization?.split('.')[1] ?? ''
    return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { jti: string }).jti
  })
  assert.deepEqual(ids, [delivery?.id, delivery?.id, delivery?.id])
  assert.equal(new Set(hooks().map(({ body }) => JSON.stringify(body))).size, 1)
})

test('a delivery that succeeds later is delivered, after error statuses', async () => {
  await host.install(withWebhooks({}), { group, room })
  const answers = [{ status: 503 }, { status: 302 }, { status: 204 }]
  addon.answers.set('POST /hook', () => answers.shift() ?? { status: 204 })
  const [delivery] = (await room.say(user, 'hi')).deliveries
  await host.retryPending()
  await host.retryPending()
  assert.equal(delivery?.status, 'delivered')
  assert.deepEqual(
    delivery?.attempts.map(({ status, failure }) => status ?? failure),
    [503, 302, 204],
  )
})

for (const [what, failure, url] of [
  ['does not answer in time', 'timeout', undefined],
  ['cannot be reached', 'unreachable', 'http://127.0.0.1:1/hook'],
] as const) {
  test(`a delivery waits for another attempt when the add-on ${what}`, async () => {
    const hasty = await startHipchatHost({
      clock: { now: () => now },
      webhookTimeoutMs: failure === 'timeout' ? 200 : 10_000,
    })
    try {
      addon.answers.set('POST /hook', () => new Promise<never>(() => undefined))
      const own = hasty.createGroup({ name: 'Hasty' })
      await hasty.install(withWebhooks(url === undefined ? {} : { url }), { group: own })
      const [delivery] = (await own.createRoom({ name: 'Lobby' }).say(own.owner, 'hi')).deliveries
      assert.equal(delivery?.status, 'pending')
      assert.deepEqual(delivery?.attempts, [{ at: now, status: undefined, failure }])
    } finally {
      await hasty.close()
    }
  })
}

test('with the clock of the machine, retries happen by themselves', async () => {
  const live = await startHipchatHost({ retryDelaysMs: [5, 5, 5] })
  try {
    const own = live.createGroup({ name: 'Live' })
    const lobby = own.createRoom({ name: 'Lobby' })
    await live.install(withWebhooks({}), { group: own, room: lobby })
    const answers = [500, 500]
    addon.answers.set('POST /hook', () => ({ status: answers.shift() ?? 204 }))
    const delivered = new Promise<void>(resolve => {
      live.on('delivery', one => one.status === 'delivered' && resolve())
    })
    await lobby.say(own.owner, 'hi')
    await delivered
    assert.equal(hooks().length, 3)
  } finally {
    await live.close()
  }
})

test('a 200 with a notification is posted to the room; 204 and anything else post nothing', async () => {
  const installation = await host.install(withWebhooks({}), { group, room })
  const answers = [
    { status: 200, json: { message: 'pong', color: 'green' } },
    { status: 204 },
    { status: 200, json: { pong: true } },
    { status: 201, json: { message: 'pong' } },
  ]
  addon.answers.set('POST /hook', () => answers.shift() ?? { status: 204 })
  const replies = []
  for (let i = 0; i < 4; i += 1) replies.push((await room.say(user, 'ping')).deliveries[0]?.reply)
  assert.deepEqual(replies, ['posted', undefined, 'ignored', undefined])
  const posted = room.history.filter(item => item.type === 'notification')
  assert.deepEqual(
    posted.map(({ from, message, color, notification_sender: sender }) => [from, message, color, sender?.id]),
    [['Faker', 'pong', 'green', installation.oauthId]],
  )
})

test('an installation hears of its own room or group only, and never after its end', async () => {
  const elsewhere = host.createGroup({ name: 'Other' })
  const there = elsewhere.createRoom({ name: 'There' })
  const next = group.createRoom({ name: 'Next' })
  const inRoom = await host.install(withWebhooks({ url: `${addon.url}/room` }), { group, room })
  await host.install(withWebhooks({ url: `${addon.url}/group` }), { group })
  await there.say(elsewhere.owner, 'hi')
  assert.equal(hooks('/room').length + hooks('/group').length, 0)
  await next.say(user, 'hi')
  assert.deepEqual([hooks('/room').length, hooks('/group').length], [0, 1])
  await room.say(user, 'hi')
  assert.deepEqual([hooks('/room').length, hooks('/group').length], [1, 2])
  addon.answers.set('POST /room', () => ({ status: 500 }))
  const pending = (await room.say(user, 'hi')).deliveries.find(one => one.oauthId === inRoom.oauthId)
  await inRoom.uninstall()
  assert.equal(pending?.status, 'dropped')
  await room.say(user, 'hi')
  assert.equal(hooks('/room').length, 2)
})
