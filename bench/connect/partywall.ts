/** Partywall under measurement: the same page by `listen` and on every framework; FRAMEWORK, REQUEST_LOG and KEY_SERVER come as variables. */

import type { RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { createApp, createLogger, listen, type Mountable } from 'partywall'
import * as onExpress from 'partywall/express'
import * as onFastify from 'partywall/fastify'
import * as onHono from 'partywall/hono'
import { mount } from 'partywall/koa'

const { PORT, APP_KEY = '', KEY_SERVER = '', FRAMEWORK = 'listen', REQUEST_LOG } = process.env
const MANY = 1_000_000
const app = await createApp({
  key: APP_KEY,
  baseUrl: `http://127.0.0.1:${PORT}`,
  developmentHosts: [new URL(KEY_SERVER).host],
  logger: createLogger({ level: 'warn' }),
  requestLog: REQUEST_LOG === 'on',
  // One tenant sends all that there is to send in some of the rows.
  limits: { inFlight: MANY, perSecond: MANY, burst: MANY },
})
const addon = app.connect({ name: 'Bench', keyServers: [KEY_SERVER] })

const TARGETS: Readonly<Record<string, () => Mountable | RequestListener | Promise<RequestListener>>> = {
  listen() {
    addon.page('/page', ({ tenant, authentication }) => ({ tenant: tenant.id, user: authentication.userId }))
    return app
  },
  koa() {
    const koa = new Koa()
    koa.use(mount(app))
    koa.use(addon.authenticate())
    koa.use(ctx => {
      ctx.body = { tenant: ctx.tenant.id, user: ctx.authentication.userId }
    })
    return koa.callback()
  },
  express() {
    const server = express()
    server.use(onExpress.mount(app))
    server.get('/page', onExpress.authenticate(addon), (request, response) => {
      const { tenant, authentication } = request as unknown as Services
      response.json({ tenant: tenant.id, user: authentication.userId })
    })
    return server as unknown as RequestListener
  },
  async fastify() {
    const server = fastify()
    await server.register(onFastify.mount(app))
    await server.register(async own => {
      await own.register(onFastify.authenticate(addon))
      own.get('/page', async request => {
        const { tenant, authentication } = request as unknown as Services
        return { tenant: tenant.id, user: authentication.userId }
      })
    })
    await server.ready()
    return server.routing as RequestListener
  },
  hono() {
    const server = new Hono<{ Variables: Services }>()
    server.use(onHono.mount(app))
    server.use(onHono.authenticate(addon))
    server.get('/page', c => c.json({ tenant: c.get('tenant').id, user: c.get('authentication').userId }))
    return getRequestListener(server.fetch)
  },
}
interface Services {
  readonly tenant: { readonly id: string }
  readonly authentication: { readonly userId: string | undefined }
}

const target = await TARGETS[FRAMEWORK]?.()
if (target === undefined) throw new TypeError(`no framework ${FRAMEWORK}`)
const server = await listen(target, { port: Number(PORT) })
process.send?.('listening')

process.once('SIGTERM', async () => {
  await Promise.all([server.close(), app.close()])
  process.exit(0)
})
