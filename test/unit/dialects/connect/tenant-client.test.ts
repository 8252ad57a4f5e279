// What leaves for the product of a tenant: signed for this very request, never elsewhere, in every shape a call may have.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProductRequest } from '../../../../src/dialects/connect/call-request.ts'
import { createTenantClient } from '../../../../src/dialects/connect/tenant-client.ts'
import { queryStringHash } from '../../../../src/wire/qsh.ts'
import { claimsOf, createClientWorld } from './client-world.ts'
import type { Reply } from './recording-server.ts'

test('a call carries a token for this request alone', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  const query = { expand: ['body', 'space'], 'ü[x]': 'a b&c', none: undefined }
  await world.call('ada', client => client.get('/rest/api/content', { query }))
  const [call] = world.product.calls
  assert.equal(call?.target.startsWith('/wiki/rest/api/content?expand=body&expand=space&'), true)
  const now = Math.floor(world.time.now / 1000)
  assert.deepEqual(claimsOf(call, 'secret-of-ada'), {
    iss: 'com.example.notes',
    aud: ['ada'],
    iat: now,
    exp: now + 180,
    qsh: queryStringHash({ method: 'GET', target: call?.target ?? '', basePath: '/wiki' }),
  })
  assert.equal(call?.headers['user-agent'], 'Partywall com.example.notes')
  assert.equal(call?.body, '')
})

test('the hash covers the path below the base, as the published rule has it', async t => {
  const world = await createClientWorld(t)
  await world.install('ada', { baseUrl: world.product.origin })
  await world.call('ada', client =>
    client.get('/path/to/service', {
      query: { zee_last: 'param', repeated: ['parameter 1', 'parameter 2'], first: 'param' },
    }),
  )
  const target = '/path/to/service?zee_last=param&repeated=parameter 1&first=param&repeated=parameter 2'
  const { qsh } = claimsOf(world.product.calls[0], 'secret-of-ada')
  assert.equal(qsh, queryStringHash({ method: 'GET', target, basePath: '' }))
})

test('two tenants at once, each call signed with its own secret and sent to its own site', async t => {
  const world = await createClientWorld(t)
  await world.install('ada', { baseUrl: `${world.product.origin}/ada` })
  await world.install('grace', { baseUrl: `${world.product.origin}/grace` })
  const names = Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? 'ada' : 'grace'))
  await Promise.all(names.map(name => world.call(name, client => client.get('/rest/api/space'))))
  assert.equal(world.product.calls.length, 40)
  for (const call of world.product.calls) {
    const [, name = ''] = call.target.split('/')
    assert.deepEqual(claimsOf(call, `secret-of-${name}`).aud, [name])
  }
})

test('C 39: an address that is not below the tenant’s own base gets no call and no token', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  const { origin } = world.product
  const paths = [
    'https://evil.example/wiki/rest',
    `${world.server.origin}/wiki/rest`,
    `${origin}/rest/api/3/myself`,
    `${origin}/wikileaks`,
    '/../rest/api/3/myself',
    '/%2e%2e/rest',
    '/..%2frest',
    '/a/..%5c..%5crest',
    '/%252e%252e%252frest',
    '/..;/rest',
    '/a/../../x',
    `${origin.replace('http://', 'http://ada@')}/wiki/rest`,
    '@evil.example/wiki',
    'rest/api',
    '',
    'file:///etc/passwd',
  ]
  for (const path of paths) {
    await assert.rejects(
      world.call('ada', client => client.get(path)),
      (error: { code?: string }) => error.code === 'ERR_OUTBOUND_REFUSED' || error.code === 'ERR_OUTBOUND_URL',
      path,
    )
  }
  assert.deepEqual([world.product.calls.length, world.server.calls.length], [0, 0])
})

test('an address below the base, as the product’s own links are, is called', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await world.call('ada', client => client.get(`${world.product.origin}/wiki/rest/api/content?start=25#top`))
  assert.equal(world.product.calls[0]?.target, '/wiki/rest/api/content?start=25')
})

test('CVE-2023-28155: a redirect is an error and is never followed with the header on', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  const places = [
    'http://evil.example/',
    'https://evil.example/',
    'http://169.254.169.254/latest/meta-data/',
    `${world.server.origin}/wiki/rest`,
    `${world.product.origin}/wiki/elsewhere`,
    '/wiki/elsewhere',
  ]
  for (const status of [301, 302, 303, 307, 308]) {
    for (const location of places) {
      world.product.reply = () => ({ status, headers: { location } })
      await assert.rejects(
        world.call('ada', client => client.get('/rest/api/content')),
        { code: 'ERR_HOST_RESPONSE' },
      )
    }
  }
  assert.equal(world.product.calls.length, 5 * places.length)
  assert.equal(
    world.product.calls.every(call => call.target === '/wiki/rest/api/content'),
    true,
  )
  assert.equal(world.server.calls.length, 0)
})

test('what a call must not say is refused before anything leaves', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  const requests: readonly (readonly [string, ProductRequest])[] = [
    ['GET', { body: {} }],
    ['HEAD', { form: { a: 1 } }],
    ['POST', { body: {}, form: {} }],
    ['POST', { body: () => undefined }],
    ['TRACE', {}],
    ['GET', { query: { jwt: 'x' } }],
    ['GET', { query: { a: Number.NaN } }],
    ['GET', { query: { a: '\ud800' } }],
    ['GET', { headers: { Authorization: 'Bearer x' } }],
    ['GET', { headers: { cookie: 'a=b' } }],
    ['GET', { headers: { host: 'evil.example' } }],
    ['GET', { headers: { 'x-a': 'b\r\nx-c: d' } }],
    ['GET', { headers: { 'x-a\r\n': 'b' } }],
    ['POST', { multipart: { 'a"b': 'c' } }],
    ['POST', { multipart: { file: { name: '../x', content: 'c' } } }],
    ['POST', { multipart: { file: { name: 'x', content: 'c', contentType: 'a\r\nb' } } }],
  ]
  for (const [method, request] of requests) {
    await assert.rejects(
      world.call('ada', client => client.request(method, '/rest', request)),
      { code: 'ERR_CALL_INVALID' },
      JSON.stringify([method, request]),
    )
  }
  assert.equal(world.product.calls.length, 0)
})

test('JSON, forms and files leave as what they are', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await world.call('ada', async client => {
    await client.post('/rest/a', { body: { title: 'ü' }, headers: { 'X-Atlassian-Token': 'no-check' } })
    await client.put('/rest/b', { form: { name: 'a b', list: [1, 2] } })
    await client.post('/rest/c', { multipart: { comment: 'seen', file: { name: 'note.txt', content: 'hello' } } })
    await client.patch('/rest/d', { body: null })
  })
  const [json, form, files, none] = world.product.calls
  assert.deepEqual(
    [json?.headers['content-type'], json?.body, json?.headers['x-atlassian-token']],
    ['application/json', '{"title":"ü"}', 'no-check'],
  )
  assert.deepEqual(
    [form?.headers['content-type'], form?.body],
    ['application/x-www-form-urlencoded', 'name=a+b&list=1&list=2'],
  )
  assert.match(String(files?.headers['content-type']), /^multipart\/form-data; boundary=partywall-/)
  assert.match(files?.body ?? '', /name="comment"\r\n\r\nseen\r\n/)
  assert.match(
    files?.body ?? '',
    /name="file"; filename="note.txt"\r\nContent-Type: application\/octet-stream\r\n\r\nhello\r\n/,
  )
  assert.equal(none?.body, 'null')
})

test('JSON, text and nothing come back as values; status and headers where they are asked for', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  const replies: Reply[] = [
    { status: 200, body: { id: 1 } },
    { status: 200, body: '<p>', headers: { 'content-type': 'text/html' } },
    { status: 204 },
    { status: 200, body: '{"a":', headers: { 'content-type': 'application/problem+json' } },
    { status: 200, headers: { 'x-total': '3' } },
  ]
  world.product.reply = () => replies.shift() ?? { status: 500 }
  await world.call('ada', async client => {
    assert.deepEqual(await client.get('/rest'), { id: 1 })
    assert.equal(await client.get('/rest'), '<p>')
    assert.equal(await client.del('/rest'), null)
    await assert.rejects(client.get('/rest'), { code: 'ERR_HOST_RESPONSE' })
    const { status, headers } = await client.head('/rest')
    assert.deepEqual([status, headers['x-total']], [200, '3'])
  })
})

test('a refusal has a code and the product’s words, without credentials and addresses', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  const told = `no ${'x'.repeat(40)} for ada@example.com`
  const bodies = [
    { errorMessages: [told] },
    { errors: { name: told } },
    { message: told },
    { error: { message: told } },
  ]
  for (const body of bodies) {
    world.product.reply = () => ({ status: 400, body })
    await assert.rejects(
      world.call('ada', client => client.get('/rest/api/3/issue/SECRET-1')),
      (error: { code?: string; message: string; details?: { status?: number } }) => {
        assert.equal(error.code, 'ERR_HOST_RESPONSE')
        assert.equal(error.details?.status, 400)
        assert.match(error.message, /GET \/wiki\/rest\/api\/3\/issue\/\.\.\.: no \[removed\] for \[removed\]$/)
        return true
      },
    )
  }
  world.product.reply = () => ({ status: 401 })
  await assert.rejects(
    world.call('ada', client => client.get('/rest')),
    { code: 'ERR_HOST_TOKEN_REFUSED' },
  )
  assert.equal(world.product.calls.length, 5, 'a token made for this request is not tried twice')
})

test('anonymous calls carry no token; `expect` says what is success', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  world.product.reply = () => ({ status: 404, body: { gone: true } })
  const body = await world.call('ada', client => client.get('/rest', { as: 'anonymous', expect: [404] }))
  assert.deepEqual(body, { gone: true })
  assert.equal(world.product.calls[0]?.headers.authorization, undefined)
})

test('a scope that the descriptor lacks is told before anything leaves; the greater ones imply the lesser', async t => {
  const world = await createClientWorld(t, { scopes: ['WRITE'] })
  await world.install('ada')
  await world.call('ada', async client => {
    await client.get('/rest')
    await client.post('/rest')
    await assert.rejects(client.del('/rest'), { code: 'ERR_SCOPE_UNDECLARED' })
    await assert.rejects(client.post('/rest', { scope: 'ADMIN' }), { code: 'ERR_SCOPE_UNDECLARED' })
    await client.del('/rest/atlassian-connect/1/addons/com.example.notes/properties/a')
    await client.del('/rest', { scope: 'WRITE' })
  })
  assert.equal(world.product.calls.length, 4)
})

test('nothing leaves for an installation that has ended, nor from a read-only context', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await world.call('ada', async client => {
    await world.uninstall('ada')
    await assert.rejects(client.get('/rest'), { code: 'ERR_TENANT_REVOKED' })
  })
  await world.deps.binder.run(
    await world.find('ada'),
    context => assert.rejects(createTenantClient(context, world.deps).get('/rest'), { code: 'ERR_TENANT_READ_ONLY' }),
    'read-only',
  )
  assert.equal(world.product.calls.length, 0)
})
