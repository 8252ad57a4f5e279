// Every row of the protocol's known vulnerabilities (s. 14) and of what the official framework answers wrongly, as requests.
import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import { exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { type ConnectWorld, outcomeOf, startConnectWorld } from '../../support/connect-app.ts'
import { type FakeSite, now, post, queryHash } from '../../support/fake-product.ts'

let world: ConnectWorld
let site: FakeSite
let other: FakeSite

before(async () => {
  world = await startConnectWorld(connect => {
    connect
      .page('/page', ({ tenant }) => ({ tenant: tenant.id }))
      .page('/page', () => ({}), { method: 'POST' })
      .api('/api', ({ tenant }) => ({ tenant: tenant.id }))
      .webhook('jira:issue_created', () => undefined)
  })
  site = world.product.createSite(world.url, 'one')
  other = world.product.createSite(world.url, 'two')
  assert.equal((await site.install()).status, 204)
  assert.equal((await other.install()).status, 204)
})
after(() => world?.close())

const get = (path: string, token: string | undefined, headers: Record<string, string> = {}) =>
  fetch(world.url + path, {
    headers: { ...(token === undefined ? {} : { authorization: `JWT ${token}` }), ...headers },
  })
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** Signed with the site's secret, whatever header and claims are. */
function forge(header: unknown, claims: unknown, secret: string = site.secret): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}
const EVENTS = ['installed', 'uninstalled', 'enabled', 'disabled'] as const
const isRefused = async (response: Response | Promise<Response>, where: string) =>
  assert.match(await outcomeOf(response), /^401 ERR_/, where)
/** Still as it was: its own tokens pass. */
const stands = async () => assert.equal((await site.ask('/page')).status, 200)

const TIMES: readonly (readonly [string, JWTPayload])[] = [
  ['no exp', { exp: undefined }],
  ['no iat', { iat: undefined }],
  ['exp as text', { exp: '9999999999' as unknown as number }],
  ['exp past by more than the leeway', { exp: now() - 60 }],
  ['iat in the future', { iat: now() + 300, exp: now() + 600 }],
  ['nbf in the future', { nbf: now() + 300 }],
]
const AUDIENCES: Readonly<Record<string, string | string[] | undefined>> = {
  'another app': 'https://other.example.com',
  'an empty list of audiences': [],
  'no audience': undefined,
}

for (const event of EVENTS) {
  test(`A 1: ${event} takes no context token, none without hash, and none without token`, async () => {
    const send = async (claims: JWTPayload) =>
      post(
        `${world.url}/${event}`,
        await site.sign({ ...site.claims('POST', `/${event}`), ...claims }),
        site.body(event),
      )
    await isRefused(send({ qsh: 'context-qsh' }), 'context')
    await isRefused(send({ qsh: undefined }), 'no hash')
    await isRefused(send({ qsh: queryHash('POST', '/other') }), 'another address')
    await isRefused(post(`${world.url}/${event}`, undefined, site.body(event)), 'unsigned')
    await stands()
  })
}

for (const event of ['installed', 'uninstalled'] as const) {
  const path = `/${event}`
  const send = async (claims: JWTPayload, more: object = {}, header = {}) =>
    post(
      world.url + path,
      await world.product.signLifecycle(
        { ...world.product.lifecycleClaims(world.url, path, site.clientKey), ...claims },
        header,
      ),
      site.body(event, more),
    )

  test(`A 1: ${event} is refused with HS256, even by the current secret`, async () => {
    const claims = world.product.lifecycleClaims(world.url, path, site.clientKey)
    await isRefused(post(world.url + path, await site.sign(claims), site.body(event)), 'HS256')
    await stands()
  })

  test(`A 1: ${event} signed by another key, or with an unknown key id, is refused`, async () => {
    const { privateKey } = await generateKeyPair('RS256', { modulusLength: 2048 })
    const claims = world.product.lifecycleClaims(world.url, path, site.clientKey)
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: world.product.keyId })
      .sign(privateKey)
    await isRefused(post(world.url + path, token, site.body(event)), 'another key')
    await isRefused(send({}, {}, { kid: 'keys/unknown' }), 'unknown')
    await stands()
  })

  const refuses = (claims: JWTPayload) => async () => {
    await isRefused(send(claims), event)
    await stands()
  }
  for (const [what, aud] of Object.entries(AUDIENCES)) {
    test(`A 2: ${event} for ${what} is refused`, refuses({ aud }))
  }
  test(`A 3: ${event} of another issuer than the body’s is refused`, refuses({ iss: 'somebody else' }))
  for (const qsh of ['context-qsh', queryHash('POST', '/other'), undefined]) {
    test(`A 4: ${event} with the hash ${qsh} is refused`, refuses({ qsh }))
  }
  for (const [what, claims] of TIMES) test(`A 5: ${event} with ${what} is refused`, refuses(claims))

  test(`A 3: ${event} with the body of another tenant, app or event is refused`, async () => {
    await isRefused(send({}, { clientKey: other.clientKey }), 'tenant')
    await isRefused(send({}, { key: 'com.example.other' }), 'app')
    await isRefused(send({}, { eventType: 'enabled' }), 'event')
    await stands()
  })
}

const KEY_IDS = [
  '../x',
  '//evil',
  'http://evil/x',
  'a?b',
  'a#b',
  'a%2fb',
  'x'.repeat(10_000),
  '',
  ['a'],
  5,
  '.',
  'a/../b',
]
test('B 20: key ids that are no plain path are refused without a fetch', async () => {
  const before = world.product.asked.length
  for (const kid of KEY_IDS) {
    const claims = world.product.lifecycleClaims(world.url, '/installed', site.clientKey)
    await isRefused(
      post(`${world.url}/installed`, forge({ alg: 'RS256', kid }, claims), site.body('installed')),
      String(kid).slice(0, 20),
    )
  }
  assert.equal(world.product.asked.length, before)
})

test('B 22: a page in place of a key, and a small key, are no keys; a failing key server is 503', async () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const smallPem = small.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const { publicKey } = await generateKeyPair('ES256')
  const answers: readonly (readonly [number, string, string])[] = [
    [404, '<html>not found</html>', '401 ERR_TOKEN_SIGNATURE'],
    [200, '<html>not found</html>', '401 ERR_TOKEN_SIGNATURE'],
    [200, smallPem, '401 ERR_TOKEN_SIGNATURE'],
    [200, await exportSPKI(publicKey), '401 ERR_TOKEN_SIGNATURE'],
    [302, '', '401 ERR_TOKEN_SIGNATURE'],
    [500, '', '503 ERR_HOST_RESPONSE'],
  ]
  for (const [index, [status, body, expected]] of answers.entries()) {
    world.product.answer = (_, response) =>
      response.writeHead(status, { location: 'http://169.254.169.254/' }).end(body)
    const claims = world.product.lifecycleClaims(world.url, '/installed', site.clientKey)
    const token = await world.product.signLifecycle(claims, { kid: `keys/other-${index}` })
    assert.equal(await outcomeOf(post(`${world.url}/installed`, token, site.body('installed'))), expected, body)
  }
  world.product.answer = undefined
  await stands()
})

test('A 6: a lifecycle token is good for one body; the same once more changes nothing', async () => {
  const fresh = world.product.createSite(world.url, 'replay')
  const claims = world.product.lifecycleClaims(world.url, '/installed', fresh.clientKey)
  const token = await world.product.signLifecycle(claims)
  const send = (more = {}) => post(`${world.url}/installed`, token, fresh.body('installed', more))
  assert.equal((await send()).status, 204)
  assert.equal(await outcomeOf(send({ sharedSecret: 'x'.repeat(40) })), '401 ERR_TOKEN_REPLAYED')
  assert.equal((await send()).status, 204)
  assert.equal((await fresh.ask('/page')).status, 200)
})

const BASE_URLS = [
  'https://a.atlassian.net.evil.example',
  'https://evil.example#.atlassian.net',
  'https://user@a.atlassian.net',
  'https://a.b.atlassian.net',
  'http://a.atlassian.net',
  'https://atlassian.net',
]
test('A 8: a base URL that is not on the list installs nothing', async () => {
  for (const baseUrl of BASE_URLS) {
    const fresh = world.product.createSite(world.url, 'elsewhere')
    assert.match(
      await outcomeOf(fresh.send('installed', { baseUrl })),
      /^(400 ERR_INSTALL_INVALID|403 ERR_INSTALL_HOST_REFUSED)$/,
      baseUrl,
    )
    await isRefused(fresh.ask('/page'), baseUrl)
  }
})

test('B 19: a request is signed with HS256 and nothing else', async () => {
  const claims = site.claims('GET', '/page')
  for (const alg of ['none', 'HS384', 'HS512', 'RS256', 'hs256', '', undefined, null, ['HS256']]) {
    await isRefused(get('/page', forge({ typ: 'JWT', alg }, claims)), String(alg))
  }
  await isRefused(get('/page', `${encode({ alg: 'none' })}.${encode(claims)}.`), 'none')
  const { publicKey } = await generateKeyPair('RS256', { modulusLength: 2048 })
  await isRefused(get('/page', forge({ alg: 'RS256' }, claims, await exportSPKI(publicKey))), 'public key as secret')
})

test('B 23: the tenant is the verified issuer, never the audience, and an unknown one looks like a wrong signature', async () => {
  const foreign = await outcomeOf(get('/page', await other.sign(site.claims('GET', '/page'))))
  const unknown = await outcomeOf(
    get('/page', await site.sign({ ...site.claims('GET', '/page'), iss: 'unknown', aud: site.clientKey })),
  )
  assert.deepEqual([foreign, unknown], ['401 ERR_TOKEN_SIGNATURE', '401 ERR_TOKEN_SIGNATURE'])
  await isRefused(get('/page', await other.sign({ ...site.claims('GET', '/page'), aud: other.clientKey })), 'audience')
  await isRefused(
    get(
      '/page',
      await site.sign({ ...site.claims('GET', '/page'), iss: 'com.example.connect', aud: [site.clientKey] }),
    ),
    'our own name',
  )
})

for (const [what, claims] of TIMES) {
  test(`B 32: a request with ${what} is refused`, async () => {
    await isRefused(get('/page', forge({ alg: 'HS256' }, { ...site.claims('GET', '/page'), ...claims })), what)
  })
}

test('a clock that differs by less than the leeway is no reason to refuse', async () => {
  assert.equal((await site.ask('/page', {}, { exp: now() - 10 })).status, 200)
})

test('B 18: tokens of another form are refused, and never a 500', async () => {
  const good = await site.sign(site.claims('GET', '/page'))
  const [head = '', , tail = ''] = good.split('.')
  const texts = [
    '',
    'a.b',
    `${good}.x`,
    `${head}.${encode(null)}.${tail}`,
    `${head}.${encode([])}.${tail}`,
    'x'.repeat(9_000),
  ]
  for (const text of [...texts, `${head}.${Buffer.from([0xff, 0xfe]).toString('base64url')}.${tail}`, `${good}=`]) {
    await isRefused(get('/page', text), text.slice(0, 20))
  }
  await isRefused(get(`/page?jwt=${good}&jwt=${good}`, undefined), 'twice')
  await isRefused(get(`/page?jwt[a]=${good}`, undefined), 'as an object')
  await isRefused(get(`/page?jwt=${good}`, good), 'query and header')
  await isRefused(get('/page', undefined, { authorization: 'jwt' }), 'lower-case, alone')
  await isRefused(get('/page', undefined, { authorization: `jwt ${good}` }), 'the scheme in other letters')
  await isRefused(get('/page', undefined, { authorization: `JWT token=${good}` }), 'as HipChat has it')
  await isRefused(get('/page', undefined, { authorization: 'JWT' }), 'alone')
  await isRefused(get('/page', undefined, { authorization: `Bearer ${good}` }), 'bearer')
})

test('B 27, 28: the hash covers method, path and query; the rule holds where libraries part', async () => {
  const token = await site.sign(site.claims('GET', '/page?a=1'))
  for (const path of ['/page', '/page?a=2', '/page?a=1&b=2', '/page?a=1&a=1']) await isRefused(get(path, token), path)
  await isRefused(post(`${world.url}/page?a=1`, token, {}), 'method')
  assert.equal((await get('/page?a=1', token)).status, 200)
  assert.equal((await site.ask('/page?b=2&a=1&a=0')).status, 200)
  const rule = (canonical: string) =>
    import('node:crypto').then(({ createHash }) => createHash('sha256').update(canonical).digest('hex'))
  const cases = {
    '/page?a[b]=1': 'GET&/page&a%5Bb%5D=1',
    '/page?x[]=2&x[]=1': 'GET&/page&x%5B%5D=1,2',
    '/page?z=1&%C3%A9=2': 'GET&/page&%C3%A9=2&z=1',
  }
  for (const [path, canonical] of Object.entries(cases)) {
    assert.equal((await site.ask(path, {}, { qsh: await rule(canonical) })).status, 200, path)
  }
})

test('A 11: after its uninstall a tenant’s tokens and sessions are refused', async () => {
  const fresh = world.product.createSite(world.url, 'gone')
  await fresh.install()
  assert.equal((await fresh.send('uninstalled')).status, 204)
  await isRefused(fresh.ask('/page'), 'page')
  await isRefused(get('/api', await fresh.contextToken()), 'api')
  await isRefused(fresh.toggle('enabled'), 'enabled')
  assert.equal((await fresh.install()).status, 204)
  assert.equal((await fresh.ask('/page')).status, 200)
})

test('A 10: after a re-install the earlier secret is refused', async () => {
  const fresh = world.product.createSite(world.url, 'again')
  await fresh.install()
  const { secret } = fresh
  await fresh.install()
  await isRefused(get('/page', await fresh.sign(fresh.claims('GET', '/page'), secret)), 'earlier')
  assert.equal((await fresh.ask('/page')).status, 200)
})

test('B 21: 20 installs at once are all saved, with one fetch of the key', async () => {
  const sites = Array.from({ length: 20 }, (_, index) => world.product.createSite(world.url, `many-${index}`))
  const answers = await Promise.all(sites.map(each => each.send('installed')))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([204]))
  assert.equal(world.product.asked.filter(path => path === `/${world.product.keyId}`).length, 1)
  for (const each of sites) assert.equal((await each.ask('/page')).status, 200)
})

test('no secret and no token ever stands in the log', () => {
  const text = world.lines.join('\n')
  for (const secret of [site.secret, other.secret, 'eyJ']) assert.ok(!text.includes(secret))
})

test('A 2: the audience is the configured address; headers that name another host take no part', async () => {
  const fresh = world.product.createSite(world.url, 'headers')
  const claims = { ...world.product.lifecycleClaims('https://evil.example', '/installed', fresh.clientKey) }
  const headers = {
    'content-type': 'application/json',
    authorization: `JWT ${await world.product.signLifecycle(claims)}`,
    forwarded: 'host=evil.example;proto=https',
    'x-forwarded-host': 'evil.example',
  }
  const body = JSON.stringify(fresh.body('installed'))
  await isRefused(fetch(`${world.url}/installed`, { method: 'POST', headers, body }), 'audience')
  await isRefused(fresh.ask('/page'), 'stored')
})

test('A 7: an older event changes neither secret nor state', async () => {
  const fresh = world.product.createSite(world.url, 'older')
  await fresh.install()
  const old = { iat: now() - 25, exp: now() + 100 }
  assert.equal(
    await outcomeOf(fresh.send('installed', { sharedSecret: 'x'.repeat(40) }, old)),
    '409 ERR_LIFECYCLE_STALE',
  )
  assert.equal(await outcomeOf(fresh.send('uninstalled', {}, old)), '409 ERR_LIFECYCLE_STALE')
  assert.equal(await outcomeOf(fresh.toggle('disabled', old)), '409 ERR_LIFECYCLE_STALE')
  assert.equal((await fresh.ask('/page')).status, 200)
})

const BODIES: readonly (readonly [string, object])[] = [
  ['no secret', { sharedSecret: undefined }],
  ['an empty secret', { sharedSecret: '' }],
  ['a secret that is no text', { sharedSecret: ['x'] }],
  ['an endless secret', { sharedSecret: 'x'.repeat(5_000) }],
  ['no base URL', { baseUrl: undefined }],
  ['no product type', { productType: undefined }],
]
for (const [what, more] of BODIES) {
  test(`A 8: an install with ${what} is 400, and nothing is stored`, async () => {
    const fresh = world.product.createSite(world.url, 'body')
    assert.equal(await outcomeOf(fresh.send('installed', more)), '400 ERR_INSTALL_INVALID')
    await isRefused(fresh.ask('/page'), what)
  })
}

test('D 40: a webhook counts only with its tenant’s token, made for this address', async () => {
  const path = '/webhook/jira-issue_created'
  const send = async (claims: JWTPayload, secret?: string) =>
    post(world.url + path, await site.sign({ ...site.claims('POST', path), ...claims }, secret), {})
  await isRefused(send({}, other.secret), 'another tenant')
  await isRefused(send({ qsh: 'context-qsh' }), 'context')
  await isRefused(send({ qsh: queryHash('POST', '/page') }), 'another address')
  await isRefused(post(world.url + path, undefined, {}), 'unsigned')
  assert.equal((await send({})).status, 204)
})
