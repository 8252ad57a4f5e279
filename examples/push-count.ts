// Counts pushes to the repositories of a Bitbucket account. Bitbucket's older model: the first install is not signed, so it counts only
// when Bitbucket itself honours the secret; nothing of that is to be seen here. On Fastify.
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { App, ConnectApp, ConnectOptions, ConnectRequestServices } from 'partywall'
import { authenticate, mount } from 'partywall/fastify'
import { html } from './html.ts'

export function addPushCount(app: App, options: Partial<ConnectOptions> = {}): ConnectApp {
  const addon = app.connect({ name: 'Push Count', family: 'bitbucket', ...options })
  addon
    .module(
      'repoPages',
      { key: 'pushes', name: 'Pushes', url: '/pushes', location: 'org.bitbucket.repository.navigation' },
      async ctx => {
        const pushes = Object.entries(await ctx.tenantStore.narrow('pushes').all())
        return html`<!doctype html>
<title>Pushes</title>
<ul>${pushes.map(([repository, count]) => `${repository}: ${count}`)}</ul>`
      },
    )
    .webhook('repo:push', async ctx => {
      const { data } = ctx.body as { readonly data?: { readonly repository?: { readonly full_name?: unknown } } }
      const name = data?.repository?.full_name
      if (typeof name !== 'string') return
      await ctx.tenantStore.narrow('pushes').update<number>(name, (count = 0) => count + 1)
    })
  return addon
}

/** The app behind Fastify, with a route of the author's own. */
export function onFastify(app: App, addon: ConnectApp): FastifyInstance {
  const server = fastify()
  server.register(mount(app))
  server.register(async own => {
    own.register(authenticate(addon))
    own.get('/pushes.json', request =>
      (request as FastifyRequest & ConnectRequestServices).tenantStore.narrow('pushes').all(),
    )
  })
  return server
}
