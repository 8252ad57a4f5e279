// Calls as a user: the assertion, the token behind it, and whose it is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientWorld } from './client-world.ts'
import { createClientWorld, verified } from './client-world.ts'
import type { Recorded } from './recording-server.ts'

const ACCOUNT = '5b10a2844c20165700ede21g'

/** A token that tells whose it is. */
function answerTokens({ server }: ClientWorld): void {
  server.reply = call => ({
    status: 200,
    body: { access_token: `token-${server.calls.length}-${subjectOf(call)}`, token_type: 'Bearer', expires_in: 900 },
  })
}
const subjectOf = (call: Recorded) => {
  const assertion = new URLSearchParams(call.body).get('assertion') ?? ''
  return JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString())
    .sub.split(':')
    .pop()
}

test('an assertion is exchanged for a token of the user, which goes to the tenant’s product alone', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  answerTokens(world)
  await world.call('ada', client => client.asUser(ACCOUNT, ['WRITE', 'READ']).get('/rest/api/user/current'))
  const [exchange] = world.server.calls
  const form = new URLSearchParams(exchange?.body)
  assert.deepEqual(
    [exchange?.method, exchange?.target, form.get('grant_type'), form.get('scope')],
    ['POST', '/oauth2/token', 'urn:ietf:params:oauth:grant-type:jwt-bearer', 'READ WRITE'],
  )
  const iat = Math.floor(world.time.now / 1000)
  assert.deepEqual(verified(form.get('assertion') ?? '', 'secret-of-ada'), {
    iss: 'urn:atlassian:connect:clientid:oauth-ada',
    sub: `urn:atlassian:connect:useraccountid:${ACCOUNT}`,
    tnt: `${world.product.origin}/wiki`,
    aud: world.server.origin,
    iat,
    exp: iat + 60,
  })
  assert.equal(world.product.calls[0]?.headers.authorization, `Bearer token-1-${ACCOUNT}`)
  await assert.rejects(
    world.call('ada', client => client.asUser(ACCOUNT, ['READ', 'WRITE']).get(`${world.server.origin}/wiki/x`)),
    { code: 'ERR_OUTBOUND_REFUSED' },
  )
  assert.equal(world.server.calls.length, 1)
})

test('C 38: one exchange serves all who wait, and later calls until the token ends', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  answerTokens(world)
  const read = () => world.call('ada', client => client.asUser(ACCOUNT).get('/rest'))
  await Promise.all(Array.from({ length: 20 }, read))
  await read()
  assert.equal(world.server.calls.length, 1)
  world.time.now += 871_000
  await read()
  assert.equal(world.server.calls.length, 2)
})

test('a token is not used in its last 30 s, whatever stands in the way of another one', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  answerTokens(world)
  const read = () => world.call('ada', client => client.asUser(ACCOUNT).get('/rest'))
  await read()
  world.server.reply = () => ({ status: 503 })
  world.time.now += 865_000
  await read()
  world.time.now += 10_000
  await assert.rejects(read(), { code: 'ERR_HOST_RESPONSE' })
  assert.equal(world.product.calls.length, 2)
})

test('no token is asked for once the installation has ended', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  answerTokens(world)
  await world.call('ada', async client => {
    const user = client.asUser(ACCOUNT)
    await world.uninstall('ada')
    await assert.rejects(user.get('/rest'), { code: 'ERR_TENANT_REVOKED' })
  })
  assert.equal(world.server.calls.length, 0)
})

test('C 37: a token is of one tenant, user and set of scopes', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await world.install('grace')
  answerTokens(world)
  for (const name of ['ada', 'grace']) {
    await world.call(name, async client => {
      await client.asUser(ACCOUNT).get('/rest')
      await client.asUser('other').get('/rest')
      await client.asUser(ACCOUNT, ['READ']).get('/rest')
    })
  }
  const tokens = world.product.calls.map(call => call.headers.authorization)
  assert.equal(new Set(tokens).size, 6)
})

test('a new secret ends the tokens of users', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  answerTokens(world)
  const read = () => world.call('ada', client => client.asUser(ACCOUNT).get('/rest'))
  await read()
  await world.install('ada', {}, 'another-secret')
  await read()
  assert.equal(world.server.calls.length, 2)
  verified(new URLSearchParams(world.server.calls[1]?.body).get('assertion') ?? '', 'another-secret')
})

test('C 38: a token that the product refuses is fetched anew once', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  answerTokens(world)
  world.product.reply = () => ({ status: 401 })
  await assert.rejects(
    world.call('ada', client => client.asUser(ACCOUNT).get('/rest')),
    { code: 'ERR_HOST_TOKEN_REFUSED' },
  )
  assert.deepEqual([world.product.calls.length, world.server.calls.length], [2, 2])
  assert.notEqual(world.product.calls[0]?.headers.authorization, world.product.calls[1]?.headers.authorization)
})

test('a refusal of the authorization server is told without the assertion', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  world.server.reply = call => ({ status: 400, body: { error: 'invalid_grant', error_description: call.body } })
  await assert.rejects(
    world.call('ada', client => client.asUser(ACCOUNT).get('/rest')),
    (error: { code?: string; message: string }) => {
      assert.equal(error.code, 'ERR_HOST_TOKEN_REFUSED')
      assert.equal(JSON.stringify([error.message, error]).includes('eyJ'), false)
      return true
    },
  )
  assert.equal(world.product.calls.length, 0)
})

test('what the descriptor or the installation does not give is told before anything leaves', async t => {
  const world = await createClientWorld(t, { scopes: ['ADMIN'] })
  await world.install('ada')
  await assert.rejects(
    world.call('ada', async client => client.asUser(ACCOUNT)),
    { code: 'ERR_SCOPE_UNDECLARED' },
  )
  const able = await createClientWorld(t, { scopes: ['READ', 'ACT_AS_USER'] })
  await able.install('ada')
  const { oauthClientId: _, ...rest } = (await able.find('ada')).attributes
  await able.registry.apply({
    kind: 'install',
    key: { app: 'com.example.notes', environment: 'test', dialect: 'connect', externalId: 'grace' },
    at: able.time.now,
    reason: 'install',
    host: 'atlassian.net',
    secrets: { secret: 'x' },
    attributes: rest,
    state: 'installed',
  })
  await assert.rejects(
    able.call('grace', async client => client.asUser(ACCOUNT)),
    { code: 'ERR_ACT_AS_USER_UNAVAILABLE' },
  )
  await assert.rejects(
    able.call('ada', async client => client.asUser(ACCOUNT, ['ADMIN'])),
    { code: 'ERR_SCOPE_UNDECLARED' },
  )
  for (const account of ['', 'a b', 'x'.repeat(129), 'a\n', 'urn/x', '*']) {
    await assert.rejects(
      able.call('ada', async client => client.asUser(account)),
      { code: 'ERR_CALL_INVALID' },
      account,
    )
  }
  assert.equal(able.server.calls.length + world.server.calls.length, 0)
})

test('the authorization server is configuration: https, or a development host', async t => {
  for (const authorizationServer of ['http://evil.example', 'https://a.example/?x=1', 'nonsense', 'ftp://a.example']) {
    await assert.rejects(createClientWorld(t, { authorizationServer }), { code: 'ERR_DESCRIPTOR_INVALID' })
  }
})
