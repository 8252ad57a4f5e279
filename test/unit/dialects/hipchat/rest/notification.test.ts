// Notifications and cards: what is refused before anything leaves, by field, and what passes as it is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HipchatCard, notificationBody } from '../../../../../src/dialects/hipchat/rest/notification.ts'
import { ready } from '../client-world.ts'

const CARD: HipchatCard = {
  style: 'application',
  id: 'card-1',
  title: 'Build 5',
  url: 'https://a.example/5',
  format: 'medium',
  description: { value: '<b>late</b>', format: 'html' },
  thumbnail: { url: 'https://a.example/t.png', 'url@2x': 'https://a.example/t2.png', width: 10, height: 10 },
  images: { image: 'https://a.example/i.png' },
  icon: { url: 'https://a.example/i.png' },
  activity: { html: '<b>5</b>', icon: 'https://a.example/i.png' },
  attributes: [{ label: 'State', value: { label: 'late', style: 'lozenge-error' } }],
  metadata: { buildId: 5 },
}

test('a whole card passes unchanged', () => {
  assert.deepEqual(notificationBody('Build 5', { card: CARD }), { message: 'Build 5', card: CARD })
})

test('our names and the host’s mean the same; other members are kept', () => {
  const wire = { message: 'Hi', message_format: 'text', attach_to: 'm-1', color: 'red' }
  for (const options of [
    { format: 'text', attachTo: 'm-1', color: 'red' },
    { messageFormat: 'text', attachTo: 'm-1', color: 'red' },
    { message_format: 'text', attach_to: 'm-1', color: 'red' },
  ]) {
    assert.deepEqual(notificationBody('Hi', options), wire)
  }
  assert.deepEqual(notificationBody('Hi', { somethingNew: 1 }), { message: 'Hi', something_new: 1 })
  assert.equal(notificationBody('Hi', { message: 'other' }).message, 'Hi')
})

const WRONG: readonly (readonly [field: string, message: unknown, options: object])[] = [
  ['message', '', {}],
  ['message', 'x'.repeat(10_001), {}],
  ['message', undefined, {}],
  ['color', 'Hi', { color: 'pink' }],
  ['message_format', 'Hi', { format: 'markdown' }],
  ['notify', 'Hi', { notify: 'yes' }],
  ['from', 'Hi', { from: 5 }],
  ['attach_to', 'Hi', { attachTo: '' }],
  ['card', 'Hi', { card: 'text' }],
  ['card.style', 'Hi', { card: { ...CARD, style: 'fancy' } }],
  ['card.id', 'Hi', { card: { ...CARD, id: '' } }],
  ['card.title', 'Hi', { card: { ...CARD, title: undefined } }],
  ['card.format', 'Hi', { card: { ...CARD, format: 'large' } }],
  ['card.thumbnail.url', 'Hi', { card: { ...CARD, thumbnail: {} } }],
  ['card.attributes[0].value.label', 'Hi', { card: { ...CARD, attributes: [{ value: {} }] } }],
]

for (const [field, message, options] of WRONG) {
  test(`${field} is named when it is wrong: ${JSON.stringify(options).slice(0, 60)}`, () => {
    assert.throws(() => notificationBody(message as string, options), {
      code: 'ERR_CALL_INVALID',
      details: { field },
    })
  })
}

test('10,000 characters are a message', () => {
  assert.equal(String(notificationBody('x'.repeat(10_000)).message).length, 10_000)
})

test('nothing leaves for a notification that is not valid', async () => {
  const { world, run } = await ready()
  await assert.rejects(
    run(ctx => ctx.roomClient?.sendNotification('')),
    { code: 'ERR_CALL_INVALID', status: 400 },
  )
  assert.equal(world.calls.length, 0)
})
