/** The author's routes on Fastify. */

import { Readable } from 'node:stream'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { authenticate, mount } from 'partywall/fastify'
import { type AuthorServices, type Framework, type Made, OPEN_TEXT } from './author.ts'

export const fastifyFramework: Framework = {
  name: 'Fastify',
  hasRawTarget: true,
  isSilent: false,
  async build({ app, addon, author, prefix }) {
    const server = fastify()
    await server.register(mount(app))
    server.get(`${prefix}/open`, async () => OPEN_TEXT)
    await server.register(
      async scope => {
        await scope.register(authenticate(addon))
        scope.post('/note', async (request, reply) => send(reply, await author.note(request.body, servicesOf(request))))
        scope.get<{ Params: { act: string } }>('/:act', (request, reply) => {
          const made = author.act(request.params.act, servicesOf(request))
          return made instanceof Promise ? made.then(known => send(reply, known)) : send(reply, made)
        })
      },
      { prefix: `${prefix}/own` },
    )
    await server.ready()
    return server.routing
  },
}

const servicesOf = (request: FastifyRequest) => request as unknown as AuthorServices

const send = (reply: FastifyReply, made: Made): FastifyReply =>
  made.kind === 'json' ? reply.headers(made.headers).send(made.value) : reply.send(Readable.from(made.chunks))
