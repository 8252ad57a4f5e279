/** The author's routes on Hono, on Node. */

import { getRequestListener } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { authenticate, mount } from 'partywall/hono'
import { type AuthorServices, type Framework, type Made, OPEN_TEXT } from './author.ts'

export const hono: Framework = {
  name: 'Hono',
  hasRawTarget: true,
  isSilent: false,
  build({ app, addon, author, prefix }) {
    const own = new Hono<{ Variables: AuthorServices }>()
    own.use(authenticate(addon))
    own.post('/note', async c => send(c, await author.note(await c.req.json(), c.var)))
    own.get('/:act', async c => send(c, await author.act(c.req.param('act'), c.var)))
    const server = new Hono().use(mount(app)).basePath(prefix)
    server.get('/open', c => c.text(OPEN_TEXT))
    server.route('/own', own)
    // Hono's own handler, without its print.
    server.onError((_error, c) => c.text('Internal Server Error', 500))
    return getRequestListener(server.fetch)
  },
}

function send(c: Context, made: Made): Response {
  if (made.kind === 'json') return c.json(made.value, 200, made.headers)
  return c.body(ReadableStream.from(made.chunks).pipeThrough(new TextEncoderStream()) as ReadableStream)
}
