// Speaking over REST: notifications and cards, messages, replies, history, private messages, flood control.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import type { HostRoom } from '../../../src/host/index.ts'
import { api, tokenFor } from './fake-addon.ts'
import { items, type Json, startWorld, type World } from './world.ts'

let now = Date.parse('2026-03-10T10:00:00Z')
let world: World
let room: HostRoom
let path: string
let count = 0
before(async () => {
  world = await startWorld({}, { clock: { now: () => now }, rateLimit: false })
})
beforeEach(() => {
  room = world.group.createRoom({ name: `Room ${++count}` })
  path = `/room/${room.id}`
})
after(() => world.close())

const icon = { url: 'https://example.com/a.png', 'url@2x': 'https://example.com/a2.png' }
const card = { style: 'application', id: 'one', title: 'A card' }

for (const [what, body] of [
  ['of 10,000 characters', { message: 'x'.repeat(10_000) }],
  [
    'with every allowed tag',
    { message: '<a href="x">a</a><b><i><strong><em>x</em></strong></i></b><br/><ul><li></ul>' },
  ],
  ['with tables and code', { message: '<table><tr><td><pre><code>1 &lt; 2</code></pre></td></tr></table>' }],
  ['of text that looks like markup', { message: '<script>', message_format: 'text' }],
  [
    'with a sender, a color and a parent',
    { message: 'x', from: 'Bot', color: 'random', attach_to: 'id', notify: true },
  ],
] as const) {
  test(`a notification ${what} is shown`, async () => {
    assert.equal(await world.status('POST', `${path}/notification`, body), 204)
    assert.equal(room.history.at(-1)?.message, body.message)
  })
}

for (const [what, body] of [
  ['without a message', { color: 'red' }],
  ['of 10,001 characters', { message: 'x'.repeat(10_001) }],
  ['with a script', { message: 'a <SCRIPT src="x">' }],
  ['with a frame', { message: '<b>a</b><iframe>' }],
  ['in an unknown format', { message: 'x', message_format: 'markdown' }],
  ['in an unknown color', { message: 'x', color: 'blue' }],
  ['with a sender of 65 characters', { message: 'x', from: 'x'.repeat(65) }],
  ['that notifies perhaps', { message: 'x', notify: 'true' }],
] as const) {
  test(`a notification ${what} is refused and not shown`, async () => {
    assert.equal(await world.status('POST', `${path}/notification`, body), 400)
    assert.deepEqual(room.history, [])
  })
}

for (const style of ['file', 'image', 'application', 'link', 'media']) {
  test(`a card of the style ${style} is kept as sent`, async () => {
    const sent = {
      ...card,
      style,
      url: 'https://example.com/',
      format: 'medium',
      description: { value: 'Text', format: 'html' },
      thumbnail: { ...icon, width: 100, height: 50 },
      images: { image: icon.url },
      icon,
      activity: { html: '<b>did</b>', icon: icon.url },
      attributes: [{ label: 'State', value: { label: 'Open', style: 'lozenge', url: 'https://example.com/', icon } }],
      metadata: { any: ['thing'] },
    }
    assert.equal(await world.status('POST', `${path}/notification`, { message: 'fallback', card: sent }), 204)
    assert.deepEqual(room.history.at(-1)?.card, sent)
  })
}

for (const [what, change] of [
  ['without a style', { style: undefined }],
  ['of an unknown style', { style: 'poster' }],
  ['without an id', { id: undefined }],
  ['without a title', { title: '' }],
  ['with an address that is none', { url: '/relative' }],
  ['in an unknown format', { format: 'large' }],
  ['with a description without its format', { description: { value: 'Text' } }],
  ['with a thumbnail of negative width', { thumbnail: { ...icon, width: -1 } }],
  ['with an icon that is a number', { icon: 1 }],
  ['with an activity without HTML', { activity: {} }],
  ['with attributes that are no list', { attributes: {} }],
  ['with an attribute without a value', { attributes: [{ label: 'State' }] }],
  ['with metadata that is a text', { metadata: 'x' }],
] as const) {
  test(`a card ${what} is refused`, async () => {
    const body = { message: 'fallback', card: { ...card, ...change } }
    assert.equal(await world.status('POST', `${path}/notification`, body), 400)
  })
}

test('a card still needs a message', async () => {
  assert.equal(await world.status('POST', `${path}/notification`, { card }), 400)
})

test('a message says who is mentioned and what it links to, and comes from the add-on’s label', async () => {
  const text = 'see https://example.com/a?b=c, @ann!'
  const made = await world.json(201, 'POST', `${path}/message`, { message: text })
  const { message } = (await world.json(200, 'GET', `${path}/history/${made.id}`)) as { message: Json }
  assert.deepEqual(
    [message.from, message.message_links, (message.mentions as Json[]).map(one => one.mention_name)],
    ['Faker', [{ type: 'link', url: 'https://example.com/a?b=c' }], ['ann']],
  )
  assert.equal(made.timestamp, message.date)
  assert.equal(await world.status('POST', `${path}/message`, { message: 'x'.repeat(1_001) }), 400)
})

test('a reply hangs on its message', async () => {
  const { message } = await room.say(world.user, 'one')
  assert.equal(await world.status('POST', `${path}/reply`, { message: 'two', parentMessageId: message.id }), 204)
  assert.equal(room.history.at(-1)?.attach_to, message.id)
  assert.equal(await world.status('POST', `${path}/reply`, { message: 'two' }), 400)
  assert.equal(await world.status('POST', `${path}/reply`, { message: 'two', parentMessageId: 'other' }), 404)
})

test('history is cut by dates, in a zone or with an offset, and turned round', async () => {
  const start = now
  for (const text of ['ten', 'eleven', 'twelve']) {
    await room.say(world.user, text)
    now += 3_600_000
  }
  const shown = async (query: string) =>
    items(await world.json(200, 'GET', `${path}/history?${query}`)).map(item => item.message)
  assert.deepEqual(await shown('date=recent'), ['ten', 'eleven', 'twelve'])
  assert.deepEqual(await shown('reverse=false'), ['twelve', 'eleven', 'ten'])
  assert.deepEqual(await shown('date=2026-03-10T11:00:00'), ['ten', 'eleven'])
  assert.deepEqual(await shown('end-date=2026-03-10T11:00:00%2B00:00'), ['eleven', 'twelve'])
  assert.deepEqual(await shown('date=2026-03-10T11:00:00&timezone=Europe/Berlin'), ['ten'])
  assert.deepEqual(await shown(`date=${start / 1000}`), ['ten'])
  assert.deepEqual(await shown('date=2026-03-09'), [])
  for (const query of ['date=yesterday', 'timezone=Mars/Base', 'end-date=2026-13-01', 'reverse=1']) {
    assert.equal(await world.status('GET', `${path}/history?${query}`), 400, query)
  }
})

test('the newest messages start no earlier than the one named', async () => {
  const said = []
  for (const text of ['one', 'two', 'three']) said.push((await room.say(world.user, text)).message)
  const page = await world.json(200, 'GET', `${path}/history/latest?not-before=${said[1]?.id}`)
  assert.deepEqual(
    items(page).map(item => item.message),
    ['two', 'three'],
  )
  assert.equal(await world.status('GET', `${path}/history/latest?not-before=other`), 404)
  assert.equal(await world.status('GET', `${path}/history/other`), 404)
})

test('a private message reaches the user, and only its sender reads it again', async () => {
  const user = world.group.createUser({ name: 'Grace', mentionName: `grace${count}` })
  const body = { message: '<b>psst</b>', notify: true, message_format: 'html' }
  assert.equal(await world.status('POST', `/user/@${user.mentionName}/message`, body), 204)
  const [sent] = user.messages
  assert.deepEqual(
    [sent?.message, sent?.notify, sent?.message_format, sent?.from],
    ['<b>psst</b>', true, 'html', 'Faker'],
  )
  const page = await world.json(200, 'GET', `/user/${user.id}/history/latest`)
  assert.equal(items(page)[0]?.id, sent?.id)
  const single = await world.json(200, 'GET', `/user/${user.id}/history/${sent?.id}`)
  assert.equal((single.message as Json).message, '<b>psst</b>')
  const other = await tokenFor(world.host, await world.host.install(world.addon.descriptor, { group: world.group }))
  const theirs = await api(world.host, other, 'GET', `/user/${user.id}/history/latest`)
  assert.deepEqual(((await theirs.json()) as Json).items, [])
  assert.equal((await api(world.host, other, 'GET', `/user/${user.id}/history/${sent?.id}`)).status, 404)
  assert.equal(await world.status('POST', `/user/${user.id}/message`, { message: '' }), 400)
  assert.equal(await world.status('POST', `/user/${user.id}/message`, { message: 'x', message_format: 'rtf' }), 400)
})

test('thirty messages a minute to one room or person, told in headers; the next room is free, and so is the next minute', async () => {
  const send = (to: string) => world.call('POST', to, { message: 'hi' })
  const first = await send(`${path}/notification`)
  const header = (name: string) => first.headers.get(`x-floodcontrol-${name}`)
  assert.deepEqual([header('limit'), header('remaining'), header('reset')], ['30', '29', String(now / 1000 + 60)])
  for (let i = 1; i < 30; i += 1) assert.equal((await send(`${path}/${i % 2 ? 'message' : 'notification'}`)).ok, true)
  const refused = await send(`${path}/notification`)
  assert.deepEqual([refused.status, refused.headers.get('x-floodcontrol-remaining')], [429, '0'])
  assert.equal(await world.status('POST', `${path}/share/link`, { link: 'https://example.com/' }), 429)
  assert.equal(await world.status('POST', `/room/${world.room.id}/message`, { message: 'hi' }), 201)
  const to = `/user/${world.user.id}/message`
  for (let i = 0; i < 30; i += 1) assert.equal((await send(to)).status, 204)
  assert.equal((await send(to)).status, 429)
  assert.equal(room.history.length, 30)
  now += 60_000
  assert.equal((await send(`${path}/notification`)).status, 204)
})
