// Routes of an author behind the guard of a Connect app: which tokens they take is said where the guard is put.
import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { type ConnectApp, type GuardOptions, type Listening, listen } from 'partywall'
import * as forExpress from 'partywall/express'
import * as forFastify from 'partywall/fastify'
import * as forFetch from 'partywall/fetch'
import * as forHono from 'partywall/hono'
import * as forNode from 'partywall/node'
import { type ConnectWorld, outcomeOf, startConnectWorld } from '../../support/connect-app.ts'
import type { FakeSite } from '../../support/fake-product.ts'

let world: ConnectWorld
let site: FakeSite
const servers: Listening[] = []

before(async () => {
  world = await startConnectWorld(connect => void connect.page('/page', () => ({})))
  site = world.product.createSite(world.url, 'one')
  await site.install()
})
after(async () => {
  await Promise.all(servers.map(server => server.close()))
  await world?.close()
})

type Frameworks = Record<
  string,
  (addon: ConnectApp, options?: GuardOptions) => RequestListener | Promise<RequestListener>
>
const html = (request: IncomingMessage, response: ServerResponse) =>
  void response.setHeader('content-type', 'text/html').end(String(request.url?.length))
const frameworks: Frameworks = {
  koa: (addon, options) => {
    const koa = new Koa().use(addon.authenticate(options))
    koa.use(context => {
      context.body = '<p>own</p>'
    })
    return koa.callback()
  },
  express: (addon, options) => express().use(forExpress.authenticate(addon, options)).use(html),
  fastify: async (addon, options) => {
    const server = fastify()
    await server.register(forFastify.authenticate(addon, options))
    server.get('/own', async (_, reply) => reply.type('text/html').send('<p>own</p>'))
    await server.ready()
    return server.routing
  },
  hono: (addon, options) =>
    getRequestListener(new Hono().use(forHono.authenticate(addon, options)).get('/own', c => c.html('own')).fetch),
  node: (addon, options) => forNode.authenticate(addon, html, options),
  fetch: (addon, options) =>
    getRequestListener(
      forFetch.authenticate(addon, () => new Response('own', { headers: { 'content-type': 'text/html' } }), options),
    ),
}

for (const [name, build] of Object.entries(frameworks)) {
  test(`B 27: ${name}: a guard takes tokens of its address, or, where it is told, context tokens, and never both`, async () => {
    const serve = async (options?: GuardOptions) => {
      const server = await listen(await build(world.connect, options), { port: 0 })
      servers.push(server)
      return server.url
    }
    const [pages, api] = [await serve(), await serve({ token: 'context' })]
    const own = await site.sign(site.claims('GET', '/own'))
    const context = await site.contextToken()
    const ask = (url: string, token: string) => fetch(`${url}/own`, { headers: { authorization: `JWT ${token}` } })
    const page = await ask(pages, own)
    assert.equal(page.status, 200)
    assert.equal(page.headers.get('content-security-policy'), `frame-ancestors ${world.product.url}`)
    assert.equal(await outcomeOf(ask(pages, context)), '401 ERR_QSH_MISMATCH')
    assert.equal(await outcomeOf(ask(api, own)), '401 ERR_QSH_MISMATCH')
    assert.equal((await ask(api, context)).status, 200)
  })
}
