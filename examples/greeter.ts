// A HipChat add-on on Koa: says hello, counts visits, shows a page. Installed by many tenants, and nowhere does it say which.
import Koa from 'koa'
import { type App, type AppOptions, createApp, type HipchatApp, type Listening, listen } from 'partywall'
import { mount } from 'partywall/koa'

export interface Greeter {
  readonly app: App
  readonly addon: HipchatApp
  readonly server: Listening
  readonly descriptorUrl: string
  close(): Promise<void>
}

export async function startGreeter(
  options: Omit<AppOptions, 'key'> & { readonly port: number; readonly hosts: readonly string[] },
): Promise<Greeter> {
  const app = await createApp({ key: 'com.example.greeter', ...options })
  const addon = app.hipchat({ name: 'Greeter', scopes: ['send_notification'], hosts: options.hosts })

  addon.webhook('room_message', /^\/hello$/, async ctx => {
    const visits = await ctx.tenantStore.update<number>('visits', (count = 0) => count + 1)
    await ctx.roomClient.sendNotification(`Hello ${ctx.sender?.name}, visit ${visits}`)
  })

  const koa = new Koa()
  koa.use(mount(app))
  koa.use(addon.authenticate())
  koa.use(async ctx => {
    if (ctx.path !== '/panel') return
    const visits = (await ctx.tenantStore.get('visits')) ?? 0
    // No `where`: the database shows this tenant's rows and no others.
    const [rows] = await app.sql`select count(*)::int as count from pw.kv`
    ctx.body = {
      tenant: ctx.tenant.id,
      room: ctx.tenant.room,
      user: ctx.authentication.userId,
      visits,
      rowsVisible: rows?.count,
    }
  })

  const server = await listen(koa.callback(), { port: options.port })
  return {
    app,
    addon,
    server,
    descriptorUrl: `${app.baseUrl}/addon/capabilities`,
    async close() {
      await Promise.all([server.close(), app.close()])
    },
  }
}
