// Calls of the tenant's REST API: where they may go, with which token, and what errors say.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPartywallError } from '../../../../src/core/errors.ts'
import type { HipchatPageContext } from '../../../../src/dialects/hipchat/handler-context.ts'
import { apiCalls, inPage, ready, tokenCalls } from './client-world.ts'
import { answer, createWorld, HOST } from './world.ts'

test('a call carries a token for exactly the scope it needs', async () => {
  const { world, run } = await ready()
  await run(async ctx => {
    const options = { color: 'green', format: 'text', notify: true, attachTo: 'm1' } as const
    assert.equal(await ctx.roomClient?.sendNotification('Hello', options), null)
    await ctx.tenantClient.sendNotification('The Den/2', 'Hi')
  })
  const [first, second] = apiCalls(world)
  assert.equal(first?.url, `${HOST}/v2/room/5/notification`)
  assert.equal(first?.method, 'POST')
  assert.deepEqual(JSON.parse(String(first?.body)), {
    message: 'Hello',
    message_format: 'text',
    color: 'green',
    notify: true,
    attach_to: 'm1',
  })
  assert.match(first?.headers?.authorization ?? '', /^Bearer token-/)
  assert.equal(second?.url, `${HOST}/v2/room/The%20Den%2F2/notification`)
  assert.equal(tokenCalls(world).length, 1)
  assert.equal(String(tokenCalls(world)[0]?.body), 'grant_type=client_credentials&scope=send_notification')
})

test('the other calls of the part', async () => {
  const { world, run } = await ready()
  await run(async ctx => {
    const client = ctx.tenantClient
    await client.getRoom(5, { expand: ['owner', 'participants'] })
    await client.setRoomTopic(5, 'tea')
    await client.getRoomWebhooks(5, { maxResults: 10, startIndex: undefined })
    await client.deleteRoomWebhook(5, 9)
    await client.getUser('@mina')
    await client.getSession('some-token')
    await client.deleteSession('some-token')
    await client.forRoom(6).getRoom()
  })
  const seen = apiCalls(world).map(call => `${call.method} ${call.url.slice(HOST.length)} ${call.body ?? ''}`.trim())
  assert.deepEqual(seen, [
    'GET /v2/room/5?expand=owner%2Cparticipants',
    'PUT /v2/room/5/topic {"topic":"tea"}',
    'GET /v2/room/5/webhook?max-results=10',
    'DELETE /v2/room/5/webhook/9',
    'GET /v2/user/%40mina',
    'GET /v2/oauth/token/some-token',
    'DELETE /v2/oauth/token/some-token',
    'GET /v2/room/6',
  ])
  assert.equal(apiCalls(world)[5]?.headers?.authorization, 'Bearer some-token')
})

test('a scope that the descriptor does not declare is refused before anything leaves', async () => {
  const { world, run } = await ready()
  await assert.rejects(
    run(ctx => ctx.tenantClient.getRoomMembers(5)),
    { code: 'ERR_SCOPE_UNDECLARED' },
  )
  await assert.rejects(
    run(ctx => ctx.tenantClient.request('GET', '/emoticon', { scopes: ['admin_group'] })),
    { code: 'ERR_SCOPE_UNDECLARED' },
  )
  assert.equal(world.calls.length, 0)
})

test('C 39: a call never leaves the API of the tenant’s own host', async () => {
  const { world, run } = await ready()
  const paths = [
    'https://evil.example/v2/room',
    'http://host.example/v2/room',
    'https://host.example:8443/v2/room',
    'https://host.example/other',
    'https://host.example/v2x/room',
    '/../admin',
    '/%2e%2e/admin',
    '/room/../../admin',
    '//evil.example\\x',
    'room',
    '',
    'https://user@host.example/v2/room',
    'javascript:alert(1)',
    '/a b',
    '/a\u0000',
  ]
  for (const path of paths) {
    const error = await run(ctx => ctx.tenantClient.request('GET', path, { scopes: ['view_group'] })).catch(
      caught => caught,
    )
    assert.ok(
      isPartywallError(error, 'ERR_OUTBOUND_URL') || isPartywallError(error, 'ERR_OUTBOUND_REFUSED'),
      `${path}: ${error}`,
    )
  }
  await assert.rejects(
    run(ctx => ctx.tenantClient.getRoom('..')),
    { code: 'ERR_OUTBOUND_URL' },
  )
  await assert.rejects(
    run(ctx => ctx.tenantClient.getRoom('\ud800')),
    { code: 'ERR_OUTBOUND_URL' },
  )
  assert.equal(world.calls.length, 0)
  await run(ctx => ctx.tenantClient.request('GET', `${HOST}/v2/room?start-index=100`, { scopes: ['view_group'] }))
  assert.equal(apiCalls(world)[0]?.url, `${HOST}/v2/room?start-index=100`)
  assert.deepEqual(apiCalls(world)[0]?.allowedOrigins, [HOST])
})

test('C 38: callers share one token request; a refused token is fetched anew once', async () => {
  const { world, run } = await ready()
  await run(ctx => Promise.all(Array.from({ length: 10 }, () => ctx.roomClient?.getRoom())))
  assert.equal(tokenCalls(world).length, 1)
  let refusals = 1
  world.intercept = request => {
    if (request.url.endsWith('/oauth/token') || refusals === 0) return undefined
    refusals -= 1
    return answer(401, { error: { code: 401, message: 'expired' } })
  }
  await run(ctx => ctx.roomClient?.getRoom())
  assert.equal(tokenCalls(world).length, 2)
  refusals = 99
  await assert.rejects(
    run(ctx => ctx.roomClient?.getRoom()),
    { code: 'ERR_HOST_TOKEN_REFUSED' },
  )
  assert.equal(tokenCalls(world).length, 3)
})

test('a rate limit is said with its time; a short one is waited out once', async () => {
  const { world, run } = await ready()
  world.intercept = request =>
    request.url.endsWith('/token')
      ? undefined
      : answer(429, {}, { 'x-ratelimit-reset': String(world.time.now / 1000 + 90) })
  await assert.rejects(
    run(ctx => ctx.roomClient?.getRoom()),
    { code: 'ERR_HOST_RATE_LIMITED', retryAfterSeconds: 90 },
  )
  assert.equal(apiCalls(world).length, 1)
  let limited = true
  world.intercept = request => {
    if (request.url.endsWith('/token') || !limited) return undefined
    limited = false
    return answer(429, {}, { 'retry-after': '1' })
  }
  await run(ctx => ctx.roomClient?.getRoom())
  assert.equal(apiCalls(world).length, 3)
})

test('errors say what the host said, cut and without credentials', async () => {
  const { world, run } = await ready()
  const secret = `eyJ${'x'.repeat(60)}`
  world.intercept = request =>
    request.url.endsWith('/token')
      ? undefined
      : answer(404, { error: { code: 404, message: `No room ${secret} ${'y '.repeat(400)}` } })
  const error = await run(ctx => ctx.roomClient?.getRoom()).catch(caught => caught)
  assert.ok(isPartywallError(error, 'ERR_HOST_RESPONSE'))
  assert.equal(error.details.status, 404)
  assert.match(error.message, /unexpected status 404 of GET \/v2\/room\/5: No room \[removed\]/)
  assert.ok(String(error.details.hostMessage).length <= 200 && !error.message.includes(secret))
  world.intercept = request =>
    request.url.endsWith('/token') ? undefined : { status: 200, headers: {}, body: Buffer.from('<html>') }
  await assert.rejects(
    run(ctx => ctx.roomClient?.getRoom()),
    { code: 'ERR_HOST_RESPONSE' },
  )
})

test('a client whose tenant has ended calls nobody', async () => {
  const { world, run } = await ready()
  const kept: HipchatPageContext[] = []
  await run(ctx => kept.push(ctx))
  await run(async ctx => {
    world.clients.delete('a')
    await world.uninstall('a')
    const calls = world.calls.length
    await assert.rejects(async () => ctx.roomClient?.getRoom(), { code: 'ERR_TENANT_REVOKED' })
    await assert.rejects(async () => ctx.tenantClient.getToken('view_group'), { code: 'ERR_TENANT_REVOKED' })
    assert.equal(world.calls.length, calls)
  }, 410)
  const calls = world.calls.length
  await assert.rejects(async () => kept[0]?.roomClient?.getRoom(), { code: 'ERR_TENANT_REVOKED' })
  assert.equal(world.calls.length, calls)
})

test('a tenant that ends while its token is on the way makes no call; one that ends during the call gets no answer', async () => {
  for (const [ending, calls] of [
    ['/oauth/token', 0],
    ['/room/5', 1],
  ] as const) {
    const { world, run } = await ready()
    world.intercept = async ({ url }) => {
      if (!url.endsWith(ending) || !world.clients.has('a')) return undefined
      world.clients.delete('a')
      await world.uninstall('a')
      return url.endsWith('/token') ? answer(200, { access_token: 'late', expires_in: 60 }) : undefined
    }
    await run(async ctx => {
      await assert.rejects(async () => ctx.roomClient?.getRoom(), { code: 'ERR_TENANT_REVOKED' }, ending)
    }, 410)
    assert.equal(apiCalls(world).length, calls, ending)
  }
})

test('two refusals of the token endpoint at least 60 s apart end the installation as host-revoked', async () => {
  const ended: string[] = []
  const box: { work?: (ctx: HipchatPageContext) => unknown } = {}
  const world = createWorld({}, addon => {
    addon.page('/run', ctx => box.work?.(ctx))
    addon.onUninstalled(ctx => ended.push(ctx.tenant.id))
  })
  await world.install('a')
  const call = () => inPage(world, box, ctx => ctx.roomClient?.getRoom())
  world.intercept = request => (request.url.endsWith('/token') ? answer(400, { error: 'invalid_scope' }) : undefined)
  for (let round = 0; round < 3; round += 1) {
    world.time.now += 61_000
    await assert.rejects(call(), { code: 'ERR_HOST_TOKEN_REFUSED' })
  }
  assert.equal((await world.identity('a'))?.state, 'installed', 'a refused scope says nothing about the installation')
  world.intercept = request => (request.url.endsWith('/token') ? answer(401) : undefined)
  await assert.rejects(call(), { code: 'ERR_HOST_TOKEN_REFUSED' })
  world.time.now += 59_000
  await assert.rejects(call(), { code: 'ERR_HOST_TOKEN_REFUSED' })
  assert.deepEqual(ended, [])
  world.time.now += 2_000
  await assert.rejects(call(), { code: 'ERR_HOST_TOKEN_REFUSED' })
  assert.deepEqual(ended, ['a'])
  assert.ok(world.registry.log.includes('uninstall host-revoked committed'))
  assert.equal((await world.identity('a'))?.state, 'uninstalled')
})
