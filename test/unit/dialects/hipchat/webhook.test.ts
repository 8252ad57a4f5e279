// Deliveries: what is accepted, what handlers get, and that each runs once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HipchatWebhookContext } from '../../../../src/dialects/hipchat/handler-context.ts'
import { WEBHOOK_EVENTS } from '../../../../src/dialects/hipchat/webhook-event.ts'
import { createWorld, errorCode, gate, message, view } from './world.ts'

type Seen = Pick<HipchatWebhookContext, 'content' | 'event'> & { tenant: string; match: unknown }
const seeing = (seen: Seen[]) => (ctx: HipchatWebhookContext) => {
  seen.push({ content: ctx.content, event: ctx.event, tenant: ctx.tenant.id, match: ctx.match?.[0] })
}

test('a message that matches reaches the handler with everything on its context', async () => {
  const seen: HipchatWebhookContext[] = []
  const world = createWorld({}, addon =>
    addon.webhook('room_message', /^\/hello(?: (?<whom>\w+))?$/i, ctx => seen.push(ctx)),
  )
  await world.install('a')
  assert.equal((await world.deliver('a', message('/HELLO world'))).status, 204)
  await world.inbox.finished()
  const [ctx] = seen
  assert.ok(ctx)
  assert.equal(ctx.tenant.id, 'a')
  assert.equal(ctx.webhookId, 1)
  assert.equal(ctx.room?.name, 'Den')
  assert.equal(ctx.sender?.name, 'Mina')
  assert.equal(ctx.message?.message, '/HELLO world')
  assert.equal(ctx.content, '/HELLO world')
  assert.equal(ctx.match?.groups?.whom, 'world')
  assert.equal(ctx.roomClient.room, 5)
  assert.equal(ctx.attempt, 1)
  assert.equal((ctx.webhook as { event: string }).event, 'room_message')
})

test('D 40: a delivery without a valid token of the tenant named in its body is refused', async () => {
  const seen: Seen[] = []
  const world = createWorld({}, addon => addon.webhook('room_message', seeing(seen)))
  await world.install('a')
  await world.install('b')
  const body = message('x')
  assert.equal(
    (await world.request(view('POST', '/addon/webhook', { body: { oauth_client_id: 'a', webhook_id: 1, ...body } })))
      .status,
    401,
  )
  const mismatch = await world.deliver('a', body, { client: 'b' })
  assert.deepEqual([mismatch.status, errorCode(mismatch)], [401, 'ERR_TENANT_MISMATCH'])
  assert.equal((await world.deliver('a', body, { token: world.sign('b') })).status, 401)
  assert.equal((await world.deliver('a', body, { query: '?token=guess' })).status, 401)
  assert.equal((await world.deliver('a', body, { query: '?token=' })).status, 401)
  assert.equal(world.inbox.deliveries.length, 0)
  assert.equal((await world.deliver('a', body)).status, 204)
})

test('B4 event, oauth_client_id, webhook_id, item: a body of another shape is refused with 400', async () => {
  const world = createWorld({}, addon => addon.webhook('room_message', () => undefined))
  await world.install('a')
  const good = message('x')
  const bad: object[] = [
    { ...good, event: 'room_exploded' },
    { ...good, event: 5 },
    { ...good, webhook_id: '1' },
    { ...good, item: undefined },
    { ...good, item: 'x' },
    { ...good, item: {} },
    { ...good, item: { message: { message: 5 } } },
    { ...good, item: { message: null } },
    { ...good, oauth_client_id: 5 },
    { ...good, item: { ...good.item, room: { id: 'x' } } },
  ]
  for (const body of bad) assert.equal((await world.deliver('a', body)).status, 400, JSON.stringify(body))
  const repeated = await world.deliver('a', good, { query: '?name=x&name=y' })
  assert.equal(repeated.status, 400)
})

test('D 41: the same delivery runs once, by its token, its id or its body', async () => {
  const seen: Seen[] = []
  const world = createWorld({}, addon => addon.webhook('room_message', seeing(seen)))
  await world.install('a')
  const token = world.sign('a', { jti: 'one' })
  for (let round = 0; round < 3; round += 1)
    assert.equal((await world.deliver('a', message('x'), { token })).status, 204)
  await world.deliver('a', message('y'), { token })
  await world.inbox.finished()
  assert.equal(seen.length, 1, 'one token, one delivery')
  const now = Math.floor(world.time.now / 1000)
  await world.deliver('a', message('x'), { token: world.sign('a', { jti: 'one', iat: now - 5 }) })
  await world.inbox.finished()
  assert.equal(seen.length, 1, 'the host’s own id over its retries')
  for (const iat of [now, now - 1]) {
    await world.deliver('a', message('z'), { token: world.sign('a', { jti: undefined, iat }) })
  }
  await world.inbox.finished()
  assert.equal(seen.length, 2, 'the body where there is no id')
  const bare = world.sign('a', { jti: undefined, iat: now - 9 })
  for (const text of ['u', 'v']) await world.deliver('a', message(text), { token: bare })
  await world.inbox.finished()
  assert.equal(seen.length, 3, 'one token, one delivery, also where it has no id')
  await world.install('b')
  await world.deliver('b', message('x'), { token: world.sign('b', { jti: 'one' }) })
  await world.inbox.finished()
  assert.equal(seen.length, 4, 'another tenant’s ids are its own')
  assert.ok((world.inbox.deliveries[0]?.replayUntil ?? 0) >= world.time.now + 3_600_000)
})

test('D 42: the answer does not wait for the handler', async () => {
  const held = gate()
  const world = createWorld({}, addon => addon.webhook('room_message', () => held.promise))
  await world.install('a')
  const started = performance.now()
  assert.equal((await world.deliver('a', message('x'))).status, 204)
  assert.ok(performance.now() - started < 1_900)
  held.open()
  await world.inbox.finished()
})

test('B4 name: a delivery goes to the definition it names; without a name to each of its event that matches, counted once', async () => {
  const seen: string[] = []
  const world = createWorld({}, addon => {
    addon.webhook('room_message', /a/g, () => seen.push('a'), { name: 'first' })
    addon.webhook('room_message', /b/y, () => seen.push('b'), { name: 'second' })
    addon.webhook('room_enter', () => seen.push('enter'), { name: 'enter' })
  })
  await world.install('t')
  const deliver = async (text: string, query = '') => {
    seen.length = 0
    const made = await world.deliver('t', message(text), { query })
    await world.inbox.finished()
    return [made.status, seen.join()]
  }
  assert.deepEqual(await deliver('ab', '?name=first'), [204, 'a'])
  assert.deepEqual(await deliver('ab', '?name=first'), [204, 'a'])
  assert.deepEqual(await deliver('ab', '?name=second'), [204, 'b'])
  const count = world.inbox.deliveries.length
  assert.deepEqual(await deliver('ab'), [204, 'a,b'])
  assert.equal(world.inbox.deliveries.length, count + 1)
  assert.deepEqual(await deliver('b', '?name=first'), [204, ''])
  assert.deepEqual(await deliver('none'), [204, ''])
  assert.deepEqual(await deliver('ab', '?name=unknown'), [204, ''])
  assert.deepEqual(await deliver('ab', '?name=__proto__'), [204, ''])
  assert.deepEqual(await deliver('ab', '?name=enter'), [400, ''])
  assert.equal(world.inbox.deliveries.length, count + 1, 'what nobody waits for makes no row')
})

test('one failing handler fails the attempt; the others have run', async () => {
  const seen: string[] = []
  const world = createWorld({}, addon => {
    addon.webhook('room_message', () => Promise.reject(new Error('no')))
    addon.webhook('room_message', () => seen.push('second'))
    addon.onWebhook('room_message', () => seen.push('listener'))
  })
  await world.install('a')
  assert.equal((await world.deliver('a', message('x'))).status, 204)
  await world.inbox.finished()
  assert.deepEqual(seen, ['second', 'listener'])
  assert.equal((world.inbox.failures[0] as Error).message, 'no')
})

test('work for a definition that is not there fails its attempt instead of getting lost', async () => {
  const world = createWorld({}, addon => addon.webhook('room_message', () => undefined))
  await world.install('a')
  world.inbox.hooks.run = false
  await world.deliver('a', message('x'))
  const [delivery] = world.inbox.deliveries
  const identity = await world.identity('a')
  assert.ok(delivery && identity)
  const changed = { ...delivery, payload: delivery.payload.replace(/"names":\["\w+"\]/, '"names":["gone"]') }
  await assert.rejects(world.inbox.again(changed, identity), { code: 'ERR_HANDLER_UNKNOWN' })
  await world.inbox.again(delivery, identity)
})

test('listeners alone take deliveries without a name', async () => {
  const seen: Seen[] = []
  const world = createWorld({}, addon => addon.onWebhook('room_message', seeing(seen)))
  await world.install('a')
  await world.deliver('a', message('x'))
  await world.inbox.finished()
  assert.equal(seen.length, 1)
})

test('B7 webhookExtractors: every event brings its parts', async () => {
  const seen: HipchatWebhookContext[] = []
  const world = createWorld({}, addon => {
    for (const event of WEBHOOK_EVENTS) addon.webhook(event, ctx => seen.push(ctx))
  })
  await world.install('a')
  const room = { id: 5, name: 'Den' }
  const sender = { id: 42, name: 'Mina' }
  const items: Record<string, object> = {
    room_message: { room, message: { message: 'x', from: 'Bot' } },
    room_notification: { room, message: { message: '<b>x</b>', from: 'Builds', message_format: 'html' } },
    room_topic_change: { room, sender, topic: 'tea' },
    room_file_upload: { room, sender, file: { name: 'a.png', url: 'https://files.example/a.png', size: 5 } },
  }
  for (const event of WEBHOOK_EVENTS) {
    assert.equal((await world.deliver('a', { event, item: items[event] ?? { room, sender } })).status, 204, event)
  }
  await world.inbox.finished()
  const of = (event: string) => seen.find(ctx => ctx.event === event)
  assert.equal(seen.length, 10)
  assert.ok(seen.every(ctx => ctx.room?.id === 5))
  assert.deepEqual(of('room_message')?.sender, { name: 'Bot' })
  assert.deepEqual(of('room_notification')?.sender, { name: 'Builds' })
  assert.equal(of('room_topic_change')?.topic, 'tea')
  assert.equal(of('room_file_upload')?.file?.name, 'a.png')
  assert.equal(of('room_exit')?.sender?.name, 'Mina')
})

test('a webhook with reply answers with what its handler returns', async () => {
  const world = createWorld({}, addon => {
    addon.webhook('room_message', /^text$/, () => 'Hello', { reply: true })
    addon.webhook('room_message', /^card$/, () => ({ message: 'x', format: 'text', color: 'green' }), { reply: true })
    addon.webhook('room_message', /^none$/, () => undefined, { reply: true })
    addon.webhook('room_message', /^wrong$/, () => 5, { reply: true })
    addon.webhook('room_message', /^fails$/, () => Promise.reject(new Error('no')), { reply: true })
    addon.webhook('room_message', /^plain$/, () => 'not a reply')
  })
  await world.install('a')
  const reply = async (text: string, token = world.sign('a')) => {
    const made = await world.deliver('a', message(text), { token })
    return [made.status, made.body === undefined ? undefined : JSON.parse(String(made.body))]
  }
  assert.deepEqual(await reply('text'), [200, { message: 'Hello' }])
  assert.deepEqual(await reply('card'), [200, { message: 'x', message_format: 'text', color: 'green' }])
  for (const text of ['none', 'wrong', 'fails', 'plain']) assert.deepEqual(await reply(text), [204, undefined], text)
  const token = world.sign('a')
  assert.equal((await reply('text', token))[0], 200)
  const again = performance.now()
  assert.deepEqual(await reply('text', token), [204, undefined], 'sent again: it has run')
  assert.ok(performance.now() - again < 1_900, 'and nobody waits for it')
  world.inbox.hooks.run = false
  const started = performance.now()
  assert.deepEqual(await reply('text'), [204, undefined])
  assert.ok(performance.now() - started < 3_000, 'D 42: late is no reply')
})

test('B4 token: webhooks registered at run time need the tenant’s token besides the signature', async () => {
  const seen: Seen[] = []
  const added: string[] = []
  const world = createWorld({}, addon => {
    addon.onWebhook('room_message', seeing(seen))
    addon.page('/add', async ctx => {
      const webhook = await ctx.tenantWebhooks.add('room_message', /^tea (\w+)$/i)
      added.push(
        webhook.name,
        (await ctx.tenantWebhooks.add(5, { event: 'room_message', pattern: '(?i)^tea (\\w+)$' })).name,
      )
      assert.deepEqual(await ctx.tenantWebhooks.get(5, webhook.name), webhook)
      return webhook
    })
    addon.page('/remove', async ctx => ({ removed: await ctx.tenantWebhooks.remove(added[0] ?? '') }))
  })
  await world.install('a')
  let address = ''
  world.intercept = request => {
    if (!request.url.endsWith('/room/5/webhook')) return undefined
    const body = JSON.parse(String(request.body))
    assert.equal(body.authentication, 'jwt')
    assert.equal(body.pattern, '(?i)^tea (\\w+)$')
    address = body.url
    return { status: 201, headers: {}, body: Buffer.from('{"id": 99}') }
  }
  const made = await world.request(view('GET', '/add', { headers: { 'x-acpt': world.sign('a') } }))
  assert.equal(made.status, 200)
  assert.equal(added[0], added[1], 'the same one again is not registered twice')
  const secret = (await world.identity('a'))?.secrets.get('webhookToken') ?? ''
  assert.ok(address.startsWith('https://greeter.example/addon/webhook?') && address.includes(secret))
  assert.ok(
    !JSON.stringify([...world.stores].map(([name, rows]) => [name, ...rows])).includes(secret),
    'not kept in the store',
  )

  const query = new URL(address).search
  assert.equal((await world.deliver('a', message('tea green'), { query })).status, 204)
  assert.equal((await world.deliver('a', message('coffee'), { query })).status, 204)
  await world.inbox.finished()
  assert.deepEqual(
    seen.map(one => one.match),
    ['tea green'],
  )
  assert.equal((await world.deliver('a', message('tea x'), { query: `?name=${added[0]}` })).status, 401)
  assert.equal((await world.deliver('a', message('tea x'), { query: `?name=${added[0]}&token=x` })).status, 401)
  const removed = await world.request(view('GET', '/remove', { headers: { 'x-acpt': world.sign('a') } }))
  assert.equal(String(removed.body), '{"removed":true}')
  assert.ok(world.calls.some(call => call.method === 'DELETE' && call.url.endsWith('/room/5/webhook/99')))
})

test('a body nested without end is refused, not stored', async () => {
  const world = createWorld({}, addon => addon.webhook('room_message', () => undefined))
  await world.install('a')
  const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
  const head = '"event":"room_message","oauth_client_id":"a","webhook_id":1'
  const raw = Buffer.from(`{${head},"item":{"message":{"message":"]x[[\\\\"},"more":${deep(50_000)}}}`)
  const made = await world.request(view('POST', '/addon/webhook', { headers: { 'x-acpt': world.sign('a') }, raw }))
  assert.deepEqual([made.status, errorCode(made)], [400, 'ERR_BODY_INVALID'])
  const flat = Buffer.from(`{${head},"item":{"message":{"message":"${'['.repeat(100)}\\\\\\""},"more":${deep(60)}}}`)
  const headers = { 'x-acpt': world.sign('a') }
  assert.equal((await world.request(view('POST', '/addon/webhook', { headers, raw: flat }))).status, 204)
})
