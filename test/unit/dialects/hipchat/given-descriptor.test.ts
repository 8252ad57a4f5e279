// A descriptor given instead of builder calls, or beside them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../../../../src/core/tenant.ts'
import { createDescription } from '../../../../src/dialects/hipchat/builder/description.ts'
import type { HipchatAddonOptions } from '../../../../src/dialects/hipchat/options.ts'
import { createWorld, message, view } from './world.ts'

const BASE = 'https://greeter.example'
const OWN = { key: 'com.example.old', name: 'Old', description: 'An old add-on', version: '3.1' }
const consumer = { scopes: ['send_notification', 'view_room'], fromName: 'Old one', avatar: '/me.png' }
const panel = { key: 'list', name: { value: 'List' }, location: 'hipchat.sidebar.right', url: '/list' }

/** The descriptor an author's makes, and what the log was told. */
function described(descriptor: object, options: Partial<HipchatAddonOptions> = {}) {
  const warnings: unknown[] = []
  const ignore = () => undefined
  const logger = { debug: ignore, info: ignore, error: ignore, warn: (...said: unknown[]) => void warnings.push(said) }
  const app = { key: 'com.example.app', environment: 'test', baseUrl: BASE }
  const made: JsonObject = createDescription({ ...options, descriptor }, { app, logger }).descriptor()
  return { made, capabilities: made.capabilities as Record<string, unknown>, warnings }
}

test('B1 addon: a full descriptor is taken whole, with our own addresses in place of its', () => {
  const { made, warnings } = described({
    ...OWN,
    apiVersion: '1:2',
    vendor: { name: 'Example' },
    links: { self: 'https://old.example/descriptor', homepage: 'https://old.example' },
    capabilities: {
      hipchatApiConsumer: consumer,
      installable: { allowGlobal: false, callbackUrl: 'https://old.example/install', updateCallbackUrl: '/update' },
      webPanel: [panel],
      configurable: { url: '/configure' },
      command: { name: '/old', description: 'Does it' },
    },
  })
  assert.deepEqual(made, {
    ...OWN,
    apiVersion: '1:2',
    vendor: { name: 'Example' },
    links: { self: `${BASE}/addon/capabilities`, homepage: 'https://old.example' },
    capabilities: {
      hipchatApiConsumer: { ...consumer, avatar: { url: `${BASE}/me.png`, 'url@2x': `${BASE}/me.png` } },
      installable: {
        allowGlobal: false,
        allowRoom: true,
        callbackUrl: `${BASE}/addon/installable`,
        updateCallbackUrl: `${BASE}/addon/installable`,
      },
      webPanel: [{ ...panel, url: `${BASE}/list` }],
      configurable: { url: `${BASE}/configure` },
      command: [{ name: '/old', description: 'Does it' }],
    },
  })
  assert.deepEqual(warnings, [])
})

test('a descriptor that installs through the browser gets our pages for it', () => {
  const { capabilities } = described(
    { capabilities: { hipchatApiConsumer: consumer, installable: { installedUrl: 'https://old.example/installed' } } },
    OWN,
  )
  const { installedUrl, uninstalledUrl } = capabilities.installable as Record<string, string>
  assert.ok(installedUrl?.startsWith(`${BASE}/`) && uninstalledUrl?.startsWith(`${BASE}/`))
})

test('options win over what the descriptor says', () => {
  const { made } = described(
    { ...OWN, capabilities: { hipchatApiConsumer: consumer } },
    { name: 'New', scopes: ['view_group'], description: undefined },
  )
  assert.equal(made.name, 'New')
  assert.equal(made.description, OWN.description)
  assert.deepEqual((made.capabilities as { hipchatApiConsumer: object }).hipchatApiConsumer, {
    ...consumer,
    scopes: ['view_group'],
    avatar: { url: `${BASE}/me.png`, 'url@2x': `${BASE}/me.png` },
  })
})

test('the builder adds to the descriptor, and takes the place of what has the same key', async () => {
  const glance = { key: 'open', name: 'Open', icon: '/i.png', queryUrl: '/old' }
  const capabilities = { glance: [glance, { ...glance, key: 'late' }], configurable: { url: '/old' } }
  const world = createWorld({ descriptor: { capabilities } }, addon =>
    addon
      .glance({ ...glance, queryUrl: '/new' }, () => ({ label: 'x' }))
      .glance('more', 'More', '/i.png', 'x')
      .configurable('/new'),
  )
  const { glance: glances, configurable } = world.addon.descriptor.capabilities as unknown as {
    glance: { key: string; queryUrl?: string }[]
    configurable: { url: string }
  }
  assert.deepEqual(
    glances.map(({ key, queryUrl }) => [key, queryUrl]),
    [
      ['open', `${BASE}/new`],
      ['late', `${BASE}/old`],
      ['more', undefined],
    ],
  )
  assert.equal(configurable.url, `${BASE}/new`)
  await world.install('one')
  assert.equal((await world.request(view('GET', `/new?signed_request=${world.sign('one')}`))).status, 200)
})

test('its webhooks get names and a signature, and those at our route run', async () => {
  const seen: unknown[] = []
  const webhook = [
    { event: 'room_message', url: `${BASE}/addon/webhook`, pattern: '(?i)^hello', name: 'hello' },
    { event: 'room_enter', url: '/addon/webhook?old=1', authentication: 'none' },
  ]
  const webhooks = [{ event: 'room_exit', url: '/elsewhere', key: 'exit' }]
  const { capabilities, warnings } = described(
    { capabilities: { hipchatApiConsumer: consumer, webhook, webhooks } },
    OWN,
  )
  const [hello, enter, exit] = capabilities.webhook as Record<string, string>[]
  assert.deepEqual(hello, {
    event: 'room_message',
    url: `${BASE}/addon/webhook?name=hello`,
    pattern: '(?i)^hello',
    name: 'hello',
    authentication: 'jwt',
  })
  assert.match(enter?.name ?? '', /^[0-9a-f]{40}$/)
  assert.deepEqual([enter?.url, enter?.authentication], [`${BASE}/addon/webhook?name=${enter?.name}`, 'jwt'])
  assert.deepEqual([exit?.url, exit?.authentication, exit?.key], [`${BASE}/elsewhere`, 'jwt', 'exit'])
  assert.deepEqual(warnings, [['hipchat-descriptor-part-replaced', { path: 'webhook[1].authentication', by: 'jwt' }]])
  assert.ok(!('webhooks' in capabilities))

  const world = createWorld({ descriptor: { capabilities: { webhook } } }, addon =>
    addon.onWebhook('room_message', ctx => seen.push(ctx.content)),
  )
  await world.install('one')
  for (const text of ['Hello', 'good-bye']) await world.deliver('one', message(text), { query: '?name=hello' })
  await world.inbox.finished()
  assert.deepEqual(seen, ['Hello'])
})

test('what nobody here knows is published as it came, and said in the log', () => {
  const { made, capabilities, warnings } = described(
    { $schema: 'x', links: { terms: 'y' }, capabilities: { hipchatApiConsumer: consumer, hologram: [{ a: null }] } },
    OWN,
  )
  assert.equal(made.$schema, 'x')
  assert.equal((made.links as JsonObject).terms, 'y')
  assert.deepEqual(capabilities.hologram, [{ a: null }])
  assert.deepEqual(
    warnings,
    ['$schema', 'links.terms', 'capabilities.hologram'].map(path => ['hipchat-descriptor-part-unknown', { path }]),
  )
})

test('a given descriptor is checked like the builder’s calls', () => {
  const glance = { key: 'open', name: 'Open', icon: '/i.png' }
  const wrong: [object, string][] = [
    [{ name: 7 }, 'name'],
    [{ vendor: { nme: 'x' } }, 'vendor'],
    [{ capabilities: [] }, 'capabilities'],
    [{ capabilities: { hipchatApiConsumer: { scopes: ['rule'] } } }, 'capabilities.hipchatApiConsumer.scopes[0]'],
    [{ capabilities: { installable: { allowGlobal: 'yes' } } }, 'capabilities.installable.allowGlobal'],
    [{ capabilities: { glance: [glance, { ...glance, key: '' }] } }, 'glance[1].key'],
    [{ capabilities: { glance: [glance, glance] } }, 'glance[1].key'],
    [{ capabilities: { webPanel: [{ ...panel, url: 'https://elsewhere.example' }] } }, 'webPanel[0].url'],
    [{ capabilities: { configurable: [{ url: '/a' }, { url: '/b' }] } }, 'configurable'],
    [{ capabilities: { webhook: [{ event: 'room_exploded' }] } }, 'webhook[0].event'],
    [{ capabilities: { webhook: [{ event: 'room_enter', pattern: 'a' }] } }, 'webhook[0].pattern'],
    [{ capabilities: { webhook: [{ event: 'room_enter', url: 'https://elsewhere.example' }] } }, 'webhook[0].url'],
    [{ capabilities: { webhook: [{ event: 'room_enter', name: 'two words' }] } }, 'webhook[0].name'],
  ]
  for (const [descriptor, path] of wrong) {
    assert.throws(
      () => described(descriptor, { name: 'New', scopes: ['view_group'] }),
      { code: 'ERR_DESCRIPTOR_INVALID', details: { path } },
      JSON.stringify(descriptor),
    )
  }
  assert.throws(() => described({ ...OWN }), { code: 'ERR_DESCRIPTOR_INVALID' }, 'no scopes')
})
