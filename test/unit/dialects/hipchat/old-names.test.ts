// What the old library called its parts, found under our names: metas of the descriptor, and what handlers see on `ctx`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headerOf } from '../../../../src/core/header-list.ts'
import type { HipchatPageContext, HipchatWebhookContext } from '../../../../src/dialects/hipchat/handler-context.ts'
import type { HipchatAddonOptions } from '../../../../src/dialects/hipchat/options.ts'
import { createWorld, message, view } from './world.ts'

interface Published {
  readonly [name: string]: unknown
  readonly capabilities: { readonly hipchatApiConsumer: object; readonly installable: object }
}
const published = (options: Partial<HipchatAddonOptions>) =>
  createWorld(options).addon.descriptor as unknown as Published

test('B2 key, name, description, version, scopes, fromName, avatar, allowRoom, allowGlobal: options of the add-on', () => {
  const { key, name, description, version, capabilities } = published({
    key: 'com.example.own',
    name: 'Own',
    description: 'Does it',
    version: '1.0',
    scopes: ['view_room', 'send_notification'],
    fromName: 'Own one',
    avatar: '/me.png',
    allowRoom: true,
    allowGlobal: false,
  })
  assert.deepEqual([key, name, description, version], ['com.example.own', 'Own', 'Does it', '1.0'])
  assert.deepEqual(capabilities.hipchatApiConsumer, {
    scopes: ['send_notification', 'view_room'],
    fromName: 'Own one',
    avatar: { url: 'https://greeter.example/me.png', 'url@2x': 'https://greeter.example/me.png' },
  })
  const { allowRoom, allowGlobal } = capabilities.installable as Record<string, boolean>
  assert.deepEqual([allowRoom, allowGlobal], [true, false])
})

test('B2 vendor, vendorName, vendorUrl: one option, of which either part will do', () => {
  assert.deepEqual(published({ vendor: { name: 'Example' } }).vendor, { name: 'Example' })
  assert.deepEqual(published({ vendor: { url: 'https://example.com' } }).vendor, { url: 'https://example.com' })
  for (const vendor of [{}, { name: '' }, { url: 'mailto:me@example.com' }]) {
    assert.throws(() => published({ vendor }), { code: 'ERR_DESCRIPTOR_INVALID' }, JSON.stringify(vendor))
  }
})

test('metas with addresses that are none are refused', () => {
  const wrong: Partial<HipchatAddonOptions>[] = [
    { avatar: 'data:image/png;base64,x' },
    { avatar: { url: '/me.png', 'url@2x': '/a b.png' } },
    { homepage: 'javascript:alert(1)' },
  ]
  for (const options of wrong) {
    assert.throws(() => published(options), { code: 'ERR_DESCRIPTOR_INVALID' }, JSON.stringify(options))
  }
})

test('B2 descriptor: is there at any time, complete once the add-on serves', () => {
  const { addon } = createWorld()
  assert.ok(!('glance' in (addon.descriptor.capabilities as object)))
  addon.glance('a', 'A', '/i.png', 'a')
  assert.ok('glance' in (addon.descriptor.capabilities as object))
})

test('B2 get, post, del: routes of the add-on behind authentication', async () => {
  const methods = ['GET', 'POST', 'DELETE'] as const
  const world = createWorld({}, addon => {
    for (const method of methods) addon.page('/page', ctx => `${method} ${ctx.view.method}`, { method })
  })
  await world.install('one')
  for (const method of methods) {
    assert.equal((await world.request(view(method, '/page'))).status, 401)
    const answer = await world.request(view(method, `/page?signed_request=${world.sign('one')}`))
    assert.equal(answer.body, `${method} ${method}`)
  }
})

test('B4 authentication.issuer, authentication.userId, authentication.context, authentication.issued, authentication.expiry: what the token says', async () => {
  const seen: HipchatPageContext[] = []
  const world = createWorld({}, addon => addon.page('/page', ctx => void seen.push(ctx)))
  await world.install('one')
  const now = Math.floor(world.time.now / 1000)
  const claims = { sub: undefined, prn: 42, context: { room_id: 9, user_tz: 'Europe/Oslo' } }
  await world.request(view('GET', `/page?signed_request=${world.sign('one', claims)}`))
  const { authentication } = seen[0] ?? assert.fail()
  assert.deepEqual(
    { ...authentication },
    {
      issuer: 'one',
      userId: '42',
      context: { room_id: 9, user_tz: 'Europe/Oslo', tz: 'Europe/Oslo' },
      issued: now,
      expiry: now + 3600,
    },
  )
})

test('B4 authentication.token: a token for the next requests, in the header JWT of the answer too', async () => {
  const world = createWorld({}, addon => addon.page('/page', ctx => ctx.authentication.token))
  await world.install('one')
  const answer = await world.request(view('GET', `/page?signed_request=${world.sign('one')}`))
  assert.equal(headerOf(answer.headers, 'jwt'), answer.body)
  const next = await world.request(view('GET', '/page', { headers: { authorization: `JWT token=${answer.body}` } }))
  assert.equal(next.status, 200)
})

test('B4 tenant, tenantStore, tenantClient, tenantWebhooks, roomClient: the same on pages and in webhooks', async () => {
  const seen: (HipchatPageContext | HipchatWebhookContext)[] = []
  const world = createWorld({}, addon =>
    addon
      .page('/page', ctx => void seen.push(ctx))
      .webhook('room_message', ctx => {
        seen.push(ctx)
      }),
  )
  await world.install('one')
  await world.request(view('GET', `/page?signed_request=${world.sign('one', { context: { room_id: 9 } })}`))
  await world.deliver('one', message('hello'))
  await world.inbox.finished()
  assert.deepEqual(
    seen.map(ctx => ctx.roomClient?.room),
    [9, 5],
  )
  for (const { tenant, tenantStore, tenantClient, tenantWebhooks } of seen) {
    assert.deepEqual([tenant.id, tenant.group, tenant.room], ['one', 7, 5])
    for (const method of [tenantStore.get, tenantClient.request, tenantWebhooks.add])
      assert.equal(typeof method, 'function')
  }
})

test('B4 webhook, webhookId, room, sender, message, content, match: the parts of a message', async () => {
  const seen: HipchatWebhookContext[] = []
  const world = createWorld({}, addon => addon.webhook('room_message', /^\/greet (\w+)/, ctx => seen.push(ctx)))
  await world.install('one')
  await world.deliver('one', message('/greet all'))
  await world.inbox.finished()
  const ctx = seen[0] ?? assert.fail()
  assert.equal((ctx.webhook as { event: string }).event, 'room_message')
  assert.equal(ctx.webhookId, 1)
  assert.equal(ctx.room?.id, 5)
  assert.equal(ctx.sender?.name, 'Mina')
  assert.equal(ctx.message?.message, '/greet all')
  assert.equal(ctx.content, '/greet all')
  assert.deepEqual([...(ctx.match ?? [])], ['/greet all', 'all'])
})

test('B4 topic: of a change of topic', async () => {
  const seen: unknown[] = []
  const world = createWorld({}, addon => addon.webhook('room_topic_change', ctx => seen.push(ctx.topic)))
  await world.install('one')
  await world.deliver('one', { event: 'room_topic_change', item: { room: { id: 5 }, sender: 'Mina', topic: 'Tea' } })
  await world.inbox.finished()
  assert.deepEqual(seen, ['Tea'])
})
