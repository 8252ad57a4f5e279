import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { PartywallError } from '../../src/core/errors.ts'
import { readJsonBody } from '../../src/core/json-body.ts'
import { jsonAnswer, textAnswer } from '../../src/http/answers.ts'
import { createRouter } from '../../src/http/router.ts'
import { type Listening, listen, serverOptions, widerLimits } from '../../src/http/server.ts'
import type { Mountable } from '../../src/http/view.ts'
import { answersIn, exchange, statusIn } from './http-raw.ts'

const reported: unknown[] = []
const waiting: (() => void)[] = []
let handled = 0

const app: Mountable = createRouter(
  [
    { method: 'GET', path: '/hello', handle: () => textAnswer(200, 'hello') },
    {
      method: 'POST',
      path: '/size',
      handle: async ({ view }) => {
        handled++
        return jsonAnswer(200, { size: (await view.body()).length })
      },
    },
    { method: 'POST', path: '/json', handle: async ({ view }) => jsonAnswer(200, (await readJsonBody(view)).value) },
    { method: 'POST', path: '/unread', handle: () => textAnswer(403, 'no') },
    { method: 'GET', path: '/headers', handle: ({ view }) => jsonAnswer(200, view.headerValues('authorization')) },
    {
      method: 'GET',
      path: '/wait',
      handle: () => new Promise(resolve => waiting.push(() => resolve(textAnswer(200, 'done')))),
    },
    {
      method: 'GET',
      path: '/throws',
      handle: () => {
        throw new Error('inner words of /srv/app.js')
      },
    },
    { method: 'GET', path: '/odd', handle: () => ({ status: 200, headers: ['bad name', 'x\r\ny'], body: 'x' }) },
  ],
  '',
  error => reported.push(error),
)

let server: Listening
before(async () => {
  server = await listen(app, { bodyTimeoutMs: 300 })
})
after(() => server.close())

const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers,
  })

const codeOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { error: { code: string } }).error.code

test('H 80: ambiguous framing is refused by the parser and reaches no handler', async () => {
  const smuggled = '0\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n'
  const heads = [
    'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
    'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n',
    'Content-Length: 5\r\nContent-Length: 6\r\n',
    'Content-Length: 5\r\nContent-Length: 5\r\n',
    'Content-Length: 5, 5\r\n',
    'Content-Length: +5\r\n',
    'Content-Length: -1\r\n',
    'Content-Length: 0x5\r\n',
    'Content-Length: 99999999999999999999\r\n',
    'Content-Length : 5\r\n',
    'Transfer-Encoding : chunked\r\n',
    'Transfer-Encoding: xchunked\r\n',
    'Transfer-Encoding: chunked, identity\r\n',
    'Transfer-Encoding: chunked, chunked\r\n',
    'X: y\nTransfer-Encoding: chunked\r\n',
    'X\u0000: y\r\n',
    ': y\r\n',
  ]
  for (const head of heads) {
    const before = handled
    const { text, ending } = await exchange(server.port, [`POST /size HTTP/1.1\r\nHost: x\r\n${head}\r\n`, smuggled])
    const status = statusIn(text)
    assert.equal(status, 400, `${JSON.stringify(head)}: ${text}`)
    assert.equal(answersIn(text), 1, JSON.stringify(head))
    assert.notEqual(ending, 'open', JSON.stringify(head))
    assert.equal(handled, before, JSON.stringify(head))
  }
})

test('H 80: broken request lines, chunks and missing Host are refused', async () => {
  const requests = [
    'GET /hello HTTP/1.1\r\n\r\n',
    'GET /hello HTTP/1.1\r\nHost : x\r\n\r\n',
    'GET /hello\r\n\r\n',
    'GET /hello HTTP/9.9\r\nHost: x\r\n\r\n',
    'GET /hello HTTP/1.1\nHost: x\n\n',
    'POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n',
    'POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n',
    'POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n',
    '\u0016\u0003\u0001\u0002\u0000',
  ]
  for (const request of requests) {
    const { text } = await exchange(server.port, [request])
    assert.equal(statusIn(text), 400, `${JSON.stringify(request)}: ${text}`)
    assert.doesNotMatch(text, /HPE_|node:|Error/)
  }
  assert.equal((await fetch(`${server.url}/hello`)).status, 200)
})

test('H 81: targets in other forms are answered 400 or 404, never by a route', async () => {
  const targets = [
    ['http://x/hello', 400],
    ['//hello', 400],
    ['/%68ello', 404],
    ['/x/../hello', 404],
    ['/./hello', 404],
    ['/hello/', 404],
    ['/hello%00', 404],
    ['\\hello', 400],
    ['*', 400],
  ] as const
  for (const [target, status] of targets) {
    const { text } = await exchange(
      server.port,
      [`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`],
      () => false,
    )
    assert.equal(statusIn(text), status, `${target}: ${text}`)
  }
})

test('H 78: headers above 16 KiB are 431', async () => {
  const { text } = await exchange(server.port, [`GET /hello HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(17_000)}\r\n\r\n`])
  assert.equal(statusIn(text), 431)
})

test('H 78: a body above 1 MiB is 413 before it is read, and the answer arrives', async () => {
  const head = `POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: ${1024 * 1024 + 1}\r\n\r\n`
  const early = await exchange(server.port, [head], text => text.includes('ERR_BODY_TOO_LARGE'))
  assert.equal(statusIn(early.text), 413)
  assert.match(early.text, /\r\nconnection: close\r\n/i)

  const sent = await exchange(server.port, [head, Buffer.alloc(1024 * 1024 + 1)])
  assert.equal(statusIn(sent.text), 413)
  assert.match(sent.text, /ERR_BODY_TOO_LARGE/)
  assert.equal(sent.ending, 'end')
  assert.deepEqual(await (await post('/size', Buffer.alloc(1024 * 1024))).json(), { size: 1024 * 1024 })
})

test('H 78: a body without length is cut off at 1 MiB', async () => {
  const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`
  const head = 'POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
  const { text, ending } = await exchange(server.port, [head, ...Array.from({ length: 20 }, () => chunk), '0\r\n\r\n'])
  assert.equal(statusIn(text), 413, text)
  assert.equal(ending, 'end')
})

test('an answer without reading a large body arrives whole and closes in order', async () => {
  const body = Buffer.alloc(3 * 1024 * 1024)
  const head = `POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`
  const { text, ending } = await exchange(server.port, [head, body])
  assert.equal(statusIn(text), 403)
  assert.ok(text.endsWith('no'), text)
  assert.equal(ending, 'end')
})

test('H 78: a slow body ends at its time limit with 408', async () => {
  const head = 'POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab'
  const { text } = await exchange(server.port, [head], got => got.includes('ERR_BODY_TIMEOUT'))
  assert.equal(statusIn(text), 408)
})

test('H 78: compressed bodies are refused, by content and by transfer encoding', async () => {
  for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip', 'x-unknown']) {
    const response = await post('/size', 'x', { 'content-encoding': encoding })
    assert.equal(response.status, 415, encoding)
    assert.equal(await codeOf(response), 'ERR_CONTENT_ENCODING')
  }
  assert.equal((await post('/size', 'x', { 'content-encoding': 'identity' })).status, 200)
  const transfer =
    'POST /size HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'
  assert.equal(statusIn((await exchange(server.port, [transfer])).text), 400)
})

test('H 79: wrong type 415, broken JSON 400, deep nesting 400 over the wire', async () => {
  const json = { 'content-type': 'application/json' }
  assert.equal((await post('/json', '{}', { 'content-type': 'text/plain' })).status, 415)
  assert.equal((await post('/json', '{', json)).status, 400)
  assert.equal((await post('/json', Buffer.from([0x22, 0xff, 0x22]), json)).status, 400)
  assert.equal((await post('/json', '['.repeat(1_000_000), json)).status, 400)
  assert.deepEqual(await (await post('/json', '{"a":[1]}', json)).json(), { a: [1] })
})

test('H 78: slow headers end at their time limit', async () => {
  const options = { ...serverOptions(), headersTimeout: 300, requestTimeout: 600, connectionsCheckingInterval: 50 }
  const quick = await listen(app, { server: options })
  const { text } = await exchange(quick.port, ['GET /hello HTTP/1.1\r\nHost: x\r\n', 200, 'X: y\r\n'])
  assert.equal(statusIn(text), 408)
  await quick.close()
})

test('H 78: the limits of serverOptions are those of the specification', () => {
  const options = serverOptions()
  assert.ok((options.headersTimeout ?? Infinity) <= 15_000)
  assert.ok((options.requestTimeout ?? Infinity) <= 20_000)
  assert.equal(options.connectionsCheckingInterval, 1_000)
  assert.equal(options.maxHeaderSize, 16 * 1024)
  assert.equal(options.insecureHTTPParser, false)
  assert.deepEqual(widerLimits(createServer(options)), [])
  assert.equal(widerLimits(createServer({ insecureHTTPParser: true })).length, 3)
})

test('H 78: connections above the cap are dropped, those below live on', async () => {
  const small = await listen(app, { maxConnections: 1 })
  const first = exchange(small.port, ['GET /hello HTTP/1.1\r\nHost: x\r\n\r\n', 200], text => text.includes('hello'))
  await new Promise(resolve => setTimeout(resolve, 50))
  const second = await exchange(small.port, ['GET /hello HTTP/1.1\r\nHost: x\r\n\r\n'])
  assert.equal(second.text, '')
  assert.equal(statusIn((await first).text), 200)
  await small.close()
})

test('repeated headers are all seen', async () => {
  const request =
    'GET /headers HTTP/1.1\r\nHost: x\r\nAuthorization: JWT a\r\nauthorization: JWT b\r\nConnection: close\r\n\r\n'
  assert.match((await exchange(server.port, [request])).text, /\["JWT a","JWT b"\]$/)
})

test('HEAD has the headers of GET and no body', async () => {
  const request = 'HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
  const { text } = await exchange(server.port, [request])
  assert.match(text, /content-length: 5\r\n/)
  assert.ok(text.endsWith('\r\n\r\n'), text)
})

test('H 82: answers show no product and open nothing to other origins', async () => {
  for (const path of ['/hello', '/unknown', '/throws']) {
    const { headers } = await fetch(`${server.url}${path}`, { headers: { origin: 'https://evil.example' } })
    for (const name of ['server', 'x-powered-by', 'access-control-allow-origin']) assert.equal(headers.get(name), null)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
  }
})

test('H 84, H 86: a handler that throws ends its request only', async () => {
  const response = await fetch(`${server.url}/throws`)
  assert.equal(response.status, 500)
  assert.doesNotMatch(await response.text(), /inner|srv|at /)
  assert.equal((reported.at(-1) as Error).message, 'inner words of /srv/app.js')
  assert.equal((await fetch(`${server.url}/hello`)).status, 200)
})

test('H 86: an app that throws or gives an answer no server can write ends its request only', async () => {
  const errors: unknown[] = []
  const broken = await listen(
    {
      handle(view) {
        if (view.target === '/reject') return Promise.reject(new PartywallError('ERR_STORE_UNAVAILABLE'))
        if (view.target === '/throw') throw new Error('inner')
        return app.handle(view)
      },
    },
    { onError: error => errors.push(error) },
  )
  assert.equal((await fetch(`${broken.url}/reject`)).status, 503)
  assert.equal((await fetch(`${broken.url}/throw`)).status, 500)
  assert.equal((await fetch(`${broken.url}/odd`)).status, 500)
  assert.equal(errors.length, 3)
  assert.equal((await fetch(`${broken.url}/hello`)).status, 200)
  await broken.close()
})

test('every answer is told to the request log, with its tenant and without being waited for', async () => {
  const lines: string[] = []
  const logged = await listen(
    { handle: () => ({ ...textAnswer(200, 'x'), tenant: 'tenant-a' }) },
    { onAnswer: done => lines.push(`${done.tenant} ${done.view.method} ${done.view.target} ${done.status}`) },
  )
  await (await fetch(`${logged.url}/a?b`)).text()
  assert.deepEqual(lines, ['tenant-a GET /a?b 200'])
  await logged.close()
})

test('H 87: closing refuses new connections, finishes running requests and closes kept-alive ones', async () => {
  const closing = await listen(app)
  await (await fetch(`${closing.url}/hello`)).text()
  const running = fetch(`${closing.url}/wait`)
  while (waiting.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  const startedAt = performance.now()
  const closed = closing.close()
  await assert.rejects(fetch(`${closing.url}/hello`, { headers: { connection: 'close' } }))
  waiting.pop()?.()
  const response = await running
  assert.equal(response.headers.get('connection'), 'close')
  assert.equal(await response.text(), 'done')
  await closed
  await closing.close()
  assert.ok(performance.now() - startedAt < 4_000)
})

test('H 87: a request that never ends does not hold the close for longer than the grace', async () => {
  const closing = await listen(app, { closeGraceMs: 100 })
  const running = fetch(`${closing.url}/wait`)
  while (waiting.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  const outcome = assert.rejects(running)
  await closing.close()
  await outcome
  waiting.pop()?.()
})

test('H 87: an answer that had begun before the close still ends its kept-alive connection', async () => {
  let finish: () => void = () => undefined
  const closing = await listen((_request, response) => {
    response.write('begun')
    finish = () => response.end(' and done')
  })
  const response = await fetch(closing.url)
  const startedAt = performance.now()
  const closed = closing.close()
  finish()
  assert.equal(await response.text(), 'begun and done')
  await closed
  assert.ok(performance.now() - startedAt < 4_000)
})
