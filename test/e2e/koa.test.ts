import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { inspect } from 'node:util'
import Koa from 'koa'
import { createKoaGuard, type KoaOptions, mount } from '../../src/adapters/koa.ts'
import { PartywallError } from '../../src/core/errors.ts'
import { jsonAnswer, textAnswer } from '../../src/http/answers.ts'
import { createRouter } from '../../src/http/router.ts'
import { type Listening, listen } from '../../src/http/server.ts'
import type { Guard, RequestView } from '../../src/http/view.ts'
import { exchange, statusIn } from './http-raw.ts'

const open: Listening[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(server => server.close()))
})

const serve = async (...middleware: Koa.Middleware[]) => {
  const koa = new Koa()
  const errors: unknown[] = []
  koa.on('error', error => errors.push(error))
  for (const one of middleware) koa.use(one)
  const server = await listen(koa.callback(), { closeGraceMs: 1_000 })
  open.push(server)
  return { ...server, errors }
}

const errorCode = async (response: Response) => ((await response.json()) as { error: { code: string } }).error.code

/** A guard of one header: tenant by name, secrets as the dialects keep them. */
const tenants = new AsyncLocalStorage<string>()
const setUpGuard = (options: KoaOptions = {}) => {
  const state = { released: 0, views: [] as RequestView[], fresh: 0 }
  class Tenant {
    readonly id: string
    readonly #secret = 'top-secret-value'
    constructor(id: string) {
      this.id = id
    }
    get secret() {
      return this.#secret
    }
  }
  const guard: Guard = async view => {
    state.views.push(view)
    const id = view.header('x-tenant')
    if (id === undefined) throw new PartywallError('ERR_TOKEN_MISSING')
    if (id === 'store-down') throw new PartywallError('ERR_STORE_UNAVAILABLE', { message: 'inner words' })
    if (id === 'bug') throw new Error('inner bug')
    const tenant = new Tenant(id)
    return {
      properties: { tenant, authentication: { token: 'top-secret-value' } },
      run: work => tenants.run(id, work),
      headers: () => ['JWT', `fresh-${++state.fresh}`],
      release: () => state.released++,
    }
  }
  return { state, middleware: createKoaGuard(guard, options) }
}
const tenantOf = (ctx: Koa.Context): { id: string; secret: string } => (ctx as unknown as { tenant: never }).tenant

const routes = createRouter(
  [
    { method: 'GET', path: '/addon/page', handle: () => textAnswer(200, 'ours') },
    {
      method: 'POST',
      path: '/addon/webhook',
      handle: async ({ view }) => jsonAnswer(200, { body: String(await view.body()) }),
    },
    {
      method: 'GET',
      path: '/addon/cookies',
      handle: () => jsonAnswer(200, {}, ['set-cookie', 'a=1', 'set-cookie', 'b=2']),
    },
    { method: 'DELETE', path: '/addon/installable/:id', handle: () => ({ status: 204, headers: [], body: undefined }) },
  ],
  '',
  () => undefined,
)

test('our routes are answered, every other request goes to the next middleware', async () => {
  const { url } = await serve(mount(routes), ctx => {
    ctx.body = 'theirs'
  })
  const page = await fetch(`${url}/addon/page`)
  assert.equal(await page.text(), 'ours')
  assert.equal(page.headers.get('content-type'), 'text/plain; charset=utf-8')
  assert.equal(page.headers.get('cache-control'), 'no-store')
  assert.equal(await (await fetch(`${url}/other`)).text(), 'theirs')
  assert.equal(await (await fetch(`${url}/addon/page/`)).text(), 'theirs')
  assert.deepEqual((await fetch(`${url}/addon/cookies`)).headers.getSetCookie(), ['a=1', 'b=2'])
  const gone = await fetch(`${url}/addon/installable/x`, { method: 'DELETE' })
  assert.equal(gone.status, 204)
  assert.equal(gone.headers.get('content-type'), null)
  const head = await fetch(`${url}/addon/page`, { method: 'HEAD' })
  assert.equal(head.headers.get('content-length'), '4')
  assert.equal((await fetch(`${url}/addon/page`, { method: 'PUT' })).headers.get('allow'), 'GET, HEAD, OPTIONS')
})

test('an app that refuses as a whole answers with its code', async () => {
  const closing = mount({
    handle() {
      throw new PartywallError('ERR_SHUTTING_DOWN', { retryAfterSeconds: 5 })
    },
  })
  const { url } = await serve(closing)
  const response = await fetch(`${url}/addon/page`)
  assert.equal(response.status, 503)
  assert.equal(response.headers.get('retry-after'), '5')
  assert.equal(await errorCode(response), 'ERR_SHUTTING_DOWN')
})

test('middleware in front of ours sees and may change the answer', async () => {
  const { url } = await serve(async (ctx, next) => {
    await next()
    ctx.set('x-status', String(ctx.status))
  }, mount(routes))
  assert.equal((await fetch(`${url}/addon/page`)).headers.get('x-status'), '200')
})

test('H 81: the original target counts, not what a router made of it', async () => {
  const { state, middleware } = setUpGuard()
  const { url } = await serve(
    (ctx, next) => {
      ctx.url = '/addon/page'
      ctx.method = 'POST'
      return next()
    },
    mount(routes),
    middleware,
    ctx => {
      ctx.body = 'theirs'
    },
  )
  const response = await fetch(`${url}/rewritten?a=1`, { headers: { 'x-tenant': 'a' } })
  assert.equal(await response.text(), 'theirs')
  assert.equal(state.views[0]?.target, '/rewritten?a=1')
})

test('H 81: a guarded handler is not reached by a target in another form', async () => {
  const { state, middleware } = setUpGuard()
  const { port } = await serve(middleware, ctx => {
    ctx.body = 'reached'
  })
  for (const target of ['http://127.0.0.1/page', '//page', '\\page', '/page#x']) {
    const request = `GET ${target} HTTP/1.1\r\nHost: x\r\nX-Tenant: a\r\nConnection: close\r\n\r\n`
    const { text } = await exchange(port, [request])
    assert.equal(statusIn(text), 400, target)
    assert.ok(!text.includes('reached'))
  }
  assert.equal(state.views.length, 0)
})

test('a body parser that kept the raw body leaves it to us; one that did not is told so', async () => {
  const read = async (ctx: Koa.Context) => {
    const chunks: Buffer[] = []
    for await (const chunk of ctx.req) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
  const parsers: Record<string, Koa.Middleware> = {
    bytes: async (ctx, next) => {
      Object.assign(ctx.req, { rawBody: await read(ctx) })
      return next()
    },
    text: async (ctx, next) => {
      Object.assign(ctx.request, { rawBody: String(await read(ctx)) })
      return next()
    },
    greedy: async (ctx, next) => {
      Object.assign(ctx.request, { body: String(await read(ctx)) })
      return next()
    },
  }
  const body = '{"a":"é"}'
  for (const [name, parser] of Object.entries(parsers)) {
    const { url } = await serve(parser, mount(routes))
    const response = await fetch(`${url}/addon/webhook`, { method: 'POST', body })
    if (name === 'greedy') {
      assert.equal(response.status, 500)
      assert.equal(await errorCode(response), 'ERR_BODY_CONSUMED')
    } else assert.deepEqual(await response.json(), { body }, name)
    const withoutBody = await fetch(`${url}/addon/page`)
    assert.equal(withoutBody.status, 200)
  }
  const lossy = await serve(parsers.text as Koa.Middleware, mount(routes))
  // The second is as long in bytes as what a lossy decoder makes of it.
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xf0, 0x9f, 0x98, 0x22],
  ]) {
    const broken = await fetch(`${lossy.url}/addon/webhook`, { method: 'POST', body: new Uint8Array(bytes) })
    assert.equal(await errorCode(broken), 'ERR_BODY_CONSUMED')
  }
})

test('H 78: a body that is too large is 413 through Koa, and the answer arrives', async () => {
  const { port } = await serve(mount(routes))
  const head = 'POST /addon/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n'
  const { text, ending } = await exchange(port, [head, Buffer.alloc(3_000_000)])
  assert.equal(statusIn(text), 413)
  assert.match(text, /ERR_BODY_TOO_LARGE/)
  assert.equal(ending, 'end')
})

test('a proved tenant stands on ctx, read-only, and the chain runs inside his context', async () => {
  const { state, middleware } = setUpGuard()
  const { url } = await serve(middleware, async ctx => {
    await new Promise(resolve => setTimeout(resolve, 5))
    assert.throws(() => Object.assign(ctx, { tenant: 'other' }), TypeError)
    ctx.body = { tenant: tenantOf(ctx).id, bound: tenants.getStore(), secret: tenantOf(ctx).secret.length }
  })
  const ids = Array.from({ length: 20 }, (_, index) => `tenant-${index}`)
  const answers = await Promise.all(
    ids.map(async id => (await fetch(`${url}/page`, { headers: { 'x-tenant': id } })).json()),
  )
  assert.deepEqual(
    answers,
    ids.map(id => ({ tenant: id, bound: id, secret: 16 })),
  )
  assert.equal(state.released, 20)
})

test('H 83: printing ctx shows nothing of tenant and authentication', async () => {
  const { middleware } = setUpGuard()
  const printed: string[] = []
  const { url } = await serve(middleware, ctx => {
    printed.push(inspect(ctx, { depth: 5 }), JSON.stringify(ctx), inspect(ctx.toJSON(), { showHidden: true }))
    printed.push(inspect({ ...ctx }, { depth: 5 }), JSON.stringify(tenantOf(ctx)), inspect(tenantOf(ctx)))
    ctx.body = ''
  })
  await fetch(`${url}/page`, { headers: { 'x-tenant': 'a' } })
  assert.equal(printed.length, 6)
  assert.doesNotMatch(printed.join(''), /top-secret-value/)
})

test('H 82: answers behind the guard are private, also refusals, errors and those that say otherwise', async () => {
  const { middleware } = setUpGuard()
  const { url } = await serve(middleware, ctx => {
    if (ctx.path === '/public') ctx.set('Cache-Control', 'public, max-age=60')
    if (ctx.path === '/private') ctx.set('Cache-Control', 'private, max-age=60')
    if (ctx.path === '/throws') throw new Error('inner words')
    if (ctx.path === '/raw') {
      ctx.respond = false
      ctx.res.end('raw')
      return
    }
    if (ctx.path !== '/missing') ctx.body = 'ok'
  })
  for (const path of ['/page', '/public', '/private', '/throws', '/raw', '/missing', '/page?refused']) {
    const headers: Record<string, string> = path.endsWith('refused')
      ? {}
      : { 'x-tenant': 'a', origin: 'https://evil.example' }
    const response = await fetch(`${url}${path}`, { headers })
    await response.arrayBuffer()
    assert.match(response.headers.get('cache-control') ?? '', /no-store|private/, path)
    assert.equal(response.headers.get('referrer-policy'), 'no-referrer', path)
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff', path)
    assert.equal(response.headers.get('access-control-allow-origin'), null, path)
    assert.equal(response.headers.get('x-powered-by'), null, path)
  }
})

test('headers of the guard are asked for after the handler ran', async () => {
  const { state, middleware } = setUpGuard()
  const { url } = await serve(middleware, ctx => {
    assert.equal(state.fresh, 0)
    ctx.body = 'ok'
  })
  const response = await fetch(`${url}/page`, { headers: { 'x-tenant': 'a' } })
  assert.equal(response.headers.get('jwt'), 'fresh-1')
})

test('refusals are answered with their code and the handler never runs', async () => {
  const reported: unknown[] = []
  const { state, middleware } = setUpGuard({ onError: error => reported.push(error) })
  const { url } = await serve(middleware, () => assert.fail('reached'))
  const missing = await fetch(`${url}/page`)
  assert.equal(missing.status, 401)
  assert.equal(missing.headers.get('www-authenticate'), 'JWT')
  assert.equal(await errorCode(missing), 'ERR_TOKEN_MISSING')
  assert.equal(reported.length, 0)
  const down = await fetch(`${url}/page`, { headers: { 'x-tenant': 'store-down' } })
  assert.equal(down.status, 503)
  assert.match(down.headers.get('retry-after') ?? '', /^\d+$/)
  assert.doesNotMatch(await down.text(), /inner/)
  assert.equal(reported.length, 1)
  assert.equal(state.released, 0)
})

test('H 84, H 86: errors of handlers and guards end their request only and show nothing', async () => {
  const { state, middleware } = setUpGuard()
  const { url, errors } = await serve(middleware, ctx => {
    if (ctx.path === '/throws') throw new Error('inner words of /srv/app.js')
    if (ctx.path === '/coded') throw new PartywallError('ERR_VERSION_CONFLICT', { message: 'inner words' })
    if (ctx.path === '/frozen') throw Object.freeze(new Error('inner words'))
    if (ctx.path === '/text') throw 'inner words'
    if (ctx.path === '/nothing') throw undefined
    ctx.body = 'ok'
  })
  const call = (path: string, tenant = 'a') => fetch(`${url}${path}`, { headers: { 'x-tenant': tenant } })
  const statuses: number[] = []
  for (const path of ['/throws', '/coded', '/frozen', '/text', '/nothing']) {
    const response = await call(path)
    statuses.push(response.status)
    assert.doesNotMatch(await response.text(), /inner|srv|at /, path)
    assert.equal(response.headers.get('cache-control'), 'no-store', path)
  }
  assert.deepEqual(statuses, [500, 409, 500, 500, 500])
  assert.equal((await call('/page', 'bug')).status, 500)
  assert.equal(await (await call('/page')).text(), 'ok')
  assert.equal(state.released, 6)
  assert.ok(errors.length >= 4)
})

test('the context is released once: when the answer is finished, and when the client goes away', async () => {
  const { state, middleware } = setUpGuard()
  const reached: (() => void)[] = []
  const { url, port } = await serve(middleware, ctx => {
    if (ctx.path !== '/hangs') {
      ctx.body = 'ok'
      return undefined
    }
    return new Promise(resolve => reached.push(() => resolve(undefined)))
  })
  await (await fetch(`${url}/page`, { headers: { 'x-tenant': 'a' } })).text()
  assert.equal(state.released, 1)
  const ended = exchange(port, ['GET /hangs HTTP/1.1\r\nHost: x\r\nX-Tenant: a\r\n\r\n', 300], () => false)
  const deadline = performance.now() + 5_000
  while (reached.length === 0 && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 5))
  assert.equal(state.released, 1)
  for (const server of open) server.server.closeAllConnections()
  await ended
  while (state.released < 2 && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 5))
  assert.equal(state.released, 2)
  reached[0]?.()
})

test('a client that went away while his tenant was looked up holds no context', async () => {
  let released = 0
  let proceed: () => void = () => undefined
  const guard: Guard = () =>
    new Promise(resolve => {
      proceed = () => resolve({ properties: {}, run: work => work(), headers: () => [], release: () => released++ })
    })
  let hasRun = false
  const { port, server } = await serve(createKoaGuard(guard), () => {
    hasRun = true
  })
  const ended = exchange(port, ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 50])
  await new Promise(resolve => setTimeout(resolve, 50))
  server.closeAllConnections()
  await ended
  await new Promise(resolve => setTimeout(resolve, 20))
  proceed()
  await new Promise(resolve => setTimeout(resolve, 20))
  assert.equal(released, 1)
  assert.equal(hasRun, false)
})

test('every request is told to the log with its tenant', async () => {
  const lines: string[] = []
  const onAnswer: KoaOptions['onAnswer'] = done =>
    lines.push(`${done.tenant} ${done.view.method} ${done.view.target} ${done.status}`)
  const { middleware } = setUpGuard({ onAnswer })
  const { url } = await serve(mount(routes, { onAnswer }), middleware, ctx => {
    ctx.body = 'ok'
  })
  await (await fetch(`${url}/addon/page`)).text()
  await (await fetch(`${url}/x?y`, { headers: { 'x-tenant': 'a' } })).text()
  await (await fetch(`${url}/refused`)).text()
  assert.deepEqual(lines, ['undefined GET /addon/page 200', 'a GET /x?y 200', 'undefined GET /refused 401'])
})

test('H 78: a server with wider limits is warned about, once', async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  const koa = new Koa()
  koa.use(mount(routes))
  const server = createServer(koa.callback())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  for (let count = 0; count < 3; count++) await (await fetch(`http://127.0.0.1:${port}/addon/page`)).text()
  await new Promise(resolve => setImmediate(resolve))
  process.off('warning', onWarning)
  server.close()
  server.closeAllConnections()
  const ours = warnings.filter(warning => warning.name === 'PartywallWarning')
  assert.equal(ours.length, 1)
  assert.match(ours[0]?.message ?? '', /headersTimeout 60000 ms, requestTimeout 300000 ms.*serverOptions/)
})
