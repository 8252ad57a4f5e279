import assert from 'node:assert/strict'
import type { RequestListener, ServerResponse } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { afterEach, test } from 'node:test'
import { PartywallError } from '../../../src/core/errors.ts'
import { holdResponse } from '../../../src/http/held-response.ts'
import { type Listening, listen } from '../../../src/http/server.ts'
import type { Guarded } from '../../../src/http/view.ts'

const servers: Listening[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.close()))
})

/** Answers one request by `write`, behind a tenant whose state `ensureLive` tells. */
async function answered(
  ensureLive: Guarded['ensureLive'],
  write: (response: ServerResponse) => void,
  headers: readonly string[] = [],
): Promise<Response> {
  const guarded: Guarded = {
    properties: {},
    run: work => work(),
    ensureLive,
    headers: () => headers,
    release: () => undefined,
  }
  const listener: RequestListener = (request, response) => {
    holdResponse(request, response, guarded)
    write(response)
  }
  const server = await listen(listener)
  servers.push(server)
  return fetch(server.url)
}

const isLive = () => undefined
const hasEnded = () => {
  throw new PartywallError('ERR_TENANT_REVOKED')
}
const isLiveLater = () => new Promise<void>(resolve => setTimeout(resolve, 10))
const hasEndedLater = () => isLiveLater().then(hasEnded)

const writers: Readonly<Record<string, (response: ServerResponse) => void>> = {
  'end alone': response => void response.end('made'),
  'writeHead with an object': response =>
    void response.writeHead(200, 'Fine', { 'cache-control': 'public', 'x-own': 'kept' }).end('made'),
  'writeHead with a list': response => void response.writeHead(200, ['cache-control', 'public']).end('made'),
  'writeHead with pairs': response =>
    void response.writeHead(200, [['cache-control', 'public']] as unknown as string[]).end('made'),
  'flushHeaders first': response => {
    response.flushHeaders()
    response.end('made')
  },
  'pieces with callbacks': response =>
    void response.write('ma', 'utf8', () => {
      response.end('de')
    }),
  'a stream': response => pipeline(Readable.from(['ma', 'de']), response, () => undefined),
}

for (const [how, write] of Object.entries(writers)) {
  for (const [when, ensureLive] of Object.entries({ 'at once': isLive, 'after asking': isLiveLater })) {
    test(`${how}: an answer of a live tenant goes out ${when}, private and with his headers`, async () => {
      const response = await answered(ensureLive, write, ['jwt', 'fresh'])
      assert.equal(await response.text(), 'made')
      assert.equal(response.headers.get('cache-control'), 'no-store')
      assert.equal(response.headers.get('referrer-policy'), 'no-referrer')
      assert.equal(response.headers.get('jwt'), 'fresh')
    })
  }
  for (const [when, ensureLive] of Object.entries({ 'at once': hasEnded, 'after asking': hasEndedLater })) {
    test(`A 11: ${how}: an answer of a tenant that has ended is replaced ${when}`, async () => {
      const response = await answered(ensureLive, write, ['jwt', 'fresh'])
      assert.equal(response.status, 410)
      assert.match(await response.text(), /^\{"error":\{"code":"ERR_TENANT_REVOKED"/)
      assert.equal(response.headers.get('x-own'), null)
      assert.equal(response.headers.get('jwt'), null)
    })
  }
}

test('headers and status that came with writeHead stay', async () => {
  const write = (response: ServerResponse) =>
    void response.writeHead(201, { 'x-own': 'kept', 'set-cookie': ['a=1', 'b=2'] }).end()
  const response = await answered(isLive, write)
  assert.equal(response.status, 201)
  assert.equal(response.headers.get('x-own'), 'kept')
  assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2'])
})

test('a stream larger than any buffer waits while the registry is asked, and arrives whole', async () => {
  const piece = Buffer.alloc(64 * 1024, 0x61)
  const write = (response: ServerResponse) =>
    pipeline(Readable.from(Array.from({ length: 40 }, () => piece)), response, () => undefined)
  const response = await answered(isLiveLater, write)
  assert.equal((await response.text()).length, 40 * piece.length)
})

test('while the registry is asked, the head counts as sent', async () => {
  let seen: boolean | undefined
  const response = await answered(isLiveLater, own => {
    own.end('made')
    seen = own.headersSent
  })
  assert.equal(seen, true)
  assert.equal(await response.text(), 'made')
})

test('a registry that cannot be asked is 503, and nothing of the answer goes out', async () => {
  const fail = () => Promise.reject(new PartywallError('ERR_STORE_UNAVAILABLE'))
  const response = await answered(fail, own => void own.end('made'))
  assert.equal(response.status, 503)
  assert.doesNotMatch(await response.text(), /made/)
})
