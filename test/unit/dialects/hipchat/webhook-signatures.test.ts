// The ways to write a webhook, those of the old library among them, and webhooks that the author answers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HipchatAddon } from '../../../../src/dialects/hipchat/addon.ts'
import { createWorld, message } from './world.ts'

const HOOK = 'https://greeter.example/addon/webhook?name='

function webhooksOf(build: (addon: HipchatAddon) => unknown): Record<string, unknown>[] {
  const { addon } = createWorld({}, made => void build(made))
  return (addon.descriptor.capabilities as { webhook: Record<string, unknown>[] }).webhook
}

const handler = () => undefined

test('B2 webhook: every signature of the old library', () => {
  const event = 'room_message'
  const jwt = { event, authentication: 'jwt' }
  const hello = { ...jwt, pattern: '^hello' }
  const own = 'https://greeter.example/hook'
  const cases: [(addon: HipchatAddon) => unknown, Record<string, unknown>][] = [
    [addon => addon.webhook(event, handler), jwt],
    [addon => addon.webhook(event, '/hook'), { ...jwt, url: own }],
    [addon => addon.webhook(event, /^hello/, handler), hello],
    [addon => addon.webhook(event, /^hello/, '/hook'), { ...hello, url: own }],
    [addon => addon.webhook(event, 'mine', handler), { ...jwt, name: 'mine', url: `${HOOK}mine` }],
    [addon => addon.webhook(event, 'mine', '/hook'), { ...jwt, name: 'mine', url: own }],
    [addon => addon.webhook(event, 'mine', /^hello/, handler), { ...hello, name: 'mine', url: `${HOOK}mine` }],
    [addon => addon.webhook(event, 'mine', /^hello/, '/hook'), { ...hello, name: 'mine', url: own }],
    [addon => addon.webhook({ event, pattern: /^hello/ }), hello],
    [
      addon => addon.webhook({ event, pattern: '(?i)^hello', key: 'k' }, handler),
      { ...jwt, pattern: '(?i)^hello', key: 'k' },
    ],
    [addon => addon.webhook({ event, name: 'mine', url: own }, handler), { ...jwt, name: 'mine', url: own }],
  ]
  for (const [build, wanted] of cases) {
    const [made = {}, ...others] = webhooksOf(build)
    assert.equal(others.length, 0)
    const { url, name } = made
    assert.deepEqual(made, { url, name, ...wanted }, String(build))
    if (wanted.url === undefined) assert.equal(url, HOOK + String(name))
    if (wanted.name === undefined) assert.match(String(name), /^[0-9a-f]{40}$/)
  }
})

test('room_message without a pattern is every message, where the old library threw', () => {
  const [webhook] = webhooksOf(addon => addon.webhook('room_message', handler))
  assert.ok(webhook && !('pattern' in webhook))
})

test('a webhook of the author’s own address is not run by the add-on’s webhook route', async () => {
  const seen: string[] = []
  const world = createWorld({}, addon =>
    addon
      .webhook('room_message', 'mine', '/hook')
      .webhook({ event: 'room_message', name: 'other', url: '/hook' }, () => seen.push('unused'))
      .webhook('room_message', /^hello/, () => seen.push('hello')),
  )
  await world.install('one')
  assert.equal((await world.deliver('one', message('hello'), { query: '?name=mine' })).status, 204)
  assert.equal((await world.deliver('one', message('hello'), { query: '?name=other' })).status, 204)
  await world.inbox.finished()
  assert.deepEqual(seen, [])
  assert.equal((await world.deliver('one', message('hello there'))).status, 204)
  await world.inbox.finished()
  assert.deepEqual(seen, ['hello'])
})

test('B2 onWebhook: answers a webhook that is only declared, at the add-on’s webhook route', async () => {
  const seen: unknown[] = []
  const world = createWorld({}, addon =>
    addon
      .webhook('room_message', 'mine', /^hello/, '/addon/webhook')
      .onWebhook('room_message', ctx => seen.push(ctx.content)),
  )
  const { webhook } = world.addon.descriptor.capabilities as { webhook: { url: string }[] }
  assert.equal(webhook[0]?.url, `${HOOK}mine`)
  await world.install('one')
  for (const text of ['hello', 'good-bye']) await world.deliver('one', message(text), { query: '?name=mine' })
  await world.inbox.finished()
  assert.deepEqual(seen, ['hello'])
})

test('a webhook that cannot be meant is refused', () => {
  const missing = undefined as never
  const refused: [(addon: HipchatAddon) => unknown, object][] = [
    [addon => addon.webhook('room_enter', missing), TypeError],
    [addon => addon.webhook('room_enter', 'mine', missing), TypeError],
    [addon => addon.webhook('room_message', /a/, missing), TypeError],
    [addon => addon.webhook('room_enter', /a/, '/hook'), TypeError],
    [addon => addon.webhook('room_exploded', '/hook'), TypeError],
    [addon => addon.webhook('room_enter', 'two words', handler), TypeError],
    [addon => addon.webhook('room_enter', 'a', handler).webhook('room_exit', 'a', handler), TypeError],
    [addon => addon.webhook('room_enter', 'a', handler).webhook('room_enter', 'a', '/hook'), TypeError],
    [addon => addon.webhook('room_enter', 'https://elsewhere.example/'), { code: 'ERR_DESCRIPTOR_INVALID' }],
    [addon => addon.webhook({ event: 'room_enter', key: '' }, handler), { code: 'ERR_DESCRIPTOR_INVALID' }],
    [addon => addon.webhook('room_message', /(?=a)/, '/hook'), { code: 'ERR_PATTERN_UNSUPPORTED' }],
  ]
  for (const [build, error] of refused) assert.throws(() => webhooksOf(build), error, String(build))
})
