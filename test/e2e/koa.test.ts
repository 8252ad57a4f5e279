import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import Koa from 'koa'
import { mount } from '../../src/adapters/koa.ts'
import { PartywallError } from '../../src/core/errors.ts'
import { exchange, statusIn } from './http-raw.ts'
import { closeServers, errorCode, routes, serve } from './koa-support.ts'

afterEach(closeServers)

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
