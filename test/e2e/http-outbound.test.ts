import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { createOutbound, type OutboundClient } from '../../src/http/outbound.ts'
import { TEST_CERTIFICATE, TEST_PRIVATE_KEY } from './http-certificate.ts'

const MEBIBYTE = 1024 * 1024
const seen: { url: string; headers: IncomingMessage['headers'] }[] = []
let connections = 0

const pages: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/hello': (_request, response) => response.setHeader('set-cookie', ['a=1', 'b=2']).end('hello'),
  '/echo': (request, response) => void request.pipe(response),
  '/same': (_request, response) => response.writeHead(302, { location: '/hello?from=same' }).end(),
  '/keep': (_request, response) => response.writeHead(307, { location: '/echo' }).end(),
  '/loop': (_request, response) => response.writeHead(302, { location: '/loop' }).end(),
  '/away': (_request, response) => response.writeHead(302, { location: `${other.origin}/hello` }).end(),
  '/slashes': (_request, response) => response.writeHead(302, { location: '//other.test/hello' }).end(),
  '/bent': (_request, response) => response.writeHead(302, { location: `${main.origin}@other.test/` }).end(),
  '/silent': () => undefined,
  '/drip': (_request, response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write('x'), 20)
    response.once('close', () => clearInterval(timer))
  },
  '/announced': (_request, response) => response.writeHead(200, { 'content-length': String(2 * MEBIBYTE) }).write('x'),
  '/endless': (_request, response) => {
    response.on('error', () => undefined).once('close', () => response.destroy())
    const pour = () => {
      if (!response.destroyed) response.write(Buffer.alloc(65_536), () => setImmediate(pour))
    }
    pour()
  },
  '/bomb': (_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(64 * MEBIBYTE))),
  '/brotli': (_request, response) =>
    response.writeHead(200, { 'content-encoding': 'br' }).end(brotliCompressSync('small')),
  '/not-gzip': (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('plain'),
  '/zstd': (_request, response) => response.writeHead(200, { 'content-encoding': 'x-new' }).end('plain'),
  '/reset': request => void request.socket.destroy(),
}

const serve = (request: IncomingMessage, response: ServerResponse) => {
  seen.push({ url: `${request.headers.host}${request.url}`, headers: request.headers })
  const page = pages[(request.url ?? '').split('?')[0] ?? '']
  if (page === undefined) response.writeHead(404).end()
  else page(request, response)
}

const start = async (server: Server) => {
  server.on('connection', () => connections++)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return { server, port, origin: `http://127.0.0.1:${port}`, hostPort: `127.0.0.1:${port}` }
}

let main: Awaited<ReturnType<typeof start>>
let other: typeof main
let secure: typeof main
let outbound: OutboundClient
const clients: OutboundClient[] = []

const makeClient: typeof createOutbound = options => {
  const client = createOutbound(options)
  clients.push(client)
  return client
}

before(async () => {
  main = await start(createServer(serve))
  other = await start(createServer(serve))
  secure = await start(createTlsServer({ key: TEST_PRIVATE_KEY, cert: TEST_CERTIFICATE }, serve))
  const hosts = [main.hostPort, other.hostPort]
  outbound = makeClient({ allowPrivate: hosts, allowHttp: hosts })
})
after(async () => {
  for (const { server } of [main, other, secure]) {
    server.close()
    server.closeAllConnections()
  }
  await Promise.all(clients.map(client => client.close()))
})

const get = (path: string, more: object = {}, client = outbound) =>
  client.request({ url: `${main.origin}${path}`, method: 'GET', allowedOrigins: [main.origin], ...more })

test('a call brings status, headers and bytes', async () => {
  const response = await get('/hello')
  assert.equal(response.status, 200)
  assert.equal(response.headers['set-cookie'], 'a=1, b=2')
  assert.equal(response.body.toString(), 'hello')
  const echo = await get('/echo', { method: 'POST', body: 'sent', headers: { 'content-type': 'text/plain' } })
  assert.equal(echo.body.toString(), 'sent')
  assert.equal(seen.at(-1)?.headers['accept-encoding'], 'identity')
})

test('C 33, C 39: a call goes to the origins of its list and nowhere else', async () => {
  const before = connections
  const refused = [
    [`${other.origin}/hello`, [main.origin]],
    [`${main.origin}/hello`, []],
    [`${main.origin}/hello`, [`${main.origin}/`]],
    [`http://localhost:${main.port}/hello`, [main.origin]],
    [`https://127.0.0.1:${main.port}/hello`, [main.origin]],
    [`http://127.0.0.1.evil.example:${main.port}/hello`, [main.origin]],
  ] as const
  for (const [url, allowedOrigins] of refused) {
    const call = outbound.request({ url, method: 'GET', allowedOrigins, headers: { authorization: 'Bearer secret' } })
    await assert.rejects(call, { code: 'ERR_OUTBOUND_REFUSED', status: 403 }, url)
  }
  const bent = outbound.request({
    url: `${main.origin}\\@${other.hostPort}/`,
    method: 'GET',
    allowedOrigins: [main.origin],
  })
  await assert.rejects(bent, { code: 'ERR_OUTBOUND_URL' })
  assert.equal(connections, before)
})

test('C 33: plain http needs host and port in the configuration', async () => {
  const strict = makeClient({ allowPrivate: [main.hostPort] })
  await assert.rejects(get('/hello', {}, strict), { code: 'ERR_OUTBOUND_REFUSED' })
  assert.throws(() => createOutbound({ allowHttp: ['127.0.0.1'] }), TypeError)
  assert.throws(() => createOutbound({ allowPrivate: ['http://host:80'] }), TypeError)
})

test('C 33: redirects are not followed unless asked for, and then on the same origin only', async () => {
  assert.equal((await get('/same')).status, 302)
  assert.equal((await get('/same', { maxRedirects: 1 })).body.toString(), 'hello')
  assert.equal(seen.at(-1)?.url, `${main.hostPort}/hello?from=same`)
  await assert.rejects(get('/loop', { maxRedirects: 3 }), { code: 'ERR_HOST_RESPONSE' })
  const before = seen.length
  const origins = [main.origin, other.origin]
  for (const path of ['/away', '/slashes', '/bent']) {
    const call = get(path, { maxRedirects: 5, allowedOrigins: origins, headers: { authorization: 'Bearer secret' } })
    await assert.rejects(
      call,
      (error: { code?: string }) => /^ERR_OUTBOUND_(REFUSED|URL)$/.test(error.code ?? ''),
      path,
    )
  }
  assert.deepEqual(
    seen.slice(before).map(request => request.url.split('/')[0]),
    [main.hostPort, main.hostPort, main.hostPort],
  )
})

test('a redirected POST becomes a GET without body, except for 307', async () => {
  const post = { method: 'POST', body: 'sent', headers: { 'content-type': 'text/plain' }, maxRedirects: 1 }
  assert.equal((await get('/same', post)).body.toString(), 'hello')
  assert.equal(seen.at(-1)?.headers['content-type'], undefined)
  assert.equal((await get('/keep', post)).body.toString(), 'sent')
})

test('C 33: a call ends at its time limit, in every phase', async () => {
  for (const path of ['/silent', '/drip']) {
    await assert.rejects(get(path, { timeoutMs: 150 }), { code: 'ERR_OUTBOUND_TIMEOUT', status: 503 }, path)
  }
  const hanging = makeClient({ resolve: () => new Promise(() => undefined), timeoutMs: 100 })
  const call = hanging.request({ url: 'https://slow.test/', method: 'GET', allowedOrigins: ['https://slow.test'] })
  await assert.rejects(call, { code: 'ERR_OUTBOUND_TIMEOUT' })
})

test('C 33: a response ends at its size limit: announced, endless, and unpacked', async () => {
  for (const path of ['/announced', '/endless', '/bomb']) {
    await assert.rejects(get(path), { code: 'ERR_OUTBOUND_TOO_LARGE', status: 503 }, path)
  }
  await assert.rejects(get('/hello', { maxBytes: 4 }), { code: 'ERR_OUTBOUND_TOO_LARGE' })
  assert.equal((await get('/hello', { maxBytes: 5 })).body.toString(), 'hello')
  assert.equal((await get('/brotli')).body.toString(), 'small')
  for (const path of ['/not-gzip', '/zstd']) await assert.rejects(get(path), { code: 'ERR_HOST_RESPONSE' }, path)
})

test('C 35: private addresses are refused before a connection, written out or resolved', async () => {
  const before = connections
  const client = makeClient({ allowHttp: [main.hostPort, `localhost:${main.port}`, `[::ffff:7f00:1]:${main.port}`] })
  const spellings = ['127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', 'localhost', '[::ffff:127.0.0.1]']
  for (const host of spellings) {
    const url = `http://${host}:${main.port}/hello`
    const call = client.request({ url, method: 'GET', allowedOrigins: [new URL(url).origin] })
    await assert.rejects(call, { code: 'ERR_OUTBOUND_REFUSED' }, host)
  }
  assert.equal(connections, before)
})

test('C 34, C 35: the connection goes to the address that was checked; a second answer of DNS is never asked for', async () => {
  const hostPort = `rebind.test:${main.port}`
  const url = `http://${hostPort}/hello`
  const call = (client: OutboundClient) =>
    client.request({ url, method: 'GET', allowedOrigins: [`http://${hostPort}`] })
  let answers = 0
  const local = [{ address: '127.0.0.1', family: 4 }]
  const allowed = makeClient({
    allowHttp: [hostPort],
    allowPrivate: [hostPort],
    resolve: async () => (answers++ === 0 ? local : [{ address: '192.0.2.1', family: 4 }]),
  })
  assert.equal((await call(allowed)).body.toString(), 'hello')
  assert.equal(answers, 1)
  assert.equal(seen.at(-1)?.url, `${hostPort}/hello`)

  const before = connections
  const mixed = makeClient({
    allowHttp: [hostPort],
    resolve: async () => [{ address: '8.8.8.8', family: 4 }, ...local],
  })
  await assert.rejects(call(mixed), { code: 'ERR_OUTBOUND_REFUSED' })
  assert.equal(connections, before)
})

test('C 35: a host named as private is called at a private address by https, and at a loopback address never', async () => {
  const hostPort = `chat.test:${secure.port}`
  const callAt = (address: string, more: { readonly url?: string } = {}) => {
    const client = makeClient({
      allowPrivateNetwork: [hostPort],
      timeoutMs: 200,
      resolve: async () => [{ address, family: address.includes(':') ? 6 : 4 }],
    })
    const url = more.url ?? `https://${hostPort}/hello`
    return client.request({ url, method: 'GET', allowedOrigins: [new URL(url).origin] })
  }
  const before = connections
  for (const address of ['127.0.0.1', '169.254.169.254', '::1']) {
    await assert.rejects(callAt(address), { code: 'ERR_OUTBOUND_REFUSED' }, address)
  }
  await assert.rejects(callAt('10.255.255.1', { url: `http://${hostPort}/` }), { code: 'ERR_OUTBOUND_REFUSED' })
  await assert.rejects(callAt('10.255.255.1', { url: 'https://chat.test:1/' }), { code: 'ERR_OUTBOUND_REFUSED' })
  // Let through: whether anybody answers there is the network's matter.
  await assert.rejects(callAt('10.255.255.1'), { code: /^ERR_OUTBOUND_(TIMEOUT|UNREACHABLE)$/ })
  assert.equal(connections, before)
})

test('C 33: certificates are verified, whatever the environment says', async () => {
  const resolve = async () => [{ address: '127.0.0.1', family: 4 }]
  const hosts = [`host.test:${secure.port}`, `other.test:${secure.port}`]
  const trusting = makeClient({ allowPrivate: hosts, ca: TEST_CERTIFICATE, resolve })
  const doubting = makeClient({ allowPrivate: hosts, resolve })
  const call = (client: OutboundClient, host: string) => {
    const origin = `https://${host}:${secure.port}`
    return client.request({ url: `${origin}/hello`, method: 'GET', allowedOrigins: [origin] })
  }
  assert.equal((await call(trusting, 'host.test')).body.toString(), 'hello')
  assert.equal(seen.at(-1)?.url, `host.test:${secure.port}/hello`)
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  try {
    await assert.rejects(call(doubting, 'host.test'), { code: 'ERR_OUTBOUND_UNREACHABLE' })
    await assert.rejects(call(trusting, 'other.test'), { code: 'ERR_OUTBOUND_UNREACHABLE' })
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
  }
})

test('headers that frame a message or break out of their line are refused', async () => {
  const before = seen.length
  const headers = [
    { Host: 'x' },
    { 'content-length': '5' },
    { 'Transfer-Encoding': 'chunked' },
    { a: 'x\r\ny: z' },
    { 'a b': 'x' },
  ]
  for (const header of headers) await assert.rejects(get('/hello', { headers: header }), TypeError)
  assert.equal(seen.length, before)
})

test('a host that is not there or hangs up is 503, and the next call works', async () => {
  await assert.rejects(get('/reset'), { code: 'ERR_OUTBOUND_UNREACHABLE', status: 503 })
  const gone = makeClient({ allowPrivate: ['127.0.0.1:1'], allowHttp: ['127.0.0.1:1'] })
  const call = gone.request({ url: 'http://127.0.0.1:1/', method: 'GET', allowedOrigins: ['http://127.0.0.1:1'] })
  await assert.rejects(call, { code: 'ERR_OUTBOUND_UNREACHABLE' })
  assert.equal((await get('/hello')).status, 200)
})

test('the caller can end a call, and a closed client takes no more', async () => {
  const controller = new AbortController()
  const call = get('/silent', { signal: controller.signal })
  setTimeout(() => controller.abort(), 50)
  await assert.rejects(call, { code: 'ERR_OUTBOUND_UNREACHABLE' })
  await assert.rejects(get('/hello', { signal: AbortSignal.abort() }), { code: 'ERR_OUTBOUND_UNREACHABLE' })
  const closed = makeClient()
  await closed.close()
  await closed.close()
  await assert.rejects(get('/hello', {}, closed), { code: 'ERR_SHUTTING_DOWN' })
})
