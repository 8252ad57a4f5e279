/** The author's routes on Express. */

import { pipeline, Readable } from 'node:stream'
import express, { type Request, type Response } from 'express'
import { authenticate, mount } from 'partywall/express'
import { type AuthorServices, type Framework, type Made, OPEN_TEXT } from './author.ts'

export const expressFramework: Framework = {
  name: 'Express',
  hasRawTarget: true,
  isSilent: false,
  build({ app, addon, author, prefix }) {
    const server = express()
    // Else the errors of handlers, which are what is tested, are printed. Answers show their stack all the same.
    server.set('env', 'test')
    const router = express.Router()
    router.use(mount(app))
    router.get('/open', (_request, response) => void response.send(OPEN_TEXT))
    router.use('/own', authenticate(addon), express.json())
    router.post('/own/note', async (request, response) =>
      send(response, await author.note(request.body, servicesOf(request))),
    )
    router.get('/own/:act', (request, response) => {
      const made = author.act(request.params.act, servicesOf(request))
      return made instanceof Promise ? made.then(known => send(response, known)) : send(response, made)
    })
    server.use(prefix, router)
    return server
  },
}

const servicesOf = (request: Request) => request as unknown as AuthorServices

function send(response: Response, made: Made): void {
  if (made.kind === 'json') response.set(made.headers).json(made.value)
  // The response is broken where its stream is: there is nothing more to do about it.
  else pipeline(Readable.from(made.chunks), response, () => undefined)
}
