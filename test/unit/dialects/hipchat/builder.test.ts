// What the builder's calls put into the descriptor: definitions, the positional forms of the old library, handlers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HipchatAddon } from '../../../../src/dialects/hipchat/addon.ts'
import type { HipchatAddonOptions } from '../../../../src/dialects/hipchat/options.ts'
import { createWorld, view } from './world.ts'

const BASE = 'https://greeter.example'

function declared(build: (addon: HipchatAddon) => unknown, options: Partial<HipchatAddonOptions> = {}) {
  const { addon } = createWorld(options, made => void build(made))
  const { hipchatApiConsumer, installable, ...rest } = addon.descriptor.capabilities as Record<string, unknown>
  return rest
}

const icon = { url: `${BASE}/i.png`, 'url@2x': `${BASE}/i.png` }

test('B2 glance: key, name, icon, target, path, as a definition or one by one', () => {
  const wire = { key: 'open', name: { value: 'Open' }, icon, queryUrl: `${BASE}/glance`, target: 'list' }
  assert.deepEqual(
    declared(addon => addon.glance('open', 'Open', '/i.png', 'list', '/glance')),
    { glance: [wire] },
  )
  assert.deepEqual(
    declared(addon => addon.glance({ key: 'open', name: 'Open', icon: '/i.png', target: 'list', queryUrl: 'glance' })),
    { glance: [wire] },
  )
  assert.deepEqual(
    declared(addon => addon.glance('open', 'Open', '/i.png', 'list')),
    { glance: [{ key: 'open', name: { value: 'Open' }, icon, target: 'list' }] },
    'without a query its content is only pushed',
  )
})

test('a glance takes weight, conditions, translated names, pictures of two sizes and options for its target', () => {
  const conditions = [
    { condition: 'room_is_public', invert: true },
    {
      type: 'or' as const,
      conditions: [
        { condition: 'user_is_admin' },
        { type: 'and' as const, conditions: [{ condition: 'glance_matches', params: { metadata: [{ eq: true }] } }] },
      ],
    },
  ]
  const definition = {
    key: 'open',
    name: { value: 'Open', i18n: 'open.name' },
    icon: { url: 'https://cdn.example/i.png', 'url@2x': '/i@2x.png' },
    target: { key: 'list', options: { urlTemplate: '?tab=1' } },
    weight: 7,
    conditions,
  }
  assert.deepEqual(
    declared(addon => addon.glance(definition)),
    {
      glance: [{ ...definition, icon: { url: 'https://cdn.example/i.png', 'url@2x': `${BASE}/i@2x.png` } }],
    },
  )
})

test('B2 webPanel: key, name, location, path', () => {
  const wire = { key: 'list', name: { value: 'List' }, location: 'hipchat.sidebar.right', url: `${BASE}/list?all=1` }
  assert.deepEqual(
    declared(addon => addon.webPanel('list', 'List', 'hipchat.sidebar.right', '/list?all=1')),
    { webPanel: [wire] },
  )
  assert.deepEqual(
    declared(addon => addon.webPanel({ key: 'list', name: 'List', url: '/list?all=1', icon: '/i.png', weight: 1 })),
    { webPanel: [{ ...wire, icon, weight: 1 }] },
  )
})

test('B2 dialog: key, title, path, options', () => {
  const options = {
    style: 'warning' as const,
    primaryAction: { key: 'ok', name: 'Do it', enabled: false },
    secondaryActions: [{ name: { value: 'Later', i18n: 'later' } }],
    size: { width: '400px', height: '62.5%' },
    hint: 'Mind the gap',
    filter: { placeholder: 'Search' },
  }
  const wire = {
    ...options,
    primaryAction: { key: 'ok', name: { value: 'Do it' }, enabled: false },
    hint: { value: 'Mind the gap' },
    filter: { placeholder: { value: 'Search' } },
  }
  const dialog = [{ key: 'ask', title: { value: 'Ask' }, url: `${BASE}/ask`, options: wire }]
  assert.deepEqual(
    declared(addon => addon.dialog('ask', 'Ask', '/ask', options)),
    { dialog },
  )
  assert.deepEqual(
    declared(addon => addon.dialog({ key: 'ask', title: 'Ask', url: '/ask', options })),
    { dialog },
  )
})

test('B2 action: key, name, location, target, and no address', () => {
  const wire = { key: 'keep', name: { value: 'Keep' }, location: 'hipchat.message.action', target: 'ask' }
  assert.deepEqual(
    declared(addon => addon.action('keep', 'Keep', 'hipchat.message.action', 'ask')),
    { action: [wire] },
  )
  const conditions = [{ condition: 'message_matches', params: { pattern: 'x' } }]
  assert.deepEqual(
    declared(addon =>
      addon.action({ key: 'put', name: 'Put', location: 'hipchat.input.action', target: 'ask', weight: 5, conditions }),
    ),
    {
      action: [
        { ...wire, key: 'put', name: { value: 'Put' }, location: 'hipchat.input.action', weight: 5, conditions },
      ],
    },
  )
})

test('B2 externalPage: key, name, path', () => {
  const externalPage = [{ key: 'help', name: { value: 'Help' }, url: `${BASE}/help` }]
  assert.deepEqual(
    declared(addon => addon.externalPage('help', 'Help', '/help')),
    { externalPage },
  )
  assert.deepEqual(
    declared(addon => addon.externalPage({ key: 'help', name: 'Help', url: '/help' })),
    { externalPage },
  )
})

test('B2 configurable: path, allowAccessToRoomAdmins; and the administration page', () => {
  assert.deepEqual(
    declared(addon => addon.configurable('/configure', true).adminPage('/admin')),
    {
      configurable: { url: `${BASE}/configure`, allowAccessToRoomAdmins: true },
      adminPage: { url: `${BASE}/admin` },
    },
  )
  assert.deepEqual(
    declared(addon => addon.configurable({ url: '/configure' }).adminPage({ url: '/admin' })),
    {
      configurable: { url: `${BASE}/configure` },
      adminPage: { url: `${BASE}/admin` },
    },
  )
})

test('commands and the consumer of user tokens are declared', () => {
  const commands = [
    { name: '/greet', description: 'Says hello', usage: '/greet name', aliases: ['/hi', '/good-day_all'] },
    { name: '/bye', description: 'Says good-bye' },
  ]
  const [greet, bye] = commands
  assert.deepEqual(
    declared(addon => {
      if (greet && bye) addon.command(greet).command(bye)
      addon.oauth2Consumer({ redirectionUrls: ['/back', 'https://elsewhere.example/back'] })
    }),
    { command: commands, oauth2Consumer: { redirectionUrls: [`${BASE}/back`, 'https://elsewhere.example/back'] } },
  )
})

test('several of each kind stand beside one another, in order', () => {
  const { glance, webPanel, dialog, action, externalPage } = declared(addon => {
    for (const key of ['one', 'two', 'three']) {
      addon
        .glance(key, key, '/i.png', key)
        .webPanel(key, key, 'hipchat.sidebar.right', `/${key}`)
        .dialog(key, key, `/${key}`)
        .action(key, key, 'hipchat.input.action', key)
        .externalPage(key, key, `/${key}`)
    }
  })
  for (const list of [glance, webPanel, dialog, action, externalPage]) {
    assert.deepEqual(
      (list as { key: string }[]).map(({ key }) => key),
      ['one', 'two', 'three'],
    )
  }
})

test('addresses keep the prefix of the add-on', () => {
  const { addon } = createWorld({ path: '/two' }, made =>
    made.webPanel('a', 'A', 'hipchat.sidebar.right', '/a').glance('b', 'B', '/i.png', 'a', () => ({ label: 'b' })),
  )
  const { webPanel, glance } = addon.descriptor.capabilities as Record<string, { url?: string; queryUrl?: string }[]>
  assert.equal(webPanel?.[0]?.url, `${BASE}/two/a`)
  assert.equal(glance?.[0]?.queryUrl, `${BASE}/two/addon/glance/b`)
  const routes = addon.routes.map(route => `${route.method} ${route.path}`)
  assert.deepEqual(routes.slice(-2), ['GET /two/addon/glance/b', 'OPTIONS /two/addon/glance/b'])
})

test('a handler instead of an address is a page behind authentication, at a path of kind and key', async () => {
  const world = createWorld({}, addon =>
    addon
      .webPanel({ key: 'list', name: 'List' }, ctx => `<p>${ctx.tenant.id}</p>`)
      .dialog('ask', 'Ask', () => 'ask')
      .externalPage('help', 'Help', () => 'help')
      .configurable(() => 'configure', true)
      .adminPage({}, () => 'admin')
      .webPanel({ key: 'own', name: 'Own', url: '/elsewhere' }, () => 'own'),
  )
  await world.install('one')
  const { webPanel, dialog, externalPage, configurable, adminPage } = world.addon.descriptor.capabilities as Record<
    string,
    { url: string }[] & { url: string }
  >
  const pages: [string | undefined, string, string][] = [
    [webPanel?.[0]?.url, '/addon/webPanel/list', '<p>one</p>'],
    [webPanel?.[1]?.url, '/elsewhere', 'own'],
    [dialog?.[0]?.url, '/addon/dialog/ask', 'ask'],
    [externalPage?.[0]?.url, '/addon/externalPage/help', 'help'],
    [configurable?.url, '/addon/configurable', 'configure'],
    [adminPage?.url, '/addon/adminPage', 'admin'],
  ]
  for (const [url, path, body] of pages) {
    assert.equal(url, BASE + path)
    assert.equal((await world.request(view('GET', path))).status, 401, path)
    const answer = await world.request(view('GET', `${path}?signed_request=${world.sign('one')}`))
    assert.deepEqual([answer.status, answer.body], [200, body], path)
  }
})

test('nothing can be declared after the first request', async () => {
  const world = createWorld()
  await world.request(view('GET', '/addon/capabilities'))
  const { addon } = world
  const late: (() => unknown)[] = [
    () => addon.glance('a', 'A', '/i.png', 'a'),
    () => addon.webPanel('a', 'A', 'hipchat.sidebar.right', () => ''),
    () => addon.configurable('/a'),
    () => addon.command({ name: '/a', description: 'A' }),
    () => addon.webhook('room_enter', '/hook'),
  ]
  for (const call of late) assert.throws(call, TypeError)
})
