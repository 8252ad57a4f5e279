// The descriptor and the options it is made of.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HipchatAddonOptions } from '../../../../src/dialects/hipchat/options.ts'
import { createWorld, view } from './world.ts'

test('B7 Builder, transform: the descriptor says what the add-on is', async () => {
  const world = createWorld(
    {
      description: 'Greets people',
      vendor: { name: 'Example', url: 'https://example.com' },
      version: '1.2.3',
      fromName: 'Greeter',
      avatar: 'https://greeter.example/a.png',
      allowGlobal: false,
    },
    addon => addon.webhook('room_message', /^\/hello$/i, () => undefined, { name: 'hello' }),
  )
  const made = await world.request(view('GET', '/addon/capabilities'))
  assert.equal(made.status, 200)
  assert.deepEqual(JSON.parse(String(made.body)), {
    key: 'com.example.greeter',
    name: 'Greeter',
    description: 'Greets people',
    version: '1.2.3',
    vendor: { name: 'Example', url: 'https://example.com' },
    apiVersion: '1:1',
    links: { self: 'https://greeter.example/addon/capabilities', homepage: 'https://greeter.example/' },
    capabilities: {
      hipchatApiConsumer: {
        scopes: ['admin_room', 'send_notification', 'view_group'],
        fromName: 'Greeter',
        avatar: { url: 'https://greeter.example/a.png', 'url@2x': 'https://greeter.example/a.png' },
      },
      installable: {
        allowGlobal: false,
        allowRoom: true,
        callbackUrl: 'https://greeter.example/addon/installable',
        updateCallbackUrl: 'https://greeter.example/addon/installable',
      },
      webhook: [
        {
          url: 'https://greeter.example/addon/webhook?name=hello',
          event: 'room_message',
          pattern: '(?i)^\\/hello$',
          name: 'hello',
          authentication: 'jwt',
        },
      ],
    },
  })
})

test('the descriptor is frozen JSON', () => {
  const { descriptor } = createWorld().addon
  assert.throws(() => Object.assign(descriptor.capabilities as object, { webhook: [] }), TypeError)
  assert.throws(() => Object.assign(descriptor, { key: 'x' }), TypeError)
})

test('a prefix stands before every route and address of the add-on', async () => {
  const world = createWorld({ path: '/two', key: 'com.example.two' }, addon => {
    addon.webhook('room_enter', () => undefined)
    addon.page('/page', () => 'x', { public: true })
  })
  assert.deepEqual(
    world.addon.routes.map(route => `${route.method} ${route.path}`),
    [
      'GET /two/addon/capabilities',
      'POST /two/addon/installable',
      'DELETE /two/addon/installable/:oauthId',
      'POST /two/addon/webhook',
      'GET /two/page',
    ],
  )
  const text = JSON.stringify(world.addon.descriptor)
  for (const path of ['/two/addon/capabilities', '/two/addon/installable', '/two/addon/webhook?name=']) {
    assert.ok(text.includes(`https://greeter.example${path}`), path)
  }
  assert.equal((await world.request(view('GET', '/two/page'))).status, 200)
})

test('names of webhooks stay the same and change with any field; the same twice is one registration', () => {
  const names = (build: Parameters<typeof createWorld>[1]) => {
    const { webhook } = createWorld({}, build).addon.descriptor.capabilities as { webhook: { name: string }[] }
    return webhook.map(({ name }) => name)
  }
  const [one] = names(addon => addon.webhook('room_message', /a/, () => 1))
  assert.deepEqual(
    names(addon => addon.webhook('room_message', /a/, () => 2).webhook('room_message', /a/g, () => 3)),
    [one],
  )
  assert.notEqual(names(addon => addon.webhook('room_message', /a/i, () => 1))[0], one)
  assert.match(one ?? '', /^[0-9a-f]{40}$/)
})

test('what an author gets wrong is said when the add-on is made', () => {
  const wrong: [Partial<HipchatAddonOptions> & Record<string, unknown>, string][] = [
    [{ name: '' }, 'ERR_DESCRIPTOR_INVALID'],
    [{ scopes: [] }, 'ERR_DESCRIPTOR_INVALID'],
    [{ scopes: ['everything' as never] }, 'ERR_DESCRIPTOR_INVALID'],
    [{ path: 'two' }, 'ERR_DESCRIPTOR_INVALID'],
    [{ path: '/two/' }, 'ERR_DESCRIPTOR_INVALID'],
    [{ path: '/../x' }, 'ERR_DESCRIPTOR_INVALID'],
    [{ hosts: ['https://api.hipchat.com'] }, 'ERR_CONFIG'],
    [{ hosts: ['a.example/path'] }, 'ERR_CONFIG'],
    [{ hosts: ['user@a.example'] }, 'ERR_CONFIG'],
    [{ hosts: ['*'] }, 'ERR_CONFIG'],
    [{ hosts: ['a.*.example'] }, 'ERR_CONFIG'],
    [{ insecureHosts: ['*.example'] }, 'ERR_CONFIG'],
    [{ tokenTtlMinutes: 0 }, 'ERR_CONFIG'],
  ]
  for (const [options, code] of wrong) assert.throws(() => createWorld(options), { code }, JSON.stringify(options))
  assert.throws(() => createWorld({}, addon => addon.webhook('room_message', /(?=a)/, () => 1)), {
    code: 'ERR_PATTERN_UNSUPPORTED',
  })
  assert.throws(() => createWorld({}, addon => addon.webhook('room_enter', /a/, () => 1)), TypeError)
  assert.throws(() => createWorld({}, addon => addon.webhook('room_exploded', () => 1)), TypeError)
  assert.throws(() => createWorld({}, addon => addon.webhook('room_enter', undefined as never)), TypeError)
  assert.throws(() => createWorld({}, addon => addon.webhook('room_enter', () => 1, { name: 'a b' })), TypeError)
})
