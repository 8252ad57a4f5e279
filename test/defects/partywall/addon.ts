/** The add-on of these cases on Partywall, with the routes of peer/addon.cjs. PORT, HOSTS and WITH come as variables. */

import Koa from 'koa'
import { createApp, createLogger, type HipchatApp, listen } from 'partywall'
import { authenticate, mount } from 'partywall/koa'
import { addBuilt } from './built.ts'
import { call, outcome, type Services, TASKS } from './services.ts'

const { PORT, HOSTS = '', WITH } = process.env
const hosts = HOSTS.split(',')
const app = await createApp({
  key: 'com.example.cases',
  baseUrl: `http://127.0.0.1:${PORT}`,
  developmentHosts: hosts,
  retention: { days: 0 },
  logger: createLogger({ level: 'info' }),
})
const events: { readonly name: string; readonly tenant: string; readonly text?: unknown }[] = []
const common = {
  scopes: ['send_notification', 'send_message', 'admin_room', 'manage_rooms', 'view_group', 'view_room'],
  hosts,
} as const

const addon = app.hipchat({ name: 'Cases', ...common })
addon.webhook('room_message', /^\/note /, async ctx => {
  events.push({ name: 'note', tenant: ctx.tenant.id, text: ctx.content })
  await ctx.tenantStore.set('note', ctx.content ?? '')
})
addon.webhook('room_message', /^\/boom/, () => {
  throw new Error('the handler fails')
})
addon.webhook('room_message', /hello/, ctx => events.push({ name: 'hello', tenant: ctx.tenant.id }))
addon.webhook('room_message', /world/, ctx => events.push({ name: 'world', tenant: ctx.tenant.id }))
addon.webhook('room_message', /^\/ask/, () => ({ message: 'an answer' }), { reply: true })
addon.onWebhook('room_message', ctx => {
  if (/^\/shout/i.test(ctx.content ?? '')) events.push({ name: 'shout', tenant: ctx.tenant.id })
})
addon.onUninstalled(async ctx => {
  events.push({ name: 'uninstalled', tenant: ctx.tenant.id, text: await ctx.tenantStore.get('note') })
})
if (WITH === 'events') {
  for (const event of ['created', 'archived', 'unarchived', 'deleted']) addon.webhook(`room_${event}`, () => undefined)
  addon.webhook('room_file_upload', () => undefined)
}
if (WITH === 'global') addon.webhook('room_message', /again/g, () => undefined)

const scoped = app.hipchat({ name: 'Two', key: 'com.example.cases.two', path: '/two', ...common })
scoped.webhook('room_message', /^\/two/, ctx => events.push({ name: 'two', tenant: ctx.tenant.id }))

addBuilt(app, common)

const koa = new Koa()
koa.use(mount(app))
koa.use(async (ctx, next) => {
  if (ctx.path === '/events') ctx.body = events
  else if (ctx.path === '/disable') {
    await app.setEnabled({ dialect: 'hipchat', id: String(ctx.query.id) }, false)
    ctx.body = {}
  } else await next()
})
koa.use(below('/two', scoped))
koa.use(below('', addon))

const server = await listen(koa.callback(), { port: Number(PORT) })
process.send?.('listening')
process.once('SIGTERM', async () => {
  await Promise.all([server.close(), app.close()])
  process.exit(0)
})

/** The routes of one add-on, behind its own authentication. */
function below(prefix: string, one: HipchatApp): Koa.Middleware {
  const guarded = authenticate(one)
  return (ctx, next) => {
    const route = ctx.path.startsWith(prefix) ? ROUTES[ctx.path.slice(prefix.length)] : undefined
    if (route === undefined) return next()
    return guarded(ctx, async () => {
      ctx.body = await route(ctx as unknown as Services, ctx.query)
    })
  }
}

type Query = Readonly<Record<string, unknown>>
const ROUTES: Readonly<Record<string, (services: Services, query: Query) => Promise<unknown>>> = {
  '/whoami': async ({ tenant, authentication, roomClient }) => ({
    tenant: tenant.id,
    user: authentication.userId,
    token: authentication.token,
    hasRoomClient: roomClient !== undefined,
  }),
  '/call': (services, query) => outcome(call(services, JSON.parse(String(query.call)))),
  '/task': (services, query) => outcome(TASKS[String(query.name)]?.(services)),
}
