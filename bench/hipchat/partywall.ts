/** Partywall under measurement: the same pages on Koa, or by `listen`; HOSTS, FRAMEWORK and REQUEST_LOG come as variables. */

import Koa from 'koa'
import { createApp, createLogger, listen } from 'partywall'
import { authenticate, mount } from 'partywall/koa'

const { PORT, APP_KEY = '', HOSTS = '', FRAMEWORK, REQUEST_LOG } = process.env
const app = await createApp({
  key: APP_KEY,
  baseUrl: `http://127.0.0.1:${PORT}`,
  developmentHosts: [HOSTS],
  logger: createLogger({ level: 'warn' }),
  requestLog: REQUEST_LOG === 'on',
})
const addon = app.hipchat({ name: 'Bench', scopes: ['send_notification'], hosts: [HOSTS] })
addon.onInstalled(ctx => ctx.tenantStore.set('greeting', 'hello'))

const server = FRAMEWORK === 'koa' ? await listen(onKoa(), { port: Number(PORT) }) : await onNode()
process.send?.('listening')

process.once('SIGTERM', async () => {
  await Promise.all([server.close(), app.close()])
  process.exit(0)
})

function onKoa() {
  const koa = new Koa()
  koa.use(mount(app))
  koa.use(authenticate(addon))
  koa.use(async ctx => {
    const { tenant, authentication } = ctx
    if (ctx.path === '/page') ctx.body = { tenant: tenant.id, user: authentication.userId }
    if (ctx.path === '/stored') ctx.body = { tenant: tenant.id, value: await ctx.tenantStore.get('greeting') }
    if (ctx.path === '/refreshed') ctx.body = { tenant: tenant.id, refreshed: authentication.token.length }
  })
  return koa.callback()
}

async function onNode() {
  addon.page('/page', ({ tenant, authentication }) => ({ tenant: tenant.id, user: authentication.userId }))
  return listen(app, { port: Number(PORT) })
}
