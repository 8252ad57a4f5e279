import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartywallError } from '../../../src/core/errors.ts'
import { headerOf } from '../../../src/core/header-list.ts'
import { jsonAnswer } from '../../../src/http/answers.ts'
import { createRouter } from '../../../src/http/router.ts'
import type { Answer, RequestView, Route } from '../../../src/http/view.ts'

const view = (method: string, target: string, headers: Record<string, string> = {}): RequestView => ({
  method,
  target,
  remoteAddress: '192.0.2.1',
  header: name => headers[name],
  headerNames: () => [],
  headerValues: name => (headers[name] === undefined ? [] : [headers[name]]),
  body: async () => Buffer.alloc(0),
})

const route = (method: string, path: string): Route => ({
  method,
  path,
  handle: request =>
    jsonAnswer(200, { route: `${method} ${path}`, params: { ...request.params }, query: request.query }),
})

const routes = [
  route('GET', '/addon/page'),
  route('POST', '/addon/webhook'),
  route('DELETE', '/addon/installable/:id'),
  route('GET', '/addon/installable/fixed'),
  route('GET', '/'),
]
const onError = (error: unknown) => assert.fail(`unexpected: ${String(error)}`)
const router = createRouter(routes, '', onError)

const statusOf = async (target: string, method = 'GET', made = router): Promise<number | undefined> =>
  (await made.handle(view(method, target)))?.status

const bodyOf = (answer: Answer | undefined): unknown => JSON.parse(String(answer?.body))

test('matches exact paths and hands over query and parameters', async () => {
  assert.deepEqual(bodyOf(await router.handle(view('GET', '/addon/page?a=1&b'))), {
    route: 'GET /addon/page',
    params: {},
    query: 'a=1&b',
  })
  assert.deepEqual(bodyOf(await router.handle(view('DELETE', '/addon/installable/caf%C3%A9%20x'))), {
    route: 'DELETE /addon/installable/:id',
    params: { id: 'café x' },
    query: '',
  })
})

test('H 81: another spelling of a path never reaches its route', async () => {
  const elsewhere = [
    '/addon/page/',
    '/addon//page',
    '//addon/page',
    '/./addon/page',
    '/addon/./page',
    '/x/../addon/page',
    '/addon/x/../page',
    '/Addon/page',
    '/addon/%70age',
    '/addon%2fpage',
    '/addon%2Fpage',
    '/addon/%2e/page',
    '\\addon\\page',
    '/addon\\page',
    '/addon/page%00',
    '/addon/page;x',
    '/addon/page#x',
    '/addon/page%20',
    'http://host/addon/page',
    'addon/page',
    '*',
    '',
  ]
  for (const target of elsewhere) assert.equal(await statusOf(target), undefined, target)
})

test('H 81: a parameter segment that reads as another path is refused', async () => {
  const segments = ['..', '.', '%2e%2e', '%2E', 'a%2fb', 'a%2Fb', 'a%5cb', 'a\\b', '%00', 'a%0d%0ab', '%7f', '%c2%85']
  const broken = ['%', '%4', '%zz', '%c0%af', '%c0%ae%c0%ae', '%e0%80%af', '%ed%a0%80', '%f4%90%80%80', '%ff', '%u0041']
  for (const segment of [...segments, ...broken]) {
    assert.equal(await statusOf(`/addon/installable/${segment}`, 'DELETE'), 400, segment)
  }
  assert.equal(await statusOf('/addon/installable/', 'DELETE'), undefined)
  assert.equal(await statusOf('/addon/installable/a/b', 'DELETE'), undefined)
})

test('H 81: a target with characters no path has is refused on our routes', async () => {
  for (const target of [
    '/addon/page?a=b#c',
    '/addon/page?a\\b',
    '/addon/page?a b',
    '/addon/page?\u0000',
    '/addon/page?é',
  ]) {
    assert.equal(await statusOf(target), 400, target)
  }
})

test('H 81: another method is 405 with Allow; override headers and parameters change nothing', async () => {
  const headers = {
    'x-http-method-override': 'POST',
    'x-http-method': 'POST',
    'x-method-override': 'POST',
    'x-original-url': '/addon/page',
    'x-rewrite-url': '/addon/page',
  }
  for (const method of ['GET', 'PUT', 'post', 'PATCH', 'PROPFIND', 'constructor', '__proto__']) {
    const answer = await router.handle(view(method, '/addon/webhook?_method=POST', headers))
    assert.equal(answer?.status, 405, method)
    assert.equal(headerOf(answer?.headers ?? [], 'allow'), 'POST, OPTIONS')
  }
  assert.equal(await router.handle(view('GET', '/unknown', headers)), undefined)
})

test('HEAD is answered by GET; OPTIONS says what is allowed and opens nothing to other origins', async () => {
  assert.equal(await statusOf('/addon/page', 'HEAD'), 200)
  const options = await router.handle(view('OPTIONS', '/addon/page', { origin: 'https://evil.example' }))
  assert.equal(options?.status, 204)
  assert.deepEqual(options?.headers, ['allow', 'GET, HEAD, OPTIONS'])
})

test('fixed text wins over a parameter; both methods of one path live together', async () => {
  assert.deepEqual(bodyOf(await router.handle(view('GET', '/addon/installable/fixed'))), {
    route: 'GET /addon/installable/fixed',
    params: {},
    query: '',
  })
  const mixed = createRouter([route('GET', '/a/:x/c'), route('GET', '/a/b/:y'), route('POST', '/a/:x/c')], '', onError)
  assert.deepEqual(bodyOf(await mixed.handle(view('GET', '/a/b/c'))), {
    route: 'GET /a/b/:y',
    params: { y: 'c' },
    query: '',
  })
  assert.equal(await statusOf('/a/x/c', 'POST', mixed), 200)
})

test('says which paths are its own without running anything', () => {
  const silent = createRouter([{ method: 'GET', path: '/a/:id', handle: () => assert.fail('ran') }], '/base', onError)
  for (const target of ['/base/a/x', '/base/a/x?y', '/base/a/%zz'])
    assert.equal(silent.owns?.(view('GET', target)), true)
  for (const target of ['/a/x', '/base/a', '/base/b/x', '/']) assert.equal(silent.owns?.(view('GET', target)), false)
})

test('a base path is taken off by whole segments', async () => {
  const below = createRouter(routes, '/tools/greeter', onError)
  assert.equal(await statusOf('/tools/greeter/addon/page', 'GET', below), 200)
  assert.equal(await statusOf('/tools/greeter', 'GET', below), 200)
  assert.equal(await statusOf('/tools/greeter/', 'GET', below), 200)
  for (const target of [
    '/addon/page',
    '/tools/greeterx/addon/page',
    '/tools/greeteraddon/page',
    '/Tools/greeter/addon/page',
  ]) {
    assert.equal(await statusOf(target, 'GET', below), undefined, target)
  }
})

test('parameters named like members of objects are plain values', async () => {
  const made = createRouter([route('GET', '/x/:constructor')], '', onError)
  const answer = await made.handle(view('GET', '/x/__proto__'))
  assert.deepEqual(bodyOf(answer), { route: 'GET /x/:constructor', params: { constructor: '__proto__' }, query: '' })
})

test('routes that cannot be matched exactly are refused when the router is made', () => {
  for (const path of ['addon', '/a//b', '/a/', '/a/../b', '/a/%41', '/a b', '/a?b', '/:', '/:a-b', '/a/:1']) {
    assert.throws(() => createRouter([route('GET', path)], '', onError), TypeError, path)
  }
  assert.throws(() => createRouter([route('GET', '/a'), route('GET', '/a')], '', onError), TypeError)
  assert.throws(() => createRouter([route('GET', '/a/:x'), route('POST', '/a/:y')], '', onError), TypeError)
  for (const basePath of ['/', '/a/', 'a', '/a?b', '//a']) {
    assert.throws(() => createRouter([], basePath, onError), TypeError, basePath)
  }
})

test('H 84, H 86: what a handler throws becomes an answer that shows nothing of it', async () => {
  const heard: unknown[] = []
  const secret = new Error('password hunter2 in /srv/app/index.js')
  const throwing = createRouter(
    [
      { method: 'GET', path: '/sync', handle: () => Promise.reject(secret) },
      {
        method: 'GET',
        path: '/now',
        handle: () => {
          throw secret
        },
      },
      {
        method: 'GET',
        path: '/coded',
        handle: () => {
          throw new PartywallError('ERR_KEY_INVALID', { message: 'inner words', details: { key: 'k' }, cause: secret })
        },
      },
    ],
    '',
    error => heard.push(error),
  )
  for (const path of ['/sync', '/now']) {
    const answer = await throwing.handle(view('GET', path))
    assert.equal(answer?.status, 500)
    assert.deepEqual(bodyOf(answer), { error: { code: 'ERR_INTERNAL', message: 'Something went wrong.' } })
  }
  assert.deepEqual(heard, [secret, secret])
  const coded = await throwing.handle(view('GET', '/coded'))
  assert.equal(coded?.status, 400)
  assert.deepEqual(bodyOf(coded), { error: { code: 'ERR_KEY_INVALID', message: 'The key is not valid.' } })
  assert.equal(heard.length, 2)
})

test('H 82: answers of routes that are not public are kept by no cache and leak no address', async () => {
  const made = createRouter(
    [
      route('GET', '/private'),
      { ...route('GET', '/public'), isPublic: true },
      { method: 'GET', path: '/own', handle: () => jsonAnswer(200, {}, ['Cache-Control', 'private, max-age=60']) },
      { method: 'GET', path: '/wrong', handle: () => jsonAnswer(200, {}, ['Cache-Control', 'public, max-age=60']) },
    ],
    '',
    onError,
  )
  const headers = async (path: string) => (await made.handle(view('GET', path)))?.headers ?? []
  assert.equal(headerOf(await headers('/private'), 'cache-control'), 'no-store')
  assert.equal(headerOf(await headers('/private'), 'referrer-policy'), 'no-referrer')
  assert.equal(headerOf(await headers('/private'), 'x-content-type-options'), 'nosniff')
  assert.equal(headerOf(await headers('/public'), 'cache-control'), undefined)
  assert.equal(headerOf(await headers('/own'), 'cache-control'), 'private, max-age=60')
  assert.equal(headerOf(await headers('/wrong'), 'cache-control'), 'no-store')
  assert.equal((await headers('/wrong')).filter(name => name.toLowerCase() === 'cache-control').length, 1)
})

test('headers of a route stand on all its answers, refusals too, and on those of no other', async () => {
  const headers = ['x-for', 'everybody']
  const made = createRouter(
    [
      { ...route('GET', '/with'), headers },
      {
        method: 'GET',
        path: '/refused',
        headers,
        handle: () => Promise.reject(new PartywallError('ERR_TOKEN_MISSING')),
      },
      route('GET', '/without'),
      {
        method: 'GET',
        path: '/refused-without',
        handle: () => Promise.reject(new PartywallError('ERR_TOKEN_MISSING')),
      },
    ],
    '',
    onError,
  )
  const seen = async (path: string) => headerOf((await made.handle(view('GET', path)))?.headers ?? [], 'x-for')
  assert.equal(await seen('/with'), 'everybody')
  assert.equal(await seen('/refused'), 'everybody')
  assert.equal(await seen('/without'), undefined)
  assert.equal(await seen('/refused-without'), undefined)
})
