/** The author's routes as a fetch handler: on Node with its own request at hand, and as another platform would serve it. */

import { getRequestListener } from '@hono/node-server'
import { authenticate, type FetchHandler, mount } from 'partywall/fetch'
import { type AuthorServices, type Framework, type FrameworkSetup, type Made, OPEN_TEXT } from './author.ts'

export const fetchOnNode: Framework = {
  name: 'fetch',
  hasRawTarget: true,
  isSilent: true,
  build: setup => getRequestListener(createHandler(setup)),
}

/** Nothing but the `Request` and the client's address reach the handler. */
export const fetchAlone: Framework = {
  name: 'fetch without Node',
  hasRawTarget: false,
  isSilent: true,
  build(setup) {
    const handler = createHandler(setup)
    return getRequestListener((request, env) => {
      const { incoming } = env as { readonly incoming: { readonly socket: { readonly remoteAddress?: string } } }
      return handler(request, { remoteAddress: incoming.socket.remoteAddress })
    })
  },
}

function createHandler({ app, addon, author, prefix }: FrameworkSetup): FetchHandler {
  const own = authenticate(addon, (request, services) => {
    const name = new URL(request.url).pathname.slice(`${prefix}/own/`.length)
    if (request.method === 'POST' && name === 'note') return note(request, services)
    const made = author.act(name, services)
    return made instanceof Promise ? made.then(send) : send(made)
  })
  const note = async (request: Request, services: AuthorServices) =>
    send(await author.note(await request.json(), services))
  return mount(app, (request, environment) => {
    const { pathname } = new URL(request.url)
    if (pathname === `${prefix}/open`) return new Response(OPEN_TEXT)
    if (pathname.startsWith(`${prefix}/own/`)) return own(request, environment)
    return new Response('not here', { status: 404 })
  })
}

const send = (made: Made): Response =>
  made.kind === 'json'
    ? Response.json(made.value, { headers: made.headers })
    : new Response(ReadableStream.from(made.chunks).pipeThrough(new TextEncoderStream()) as ReadableStream)
