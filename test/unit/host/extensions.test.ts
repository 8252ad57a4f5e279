// What add-ons put into the host's pages: registered at run time, opened as a user, glances pushed and asked for.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { jwtVerify } from 'jose'
import { GlanceError, type HostRoom } from '../../../src/host/index.ts'
import { api, tokenFor } from './fake-addon.ts'
import { type Json, startWorld, type World } from './world.ts'

const ICON = { url: 'https://example.com/i.png', 'url@2x': 'https://example.com/i2.png' }
const name = { value: 'A name', i18n: 'a.name' }

let world: World
let base: string
before(async () => {
  world = await startWorld({}, { rateLimit: false })
  base = world.addon.url
  await install()
})
beforeEach(() => {
  world.addon.answers.clear()
})
after(() => world.close())

let installation: World['installation']
let token: string
let room: HostRoom
async function install(): Promise<void> {
  const capabilities = {
    ...(world.addon.descriptor.capabilities as object),
    configurable: { url: `${base}/configure` },
    adminPage: { url: `${base}/admin` },
    glance: [
      { key: 'open', name, icon: ICON, queryUrl: `${base}/glance?a=1`, target: { key: 'side', options: { x: 1 } } },
    ],
    webPanel: [{ key: 'side', name, location: 'hipchat.sidebar.right', url: `${base}/side` }],
    dialog: [{ key: 'ask', title: name, url: `${base}/ask`, options: { size: { width: '400px', height: '50%' } } }],
    action: [{ key: 'file-bug', name, location: 'hipchat.message.action', target: 'ask' }],
    externalPage: [{ key: 'more', name, url: `${base}/more` }],
  }
  installation = await world.host.install({ ...world.addon.descriptor, capabilities }, { group: world.group })
  token = await tokenFor(world.host, installation)
  room = world.group.createRoom({ name: 'With extensions' })
}
const put = async (path: string, body: unknown) => (await api(world.host, token, 'PUT', path, body)).status
const remove = async (path: string) => (await api(world.host, token, 'DELETE', path)).status
const push = async (path: string, body: unknown) =>
  (await api(world.host, token, 'POST', `/addon/ui${path}`, body)).status
const keys = (at?: HostRoom) => installation.extensions(at).map(one => one.key)

const PANEL = { name, location: 'hipchat.sidebar.right', url: 'https://example.com/panel' }

test('an extension of a room is there only; a global one everywhere; both can be replaced and removed', async () => {
  const [here, everywhere] = [`/room/${room.id}/extension/webPanel/here`, '/extension/webPanel/everywhere']
  assert.deepEqual([await put(here, PANEL), await put(here, PANEL), await put(everywhere, PANEL)], [201, 201, 201])
  assert.deepEqual(keys(room).slice(-2), ['here', 'everywhere'])
  assert.equal(keys(world.room).includes('here'), false)
  assert.equal(keys(world.room).includes('everywhere'), true)
  assert.deepEqual([await remove(here), await remove(here), await remove(everywhere)], [204, 404, 204])
})

test('ten of one kind in one place, not eleven; a descriptor’s key stays the descriptor’s', async () => {
  for (let i = 0; i < 10; i += 1) assert.equal(await put(`/extension/webPanel/p${i}`, PANEL), 201)
  assert.equal(await put('/extension/webPanel/p10', PANEL), 400)
  assert.equal(await put('/extension/webPanel/p9', PANEL), 201)
  assert.equal(await put(`/room/${room.id}/extension/webPanel/p10`, PANEL), 201)
  assert.equal(await put('/extension/externalPage/p10', PANEL), 201)
  assert.equal(await put('/extension/webPanel/side', PANEL), 400)
  assert.equal(await put(`/room/${room.id}/extension/webPanel/side`, PANEL), 400)
  for (let i = 0; i < 10; i += 1) assert.equal(await remove(`/extension/webPanel/p${i}`), 204)
})

test('webhooks by key: ten in one room, and none in place of the descriptor’s', async () => {
  const webhook = [{ key: 'fixed', event: 'room_enter', url: `${base}/fixed` }]
  const capabilities = { ...(world.addon.descriptor.capabilities as object), webhook }
  const own = await world.host.install({ ...world.addon.descriptor, capabilities }, { group: world.group, room })
  const ownToken = await tokenFor(world.host, own)
  const register = async (key: string) => {
    const body = { event: 'room_exit', url: `${base}/dynamic` }
    return (await api(world.host, ownToken, 'PUT', `/room/${room.id}/extension/webhook/${key}`, body)).status
  }
  assert.equal(await register('fixed'), 400)
  for (let i = 0; i < 10; i += 1) assert.equal(await register(`k${i}`), 201)
  assert.deepEqual([await register('k10'), await register('k9'), await register('x'.repeat(41))], [400, 201, 400])
  await own.uninstall({ tellAddon: false })
})

for (const [what, kind, body] of [
  ['a key of 41 characters', `webPanel/${'x'.repeat(41)}`, PANEL],
  ['a name that is a text', 'webPanel/a', { ...PANEL, name: 'A' }],
  ['a name of 101 characters', 'webPanel/a', { ...PANEL, name: { value: 'x'.repeat(101) } }],
  ['another location', 'webPanel/a', { ...PANEL, location: 'hipchat.sidebar.left' }],
  ['a relative address', 'webPanel/a', { ...PANEL, url: '/panel' }],
  ['a glance without an icon', 'glance/a', { name }],
  ['a glance with an unknown condition', 'glance/a', { name, icon: ICON, conditions: [{ condition: 'card_matches' }] }],
  ['a weight that is a text', 'glance/a', { name, icon: ICON, weight: '1' }],
  ['an action without a target', 'action/a', { name, location: 'hipchat.message.action' }],
  ['an action elsewhere', 'action/a', { name, location: 'hipchat.menu', target: 'ask' }],
  [
    'a dialog with a width in em',
    'dialog/a',
    { title: name, url: ICON.url, options: { size: { width: '1em', height: '1px' } } },
  ],
  ['a dialog with a nameless button', 'dialog/a', { title: name, url: ICON.url, options: { primaryAction: {} } }],
  ['a list', 'externalPage/a', []],
] as const) {
  test(`an extension with ${what} is refused and not registered`, async () => {
    const before = keys()
    assert.equal(await put(`/extension/${kind}`, body), 400)
    assert.deepEqual(keys(), before)
  })
}

test('conditions may be nested', async () => {
  const conditions = [
    {
      type: 'or',
      conditions: [
        { condition: 'room_is_public', invert: true },
        { condition: 'glance_matches', params: {} },
      ],
    },
  ]
  assert.equal(await put('/extension/glance/nested', { name, icon: ICON, conditions }), 201)
  const deep = Array.from({ length: 9 }).reduce<Json>(
    inner => ({ type: 'and', conditions: [inner] }),
    conditions[0] ?? {},
  )
  assert.equal(await put('/extension/glance/deep', { name, icon: ICON, conditions: [deep] }), 400)
})

for (const [opening, kind, path] of [
  [{ kind: 'configurable' }, 'configurable', '/configure'],
  [{ kind: 'adminPage' }, 'adminPage', '/admin'],
  [{ kind: 'webPanel', key: 'side' }, 'webPanel', '/side'],
  [{ kind: 'dialog', key: 'ask' }, 'dialog', '/ask'],
  [{ kind: 'externalPage', key: 'more' }, 'externalPage', '/more'],
  [{ kind: 'glance', key: 'open' }, 'webPanel', '/side'],
  [{ kind: 'action', key: 'file-bug' }, 'dialog', '/ask'],
] as const) {
  test(`a user opens the ${opening.kind}: a signed page of theirs, in this room, in a theme`, async () => {
    const opened = installation.open(opening, { user: world.user, room, theme: 'dark', xdmhost: true })
    const url = new URL(opened.url)
    assert.deepEqual([opened.kind, url.origin, url.pathname], [kind, base, path])
    assert.deepEqual([url.searchParams.get('theme'), url.searchParams.get('xdmhost')], ['dark', world.host.url])
    const jwt = url.searchParams.get('signed_request') ?? ''
    const { payload } = await jwtVerify(jwt, Buffer.from(installation.oauthSecret))
    assert.deepEqual([payload.iss, payload.sub], [installation.oauthId, world.user.id])
    assert.equal((payload.context as Json).room_id, room.id)
  })
}

test('an action brings its message, a glance the options of its target', async () => {
  const { message } = await room.say(world.user, 'it is broken')
  const { event, options } = installation.open({ kind: 'action', key: 'file-bug', message })
  assert.deepEqual([event, options], [{ name: 'file-bug', message }, { size: { width: '400px', height: '50%' } }])
  assert.deepEqual(installation.open({ kind: 'glance', key: 'open' }).options, { x: 1 })
})

test('what is not there cannot be opened', async () => {
  assert.throws(() => installation.open({ kind: 'dialog', key: 'side' }), TypeError)
  assert.throws(() => world.installation.open({ kind: 'configurable' }), TypeError)
  assert.equal(await put('/extension/action/lost', { name, location: 'hipchat.input.action', target: 'gone' }), 201)
  assert.throws(() => installation.open({ kind: 'action', key: 'lost' }), TypeError)
})

const content = (value: string): Json => ({ label: { type: 'html', value } })
const seen = (viewer: object) => installation.glance('open', viewer)?.label.value

test('a user sees the newest of what was pushed to the group, their room and themselves', async () => {
  const one = (value: string) => ({ glance: [{ key: 'open', content: content(value) }] })
  assert.equal(seen({ room }), undefined)
  assert.equal(await push('', one('group')), 204)
  assert.equal(await push(`/room/${room.id}`, one('room')), 204)
  assert.deepEqual([seen({ room, user: world.user }), seen({ room: world.room }), seen({})], ['room', 'group', 'group'])
  assert.equal(await push(`/user/${world.user.id}`, one('user')), 204)
  assert.deepEqual([seen({ room, user: world.user }), seen({ room, user: world.group.owner })], ['user', 'room'])
  assert.equal(await push('', one('again')), 204)
  assert.equal(seen({ room, user: world.user }), 'again')
})

const LOZENGE = { type: 'lozenge', value: { label: 'LATE', type: 'error' } }
for (const [what, glance] of [
  ['is no list', {}],
  ['is empty', []],
  ['names a glance that is not there', [{ key: 'other', content: content('x') }]],
  ['has no label', [{ key: 'open', content: {} }]],
  ['has a label of text', [{ key: 'open', content: { label: { type: 'text', value: 'x' } } }]],
  [
    'has an unknown lozenge',
    [{ key: 'open', content: { ...content('x'), status: { ...LOZENGE, value: { label: 'x', type: 'blue' } } } }],
  ],
  [
    'has an icon without its double',
    [{ key: 'open', content: { ...content('x'), status: { type: 'icon', value: { url: ICON.url } } } }],
  ],
  ['has metadata that is a list', [{ key: 'open', content: { ...content('x'), metadata: [] } }]],
  [
    'is half good',
    [
      { key: 'open', content: content('first') },
      { key: 'other', content: content('x') },
    ],
  ],
] as const) {
  test(`a push that ${what} is refused, and nothing of it is shown`, async () => {
    const before = seen({ room })
    assert.equal(await push(`/room/${room.id}`, { glance }), 400)
    assert.equal(seen({ room }), before)
  })
}

test('an installation of one room pushes to that room and to users, not to the group', async () => {
  const own = await world.host.install(installation.descriptor.document, { group: world.group, room })
  const ownToken = await tokenFor(world.host, own)
  const send = async (path: string) => {
    const body = { glance: [{ key: 'open', content: content('own') }] }
    return (await api(world.host, ownToken, 'POST', `/addon/ui${path}`, body)).status
  }
  assert.deepEqual(
    [
      await send(''),
      await send(`/room/${world.room.id}`),
      await send(`/room/${room.id}`),
      await send(`/user/${world.user.id}`),
    ],
    [403, 403, 204, 204],
  )
  assert.equal(own.glance('open', { user: world.user })?.label.value, 'own')
  await own.uninstall({ tellAddon: false })
  assert.equal(own.glance('open', { user: world.user }), undefined)
})

test('an installation that comes back has the extensions of its descriptor only', async () => {
  const own = await world.host.install(installation.descriptor.document, { group: world.group, room })
  const path = `/room/${room.id}/extension/webPanel/dynamic`
  assert.equal((await api(world.host, await tokenFor(world.host, own), 'PUT', path, PANEL)).status, 201)
  const isThere = () => own.extensions().some(one => one.key === 'dynamic')
  assert.equal(isThere(), true)
  await own.uninstall({ tellAddon: false })
  await own.update()
  assert.deepEqual([own.state, isThere()], ['installed', false])
  await own.uninstall({ tellAddon: false })
})

test('a glance is asked for as the user’s browser does, and remembered', async () => {
  const full = { ...content('<b>5</b> open'), status: LOZENGE, metadata: { isLate: true } }
  world.addon.answers.set('GET /glance', () => ({
    status: 200,
    json: full,
    headers: { 'access-control-allow-origin': '*' },
  }))
  assert.deepEqual(await installation.queryGlance('open', { user: world.user, room }), full)
  assert.deepEqual(installation.glance('open', { user: world.user, room }), full)
  const [asked] = world.addon.received('GET', '/glance').slice(-1)
  const query = new URL(asked?.path ?? '', base).searchParams
  assert.deepEqual([query.get('a'), asked?.headers.origin], ['1', world.host.url])
  const { payload } = await jwtVerify(query.get('signed_request') ?? '', Buffer.from(installation.oauthSecret))
  assert.equal(payload.sub, world.user.id)
})

for (const [reason, what, answer] of [
  ['cors', 'without the header', { status: 200, json: content('x') }],
  [
    'cors',
    'for another page',
    { status: 200, json: content('x'), headers: { 'access-control-allow-origin': 'https://a.example' } },
  ],
  ['status', 'of 401', { status: 401, headers: { 'access-control-allow-origin': '*' } }],
  ['status', 'that redirects', { status: 302, headers: { 'access-control-allow-origin': '*' } }],
  ['invalid', 'that is no glance', { status: 200, json: {}, headers: { 'access-control-allow-origin': '*' } }],
  ['invalid', 'without a body', { status: 200, headers: { 'access-control-allow-origin': '*' } }],
] as const) {
  test(`an answer ${what} shows nothing: ${reason}`, async () => {
    world.addon.answers.set('GET /glance', () => answer)
    await assert.rejects(
      installation.queryGlance('open', { room }),
      error => error instanceof GlanceError && error.reason === reason,
    )
  })
}

test('a glance that cannot be asked for says why', async () => {
  await assert.rejects(installation.queryGlance('nested'), TypeError)
  await assert.rejects(installation.queryGlance('gone'), TypeError)
  const glance = { name, icon: ICON, queryUrl: 'http://127.0.0.1:1/' }
  assert.equal(await put('/extension/glance/away', glance), 201)
  await assert.rejects(installation.queryGlance('away'), { name: 'GlanceError', reason: 'unreachable' })
})
