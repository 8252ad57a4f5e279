/** The author's routes on Koa. */

import { Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import Koa from 'koa'
import { mount } from 'partywall/koa'
import { type AuthorServices, type Framework, type Made, OPEN_TEXT } from './author.ts'

export const koa: Framework = {
  name: 'Koa',
  hasRawTarget: true,
  isSilent: false,
  build({ app, addon, author, prefix }) {
    const server = new Koa()
    // Errors of handlers are what is tested.
    server.silent = true
    // As koa-mount does it.
    server.use((ctx, next) => {
      if (ctx.path.startsWith(`${prefix}/`)) ctx.path = ctx.path.slice(prefix.length)
      return next()
    })
    server.use(mount(app))
    server.use((ctx, next) => {
      if (ctx.path !== '/open') return next()
      ctx.body = OPEN_TEXT
      return undefined
    })
    server.use(addon.authenticate())
    server.use(async ctx => {
      const services = ctx as unknown as AuthorServices
      const [, area, name = ''] = ctx.path.split('/')
      if (area !== 'own') return
      if (ctx.method === 'POST' && name === 'note') send(ctx, await author.note(await json(ctx.req), services))
      else send(ctx, await author.act(name, services))
    })
    return server.callback()
  },
}

function send(ctx: Koa.Context, made: Made): void {
  if (made.kind === 'stream') {
    ctx.body = Readable.from(made.chunks)
    return
  }
  ctx.set(made.headers)
  ctx.body = made.value
}
