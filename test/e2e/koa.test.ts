import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type Koa from 'koa'
import { mount } from '../../src/adapters/koa.ts'
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
