import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { inspect } from 'node:util'
import { createKoaGuard, type KoaOptions, mount } from '../../src/adapters/koa.ts'
import { PartywallError } from '../../src/core/errors.ts'
import type { Guard } from '../../src/http/view.ts'
import { exchange, statusIn } from './http-raw.ts'
import { closeServers, errorCode, openServers, routes, serve, setUpGuard, tenantOf, tenants } from './koa-support.ts'

afterEach(closeServers)

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

test('headers for pages stand where the app, before or behind the guard, says nothing else', async () => {
  const { middleware } = setUpGuard()
  const { url } = await serve(
    (ctx, next) => {
      if (ctx.path === '/before') ctx.set('Content-Security-Policy', 'before')
      return next()
    },
    middleware,
    ctx => {
      if (ctx.path === '/behind') ctx.set('Content-Security-Policy', 'behind')
      ctx.body = 'ok'
    },
  )
  for (const [path, policy] of [
    ['/page', 'frame-ancestors https://host.example'],
    ['/before', 'before'],
    ['/behind', 'behind'],
  ]) {
    const response = await fetch(`${url}${path}`, { headers: { 'x-tenant': 'a' } })
    assert.equal(response.headers.get('content-security-policy'), policy, path)
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

test('A 11: an installation that ended while its handler ran gets a refusal, not what the handler made', async () => {
  const { middleware } = setUpGuard()
  const { url } = await serve(middleware, ctx => {
    ctx.body = { made: 'before the end was known' }
  })
  const response = await fetch(`${url}/page`, { headers: { 'x-tenant': 'ends-meanwhile' } })
  assert.equal(response.status, 410)
  assert.equal(await errorCode(response), 'ERR_TENANT_REVOKED')
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
  for (const server of openServers) server.server.closeAllConnections()
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
      proceed = () =>
        resolve({
          properties: {},
          run: work => work(),
          ensureLive: () => undefined,
          headers: () => [],
          release: () => released++,
        })
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
