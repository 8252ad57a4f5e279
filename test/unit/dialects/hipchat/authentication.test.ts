// Who a request is from: carriers, claims, sessions, and what the context shows.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { propertyNames } from '../../../../src/http/admission.ts'
import { signHs256 } from '../../../../src/wire/jws.ts'
import { createWorld, errorCode, view, type World } from './world.ts'

const whoami = () =>
  createWorld({}, addon =>
    addon.page('/whoami', ctx => ({
      tenant: ctx.tenant.id,
      user: ctx.authentication.userId,
      room: ctx.roomClient?.room,
      tz: ctx.authentication.context.tz,
    })),
  )
const page = (world: World, headers: Record<string, string | string[]>, query = '') =>
  world.request(view('GET', `/whoami${query}`, { headers }))
const status = async (world: World, token: string) => (await page(world, { authorization: `JWT ${token}` })).status

test('every documented carrier proves the tenant', async () => {
  const world = whoami()
  await world.install('a')
  const token = world.sign('a', { context: { room_id: 9, user_tz: 'Europe/Paris' } })
  const requests = [
    page(world, {}, `?theme=light&signed_request=${token}`),
    page(world, { authorization: `JWT ${token}` }),
    page(world, { authorization: `JWT token=${token}` }),
    page(world, { 'x-acpt': token }),
  ]
  for (const made of await Promise.all(requests)) {
    assert.equal(made.status, 200)
    assert.deepEqual(JSON.parse(String(made.body)), { tenant: 'a', user: '42', room: 9, tz: 'Europe/Paris' })
  }
})

test('B 29: two tokens in one request are refused, also equal ones', async () => {
  const world = whoami()
  await world.install('a')
  const token = world.sign('a')
  const twice: [Record<string, string | string[]>, string][] = [
    [{ authorization: `JWT ${token}` }, `?signed_request=${token}`],
    [{ authorization: `JWT ${token}`, 'x-acpt': token }, ''],
    [{}, `?signed_request=${token}&signed_request=${token}`],
    [{ 'x-acpt': [token, token] }, ''],
    [{ authorization: [`JWT ${token}`, `JWT ${token}`] }, ''],
  ]
  for (const [headers, query] of twice) assert.equal((await page(world, headers, query)).status, 401)
})

test('B 23: the tenant is the issuer of the verified token and nothing else', async () => {
  const world = whoami()
  await world.install('a')
  await world.install('b')
  const token = world.sign('a', { aud: 'b', tenant: 'b', context: { oauth_client_id: 'b' } })
  const made = await page(world, { authorization: `JWT ${token}`, 'x-tenant': 'b' }, '?tenant=b&oauthId=b&iss=b')
  assert.equal(JSON.parse(String(made.body)).tenant, 'a')
})

test('B 24: a token signed with another tenant’s secret, by the app, or for another dialect is refused', async () => {
  const world = whoami()
  await world.install('a')
  await world.install('b')
  const iat = Math.floor(world.time.now / 1000)
  const claims = { iss: 'a', sub: '42', iat, exp: iat + 600 }
  assert.equal(await status(world, signHs256({ typ: 'JWT' }, claims, 'secret-of-b')), 401)
  const session = (await world.identity('a'))?.secrets.sessionKey
  assert.ok(session)
  assert.equal(await status(world, signHs256({ typ: 'JWT' }, claims, session)), 401)
  assert.equal(await status(world, world.sign('a', {}, { typ: 'pw-session+jwt' })), 401)
  assert.equal(await status(world, world.sign('a', {}, { typ: 'at+jwt' })), 401)
  const text = [{ alg: 'HS512', typ: 'JWT' }, claims]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  assert.equal(
    await status(world, `${text}.${createHmac('sha512', 'secret-of-a').update(text).digest('base64url')}`),
    401,
  )
  const other = createWorld({ key: 'com.example.second' })
  await other.install('a')
  assert.equal(await status(whoami(), other.sign('a')), 401, 'the same id in another add-on')
})

test('B 25: an unknown tenant and a wrong signature get the same answer', async () => {
  const world = whoami()
  await world.install('a')
  world.clients.set('stranger', { secret: 'secret-of-stranger', group: 1 })
  const iat = Math.floor(world.time.now / 1000)
  const unknown = await page(world, { authorization: `JWT ${world.sign('stranger')}` })
  const wrong = await page(world, {
    authorization: `JWT ${signHs256({}, { iss: 'a', iat, exp: iat + 9 }, 'wrong-secret')}`,
  })
  assert.deepEqual(unknown, wrong)
  assert.equal(unknown.status, 401)
  const expired = { iat: iat - 9_000, exp: iat - 8_000 }
  const unknownExpired = await page(world, { authorization: `JWT ${world.sign('stranger', expired)}` })
  assert.deepEqual(unknownExpired, wrong, 'claims are looked at after the signature')
})

test('B 26: a tenant without a usable secret lets nobody in', async () => {
  const world = whoami()
  await world.install('a')
  const identity = await world.identity('a')
  assert.ok(identity)
  const empty = {
    ...identity,
    secrets: new (Object.getPrototypeOf(identity.secrets).constructor)(new Map([['secret', '']])),
  }
  for (const [name] of world.registry.records) world.registry.records.set(name, empty)
  const iat = Math.floor(world.time.now / 1000)
  const text = [{ alg: 'HS256' }, { iss: 'a', iat, exp: iat + 9 }]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  for (const key of ['', 'undefined', 'null']) {
    assert.equal(await status(world, `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`), 401)
  }
})

test('B 32: wrong types, missing and unlikely times are refused', async () => {
  const world = whoami()
  await world.install('a')
  const now = Math.floor(world.time.now / 1000)
  const bad: Record<string, unknown>[] = [
    { exp: undefined },
    { exp: '9999999999' },
    { exp: null },
    { exp: now - 61 },
    { exp: {} },
    { iat: undefined },
    { iat: 'x' },
    { iat: now + 61 },
    { iat: now - 15 * 60 - 61, exp: now + 60 },
    { nbf: now + 61 },
    { nbf: 'x' },
    { sub: {} },
    { sub: null },
    { sub: undefined, prn: [] },
    { sub: 1.5 },
    { jti: 5 },
    { context: 'x' },
    { context: [] },
    { iss: 5 },
    { iss: ['a'] },
    { iss: {} },
    { iss: '' },
    { iss: undefined },
  ]
  for (const claims of bad) assert.equal(await status(world, world.sign('a', claims)), 401, JSON.stringify(claims))
  const good: Record<string, unknown>[] = [
    {},
    { sub: 42 },
    { sub: undefined, prn: 42 },
    { jti: undefined },
    { sub: undefined },
    { iat: now - 14 * 60 },
    { iat: now + 30 },
  ]
  for (const claims of good) assert.equal(await status(world, world.sign('a', claims)), 200, JSON.stringify(claims))
})

test('the user is sub, else prn, always as text', async () => {
  const world = whoami()
  await world.install('a')
  const user = async (claims: object) => {
    const made = await page(world, { 'x-acpt': world.sign('a', { ...claims }) })
    return JSON.parse(String(made.body)).user
  }
  assert.equal(await user({ sub: 7, prn: 8 }), '7')
  assert.equal(await user({ sub: undefined, prn: 8 }), '8')
  assert.equal(await user({ sub: undefined }), undefined)
})

test('B 30: a session token has its own type, key and audience, and a chain of them ends', async () => {
  const world = createWorld({}, addon => addon.page('/renew', ctx => ctx.authentication.token))
  await world.install('a')
  const renew = (token: string) => world.request(view('GET', '/renew', { headers: { 'x-acpt': token } }))
  const first = await renew(world.sign('a', { context: { room_id: 3 } }))
  let token = String(first.body)
  assert.equal(first.headers[first.headers.indexOf('jwt') + 1], token)
  assert.equal(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).typ, 'pw-session+jwt')
  let rounds = 0
  for (; rounds < 100; rounds += 1) {
    world.time.now += 10 * 60_000
    const made = await renew(token)
    if (made.status !== 200) break
    token = String(made.body)
  }
  assert.ok(rounds >= 46 && rounds <= 48, `8 hours of 10 minutes, not ${rounds}`)
})

test('a re-install ends sessions, and a session token is no webhook signature', async () => {
  const world = createWorld({}, addon => {
    addon.page('/renew', ctx => ctx.authentication.token)
    addon.webhook('room_enter', () => undefined)
  })
  await world.install('a')
  const made = await world.request(view('GET', '/renew', { headers: { 'x-acpt': world.sign('a') } }))
  const token = String(made.body)
  const body = { event: 'room_enter', item: { room: { id: 1 }, sender: { id: 2, name: 'Mina' } } }
  assert.equal((await world.deliver('a', body, { token })).status, 401)
  await world.install('a', { secret: 'another-secret' })
  assert.equal((await world.request(view('GET', '/renew', { headers: { 'x-acpt': token } }))).status, 401)
})

test('a signature that fails against a cached entry costs one fresh look', async () => {
  const world = whoami()
  await world.install('a')
  const stale = await world.identity('a')
  await world.install('a', { secret: 'another-secret' })
  world.registry.hooks.cached = stale
  assert.equal(await status(world, world.sign('a')), 200)
  const key = stale ?? assert.fail()
  await world.registry.apply({ kind: 'disable', key, at: world.time.now, reason: 'test' })
  world.registry.hooks.cached = await world.identity('a')
  await world.registry.apply({ kind: 'enable', key, at: world.time.now, reason: 'test' })
  assert.equal(await status(world, world.sign('a')), 200, 'the same for one that was disabled a moment ago')
})

test('an uninstalled or disabled tenant is refused, also with a good token', async () => {
  const world = whoami()
  await world.install('a')
  const token = world.sign('a')
  await world.registry.apply({
    kind: 'disable',
    key: (await world.identity('a')) ?? assert.fail(),
    at: world.time.now,
    reason: 'test',
  })
  const made = await page(world, { 'x-acpt': token })
  assert.deepEqual([made.status, errorCode(made)], [401, 'ERR_TENANT_DISABLED'])
})

test('H 82: answers of authenticated pages are private, and no page is open by accident', async () => {
  const world = createWorld({}, addon => {
    addon.page('/private', () => '<p>hello</p>')
    addon.page('/open', () => ({ open: true }), { public: true })
  })
  await world.install('a')
  const made = await world.request(view('GET', '/private', { headers: { 'x-acpt': world.sign('a') } }))
  const headers = new Map(
    made.headers.flatMap((name, index) => (index % 2 === 0 ? [[name, made.headers[index + 1]] as const] : [])),
  )
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.equal(headers.get('referrer-policy'), 'no-referrer')
  assert.equal(headers.get('access-control-allow-origin'), undefined)
  assert.equal((await world.request(view('GET', '/private'))).status, 401)
  assert.equal((await world.request(view('GET', '/open'))).status, 200)
})

test('secrets and tokens stand behind getters that no printer reaches', async () => {
  const shown: string[] = []
  const world = createWorld({}, addon =>
    addon.page('/show', ctx => {
      assert.equal(ctx.tenant.secret, 'secret-of-a')
      assert.ok(ctx.tenant.webhookToken)
      const token = ctx.authentication.token
      for (const value of [ctx.tenant, ctx.authentication]) {
        shown.push(JSON.stringify(value), inspect(value, { depth: 9, showHidden: true, getters: true }))
        shown.push(
          JSON.stringify({ ...value }),
          JSON.stringify(structuredClone(value)),
          JSON.stringify(Object.entries(value)),
        )
      }
      const hidden = [ctx.tenant.secret, ctx.tenant.webhookToken, token]
      for (const text of shown) for (const secret of hidden) assert.ok(secret && !text.includes(secret), text)
    }),
  )
  await world.install('a')
  const made = await world.request(view('GET', '/show', { headers: { 'x-acpt': world.sign('a') } }))
  assert.equal(made.status, 204, String((world.unexpected[0] as Error | undefined)?.cause))
  assert.equal(shown.length, 10)
  assert.deepEqual(JSON.parse(shown[0] ?? ''), {
    id: 'a',
    group: 7,
    room: 5,
    links: (await world.identity('a'))?.attributes.links,
  })
})

test('B7 authenticator: the guard of adapters binds the tenant and gives the session token as a header', async () => {
  const world = createWorld()
  await world.install('a')
  const guard = world.addon.guard()
  const guarded = await guard(view('GET', '/anything', { headers: { 'x-acpt': world.sign('a') } }))
  assert.deepEqual([...propertyNames(guarded.properties)].sort(), [
    'authentication',
    'locals',
    'roomClient',
    'tenant',
    'tenantClient',
    'tenantStore',
    'tenantWebhooks',
  ])
  assert.deepEqual(guarded.headers(), [])
  const token = (guarded.properties.authentication as { token: string }).token
  assert.deepEqual(guarded.headers(), ['jwt', token])
  assert.equal(
    guarded.run(() => 5),
    5,
  )
  guarded.release()
  guarded.release()
  await assert.rejects(async () => guard(view('GET', '/anything')), { code: 'ERR_TOKEN_MISSING' })
})

test('the builder is closed after the first request', async () => {
  const world = createWorld()
  await world.request(view('GET', '/addon/capabilities'))
  assert.throws(() => world.addon.page('/late', () => ''), TypeError)
  assert.throws(() => world.addon.webhook('room_enter', () => ''), TypeError)
})
