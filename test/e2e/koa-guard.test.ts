import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { inspect } from 'node:util'
import type Koa from 'koa'
import { authenticate, mount } from '../../src/adapters/koa.ts'
import { PartywallError } from '../../src/core/errors.ts'
import type { Guard } from '../../src/http/view.ts'
import { eventually } from '../support/processes.ts'
import { exchange } from './http-raw.ts'
import { closeServers, routes, serve, setUpGuard, tenantOf } from './koa-support.ts'

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

test('what stands on ctx is read-only', async () => {
  const { middleware } = setUpGuard()
  const { url } = await serve(middleware, ctx => {
    assert.throws(() => Object.assign(ctx, { tenant: 'other' }), TypeError)
    ctx.body = { tenant: tenantOf(ctx).id, secret: tenantOf(ctx).secret.length }
  })
  const response = await fetch(`${url}/page`, { headers: { 'x-tenant': 'a' } })
  assert.deepEqual(await response.json(), { tenant: 'a', secret: 16 })
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

test('H 82: also an answer that was written past Koa, and one that nobody made, is private', async () => {
  const { middleware } = setUpGuard()
  const { url } = await serve(middleware, ctx => {
    if (ctx.path !== '/raw') return
    ctx.respond = false
    ctx.res.end('raw')
  })
  for (const path of ['/raw', '/missing']) {
    const response = await fetch(`${url}${path}`, { headers: { 'x-tenant': 'a' } })
    await response.arrayBuffer()
    assert.equal(response.headers.get('cache-control'), 'no-store', path)
    assert.equal(response.headers.get('referrer-policy'), 'no-referrer', path)
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff', path)
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

test('a client that went away while his tenant was looked up holds no context', async () => {
  let released = 0
  let proceed: (() => void) | undefined
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
  let hasGone = false
  const watch: Koa.Middleware = (ctx, next) => {
    ctx.res.once('close', () => {
      hasGone = true
    })
    return next()
  }
  const { port, server } = await serve(watch, authenticate({ guard: () => guard }), () => {
    hasRun = true
  })
  const ended = exchange(port, ['GET / HTTP/1.1\r\nHost: x\r\n\r\n'])
  await eventually('the tenant is looked up', () => proceed !== undefined)
  server.closeAllConnections()
  await ended
  await eventually('the response is closed', () => hasGone)
  proceed?.()
  await eventually('the context is released', () => released === 1)
  assert.equal(hasRun, false)
})
