/** The author's routes on plain `node:http`. */

import type { ServerResponse } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { json } from 'node:stream/consumers'
import { authenticate, createRequestListener } from 'partywall/node'
import { type Framework, type Made, OPEN_TEXT } from './author.ts'

export const node: Framework = {
  name: 'node:http',
  hasRawTarget: true,
  isSilent: true,
  build({ app, addon, author, prefix }) {
    const own = authenticate(addon, (request, response, services) => {
      const name = request.url?.split('?')[0]?.slice(`${prefix}/own/`.length) ?? ''
      if (request.method === 'POST' && name === 'note') {
        return json(request)
          .then(body => author.note(body, services))
          .then(made => send(response, made))
      }
      const made = author.act(name, services)
      return made instanceof Promise ? made.then(known => send(response, known)) : send(response, made)
    })
    return createRequestListener(app, {
      next: (request, response) => {
        const path = request.url?.split('?')[0] ?? ''
        if (path === `${prefix}/open`) response.end(OPEN_TEXT)
        else if (path.startsWith(`${prefix}/own/`)) own(request, response)
        else response.writeHead(404).end()
      },
    })
  },
}

function send(response: ServerResponse, made: Made): void {
  if (made.kind === 'json') {
    response.writeHead(200, { 'content-type': 'application/json', ...made.headers }).end(JSON.stringify(made.value))
  }
  // The response is broken where its stream is: there is nothing more to do about it.
  else pipeline(Readable.from(made.chunks), response, () => undefined)
}
