// What each framework has of its own: body parsers in front of ours, error handlers of the author, a Request without Node, limits.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import express, { type Request as ExpressRequest, type Response as ExpressResponse, type NextFunction } from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import * as forExpress from 'partywall/express'
import * as forFastify from 'partywall/fastify'
import * as forFetch from 'partywall/fetch'
import * as forHono from 'partywall/hono'
import * as forKoa from 'partywall/koa'
import * as forNode from 'partywall/node'
import { eventually } from '../support/processes.ts'
import { exchange, statusIn } from './http-raw.ts'
import { closeServers, errorCode, routes, serveListener, setUpGuard, tenants } from './koa-support.ts'

afterEach(closeServers)

const body = '{"a":"é"}'
const send = (url: string) =>
  fetch(`${url}/addon/webhook`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
const asTenant = (id: string) => ({ headers: { 'x-tenant': id } })

test('Express: a parser in front of ours must keep the raw body', async () => {
  const keep = (request: object, _response: unknown, rawBody: Buffer) => void Object.assign(request, { rawBody })
  const kept = await serveListener(
    express()
      .use(express.json({ verify: keep }))
      .use(forExpress.mount(routes)),
  )
  assert.deepEqual(await (await send(kept.url)).json(), { body })
  const lost = await serveListener(express().use(express.json()).use(forExpress.mount(routes)))
  assert.equal(await errorCode(await send(lost.url)), 'ERR_BODY_CONSUMED')
})

test('Fastify: parsers of the author’s see nothing of our routes and keep their own', async () => {
  const parsed: string[] = []
  const server = fastify()
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    parsed.push(request.url)
    done(null, { parsed: String(text) })
  })
  await server.register(forFastify.mount(routes))
  server.post('/own', async request => request.body)
  await server.ready()
  const { url } = await serveListener(server.routing)
  assert.deepEqual(await (await send(url)).json(), { body })
  const own = await fetch(`${url}/own`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  assert.deepEqual(await own.json(), { parsed: body })
  assert.deepEqual(parsed, ['/own'])
})

test('Fastify: hooks of the author’s see our answers, and rewriteUrl changes nothing of what was signed', async () => {
  const { state, addon } = setUpGuard()
  const server = fastify({ rewriteUrl: () => '/own' })
  server.addHook('onSend', (_request, reply, _payload, done) => {
    reply.header('x-seen', String(reply.statusCode))
    done()
  })
  await server.register(forFastify.mount(routes))
  await server.register(forFastify.authenticate(addon))
  server.get('/own', async () => 'theirs')
  await server.ready()
  const { url } = await serveListener(server.routing)
  const page = await fetch(`${url}/addon/page`)
  assert.equal(await page.text(), 'ours')
  assert.equal(page.headers.get('x-seen'), '200')
  assert.equal(await (await fetch(`${url}/anything?a=1`, asTenant('a'))).text(), 'theirs')
  assert.equal(state.views.at(-1)?.target, '/anything?a=1')
})

test('Hono and fetch: who reads the body before us must keep the raw one', async () => {
  const keep = new Hono<{ Variables: { rawBody: Buffer } }>()
  keep.use(async (c, next) => {
    c.set('rawBody', Buffer.from(await c.req.arrayBuffer()))
    await next()
  })
  const kept = await serveListener(getRequestListener(keep.use(forHono.mount(routes)).fetch))
  assert.deepEqual(await (await send(kept.url)).json(), { body })
  const greedy = new Hono().use(async (c, next) => {
    await c.req.text()
    await next()
  })
  const lost = await serveListener(getRequestListener(greedy.use(forHono.mount(routes)).fetch))
  assert.equal(await errorCode(await send(lost.url)), 'ERR_BODY_CONSUMED')

  const request = new Request('http://x/addon/webhook', { method: 'POST', body })
  await request.text()
  assert.equal(await errorCode(await forFetch.mount(routes)(request)), 'ERR_BODY_CONSUMED')
})

test('Hono: an answer that went out past the server is not sent a second time', async context => {
  const printed = context.mock.method(console, 'error', () => undefined)
  const { port } = await serveListener(getRequestListener(new Hono().use(forHono.mount(routes)).fetch))
  const head = 'POST /addon/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n'
  const { text } = await exchange(port, [head, Buffer.alloc(3_000_000)])
  assert.equal(statusIn(text), 413)
  assert.equal(printed.mock.callCount(), 0)
})

test('Express: error handlers of the author come first; H 84: what nobody handles shows no stack in development', async () => {
  const { addon } = setUpGuard()
  const fail = () => {
    throw Object.assign(new Error('inner words of /srv/app.js'), { status: 502 })
  }
  const server = express().set('env', 'test')
  server.get('/open', fail)
  server.use(forExpress.authenticate(addon))
  server.get('/handled', () => {
    throw new Error('handled')
  })
  server.use((_request, _response, next) => next())
  server.get('/own', fail)
  server.use((error: Error, _request: ExpressRequest, response: ExpressResponse, next: NextFunction) => {
    if (error.message === 'handled') response.status(418).send(`${tenants.getStore()}: ${error.message}`)
    else next(error)
  })
  const { url } = await serveListener(express().set('env', 'test').use('/inner', server))
  const handled = await fetch(`${url}/inner/handled`, asTenant('a'))
  assert.equal(handled.status, 418)
  assert.equal(await handled.text(), 'a: handled')
  const own = await fetch(`${url}/inner/own`, asTenant('a'))
  assert.equal(own.status, 502)
  assert.equal(await own.text(), 'Bad Gateway')
  assert.equal(own.headers.get('cache-control'), 'no-store')
  assert.match(await (await fetch(`${url}/inner/open`)).text(), /inner words/, 'routes without guard are Express’s')
})

test('Fastify: an error handler of the author’s stays in charge, in the context of the tenant', async () => {
  const { addon } = setUpGuard()
  const server = fastify()
  server.setErrorHandler((error: Error, _request, reply) =>
    reply.code(418).send(`${tenants.getStore()}: ${error.message}`),
  )
  await server.register(forFastify.authenticate(addon))
  server.get('/own', async () => {
    throw new Error('handled')
  })
  server.get('/missing', (_request, reply) => reply.callNotFound())
  await server.ready()
  const { url } = await serveListener(server.routing)
  const handled = await fetch(`${url}/own`, asTenant('a'))
  assert.equal(handled.status, 418)
  assert.equal(await handled.text(), 'a: handled')
  assert.equal((await fetch(`${url}/missing`)).status, 401, 'also what is not found is behind the guard')
})

test('Fastify: what was wrong with a request is told as Fastify tells it', async () => {
  const { addon } = setUpGuard()
  const server = fastify()
  await server.register(forFastify.authenticate(addon))
  server.post('/own', async () => 'reached')
  await server.ready()
  const { url } = await serveListener(server.routing)
  const headers = { 'content-type': 'application/json', 'x-tenant': 'a' }
  const response = await fetch(`${url}/own`, { method: 'POST', body: '{', headers })
  assert.equal(response.status, 400)
  assert.match(await response.text(), /FST_ERR_CTP_INVALID_JSON_BODY/)
  assert.equal(response.headers.get('cache-control'), 'no-store')
})

test('Fastify: own routes below a prefix, where they would never be seen, are refused when the app is built', async () => {
  const server = fastify()
  const inner = server.register(async scope => void (await scope.register(forFastify.mount(routes))), { prefix: '/a' })
  await assert.rejects(async () => inner, { name: 'TypeError' })
})

test('Hono: error handlers and variables of the author work behind the guard', async () => {
  const { addon } = setUpGuard()
  const server = new Hono<{ Variables: { tenant: { readonly id: string } } }>()
  server.use(forHono.authenticate(addon))
  server.get('/own', c => c.json({ id: c.get('tenant').id, bound: tenants.getStore() }))
  server.get('/fails', () => {
    throw new Error('handled')
  })
  server.onError((error, c) => c.text(`${tenants.getStore()}: ${error.message}`, 418))
  const own = await server.request('/own', asTenant('a'))
  assert.deepEqual(await own.json(), { id: 'a', bound: 'a' })
  const handled = await server.request('/fails', asTenant('a'))
  assert.equal(handled.status, 418)
  assert.equal(await handled.text(), 'a: handled')
  assert.equal(handled.headers.get('referrer-policy'), 'no-referrer')
})

test('node:http: events of request and response find the context', async () => {
  const { addon } = setUpGuard()
  const seen: unknown[] = []
  const own = forNode.authenticate(addon, (request, response) => {
    request.on('data', () => seen.push(tenants.getStore()))
    request.on('end', () => response.end('done'))
    response.on('finish', () => seen.push(tenants.getStore()))
  })
  const { url } = await serveListener(own)
  await (await fetch(url, { method: 'POST', body, ...asTenant('a') })).text()
  assert.deepEqual(seen, ['a', 'a'])
})

test('node:http: a handler that fails after its first bytes breaks its own answer', async () => {
  const { addon, state } = setUpGuard()
  const own = forNode.authenticate(addon, async (_request, response) => {
    response.write('first')
    await new Promise(resolve => setImmediate(resolve))
    throw new Error('inner words')
  })
  const { url } = await serveListener(own)
  await assert.rejects(async () => (await fetch(url, asTenant('a'))).text())
  assert.equal(state.released, 1)
})

/** A guarded route that answers 201, and the app's own routes, of each framework. */
async function listenersOf(
  addon: ReturnType<typeof setUpGuard>['addon'],
): Promise<Readonly<Record<string, RequestListener>>> {
  const app = fastify()
  await app.register(forFastify.mount(routes))
  await app.register(forFastify.authenticate(addon))
  app.get('/own', (_request, reply) => reply.code(201).send('made'))
  await app.ready()
  const koa = new Koa().use(forKoa.mount(routes)).use(forKoa.authenticate(addon))
  koa.use(ctx => void Object.assign(ctx, { body: 'made', status: 201 }))
  const hono = new Hono().use(forHono.mount(routes)).use(forHono.authenticate(addon))
  const own = forFetch.authenticate(addon, () => new Response('made', { status: 201 }))
  return {
    koa: koa.callback(),
    express: express()
      .use(forExpress.mount(routes), forExpress.authenticate(addon))
      .get('/own', (_request, response) => void response.status(201).send('made')),
    fastify: app.routing,
    hono: getRequestListener(hono.get('/own', c => c.text('made', 201)).fetch),
    fetch: getRequestListener(forFetch.mount(routes, own)),
    node: forNode.createRequestListener(routes, {
      next: forNode.authenticate(addon, (_request, response) => response.writeHead(201).end('made')),
    }),
  }
}

test('every guarded request is told to the log with tenant and status, whatever the adapter', async () => {
  const lines: string[] = []
  const { addon } = setUpGuard({
    onAnswer: ({ view, status, tenant }) => void lines.push(`${tenant} ${view.method} ${view.target} ${status}`),
  })
  for (const [name, listener] of Object.entries(await listenersOf(addon))) {
    const { url } = await serveListener(listener)
    assert.equal((await fetch(`${url}/own?x=1`, asTenant('a'))).status, 201, name)
    assert.equal((await fetch(`${url}/own`)).status, 401, name)
    await eventually('both are told', () => lines.length === 2)
    assert.deepEqual(lines.splice(0).sort(), ['a GET /own?x=1 201', 'undefined GET /own 401'], name)
  }
})

test('node:http and fetch: an error after the whole answer, and a handler that returns nothing, are reported', async () => {
  const errors: unknown[] = []
  const { addon } = setUpGuard({ onError: error => errors.push(error) })
  const late = forNode.authenticate(addon, (_request, response) => {
    response.end('made')
    throw new Error('too late')
  })
  const { url } = await serveListener(late)
  assert.equal(await (await fetch(url, asTenant('a'))).text(), 'made')
  const nothing = forFetch.authenticate(addon, () => undefined as unknown as Response)
  const response = await nothing(new Request('http://x/', asTenant('a')))
  assert.equal(await errorCode(response), 'ERR_HANDLER_FAILED')
  assert.equal(errors.length, 2)
})

test('H 78: a server with wider limits is warned about once, whatever the adapter', async () => {
  for (const [name, listener] of Object.entries(await listenersOf(setUpGuard().addon))) {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    const server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    for (const path of ['/addon/page', '/addon/page', '/own']) await (await fetch(url + path)).text()
    await new Promise(resolve => setImmediate(resolve))
    process.off('warning', onWarning)
    server.close()
    server.closeAllConnections()
    const ours = warnings.filter(warning => warning.name === 'PartywallWarning')
    assert.equal(ours.length, 1, name)
    assert.match(ours[0]?.message ?? '', /headersTimeout 60000 ms, requestTimeout \d+ ms.*serverOptions/)
  }
})
