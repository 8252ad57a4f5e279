/** Bytes that no client sends: ambiguous framing, slow senders, floods; and good tenants beside them. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { sign } from './forge.ts'
import {
  as,
  endScene,
  expectStatus,
  expectWorks,
  install,
  newSecret,
  setScene,
  type Tenant,
  tokenOf,
} from './support.ts'

let tenant: Tenant
const scene = setScene({}, async at => {
  tenant = await install(at)
})

const INNER = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
const CHUNKED = `0\r\n\r\n${INNER}`

/** Everything after the request line, without the host. */
const FRAMES: Readonly<Record<string, string>> = {
  'a length and chunks': `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`,
  'chunks and a length': `Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${CHUNKED}`,
  'two different lengths': `Content-Length: 0\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
  'two lengths in one line': `Content-Length: 0, ${INNER.length}\r\n\r\n${INNER}`,
  'a signed length': 'Content-Length: +5\r\n\r\nhello',
  'a negative length': 'Content-Length: -1\r\n\r\n',
  'a hexadecimal length': 'Content-Length: 0x5\r\n\r\nhello',
  'a length with a letter': 'Content-Length: 5a\r\n\r\nhello',
  'a huge length': 'Content-Length: 99999999999999999999999\r\n\r\n',
  'an unknown encoding': `Transfer-Encoding: xchunked\r\n\r\n${CHUNKED}`,
  'chunked, then identity': `Transfer-Encoding: chunked, identity\r\n\r\n${CHUNKED}`,
  'chunked twice': `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n${CHUNKED}`,
  'a blank before the colon': `Transfer-Encoding : chunked\r\n\r\n${CHUNKED}`,
  'a vertical tab before chunked': `Transfer-Encoding: \u000bchunked\r\n\r\n${CHUNKED}`,
  'a folded header': `Transfer-Encoding:\r\n chunked\r\n\r\n${CHUNKED}`,
  'a bare line feed': `X: y\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`,
  'a bare carriage return': `X: y\rTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`,
  'a NUL in a header': 'X: a\u0000b\r\n\r\n',
  'a header without a name': ': x\r\n\r\n',
  'a header without a colon': 'nothing\r\n\r\n',
  'a chunk size with a sign': `Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n${INNER}`,
  'a chunk size in words': 'Transfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n0\r\n\r\n',
  'a chunk without its end': 'Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX0\r\n\r\n',
  'a huge chunk size': 'Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n',
  'two hosts': 'Host: y\r\n\r\n',
}

describe('H 80: ambiguous framing', { concurrency: 4 }, () => {
  for (const [name, rest] of Object.entries(FRAMES)) {
    test(`H 80: ${name} is refused, and nothing after it is a request`, async () => {
      const { text } = await scene.http.raw(
        `POST /hipchat/installable HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${rest}`,
        800,
      )
      assert.equal(answers(text).filter(status => status < 400).length, 0, text)
      assert.equal(answers(text).length <= 1, true, text)
    })
  }

  const heads: Readonly<Record<string, string>> = {
    'no host': 'GET /healthz HTTP/1.1\r\n\r\n',
    'HTTP/0.9': 'GET /healthz\r\n\r\n',
    'HTTP/2 by force': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'an unknown version': 'GET /healthz HTTP/3.7\r\nHost: x\r\n\r\n',
    'a TLS hello': '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
    garbage: '\u0000\u0001\u0002\u0003\r\n\r\n',
  }
  for (const [name, bytes] of Object.entries(heads)) {
    test(`H 80: ${name} gets no good answer`, async () => {
      const { text } = await scene.http.raw(Buffer.from(bytes, 'latin1'), 800)
      assert.deepEqual(
        answers(text).filter(status => status < 400),
        [],
      )
    })
  }

  test('H 80: an upgrade and CONNECT open nothing', async () => {
    const upgrade = 'GET /hipchat/whoami HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\n\r\n'
    assert.deepEqual(
      answers((await scene.http.raw(upgrade, 800)).text).filter(status => status < 400),
      [],
    )
    const tunnel = `CONNECT ${scene.trap.authority} HTTP/1.1\r\nHost: x\r\n\r\n`
    assert.deepEqual(
      answers((await scene.http.raw(tunnel, 800)).text).filter(status => status < 400),
      [],
    )
  })
})

describe('H 78: slow senders', { concurrency: true }, () => {
  test('H 78: a request whose headers never end is cut off within 17 s, and others are served meanwhile', async () => {
    const slow = connect(scene.probe.port, '127.0.0.1')
    await once(slow, 'connect')
    const started = performance.now()
    const drip = setInterval(() => slow.write('X: y\r\n'), 1000)
    slow.on('error', () => undefined)
    slow.resume()
    slow.write('GET /hipchat/whoami HTTP/1.1\r\nHost: x\r\n')
    const served = expectWorks(scene, tenant)
    await once(slow, 'close')
    clearInterval(drip)
    await served
    assert.equal(performance.now() - started < 20_000, true, `${performance.now() - started} ms`)
  })

  test('H 78: 200 idle connections keep nobody out', async () => {
    const idle = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = connect(scene.probe.port, '127.0.0.1')
        socket.on('error', () => undefined)
        await once(socket, 'connect')
        socket.write('GET /hipchat/whoami HTTP/1.1\r\n')
        return socket
      }),
    )
    await expectWorks(scene, tenant)
    for (const socket of idle) socket.destroy()
    await expectWorks(scene, tenant)
  })

  test('H 86: clients that hang up in the middle of an answer or a body harm nobody', async () => {
    for (let round = 0; round < 20; round += 1) {
      const socket = connect(scene.probe.port, '127.0.0.1')
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      const token = await tokenOf(scene, tenant)
      const rest = round % 2 === 0 ? 'Content-Length: 500\r\n\r\n{"val' : '\r\n'
      const line = round % 2 === 0 ? 'PUT /hipchat/kv?key=a' : 'GET /hipchat/whoami?delay=50'
      socket.write(
        `${line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: JWT ${token}\r\n${rest}`,
      )
      await new Promise(resolve => setTimeout(resolve, 5))
      socket.resetAndDestroy()
    }
    await expectWorks(scene, tenant)
  })
})

test('H 85: a flood of refused requests beside a good tenant: every good one is answered', async () => {
  const forged = await Promise.all(Array.from({ length: 50 }, () => sign(tenant.id, newSecret())))
  const flood = Array.from({ length: 900 }, async (_, index) => {
    const authorization = index % 3 === 0 ? 'JWT a.b.c' : `JWT ${forged[index % 50]}`
    const answer = await scene.http.send('/hipchat/whoami', { headers: { authorization }, timeoutMs: 60_000 })
    expectStatus(answer, [401, 429, 503])
    if (answer.status !== 401) assert.equal(Number(answer.headers['retry-after']) > 0, true, 'Retry-After')
  })
  let worst = 0
  for (let round = 0; round < 25; round += 1) {
    const answer = await as(scene, tenant, '/hipchat/whoami')
    expectStatus(answer, [200], `round ${round}`)
    worst = Math.max(worst, answer.ms)
  }
  await Promise.all(flood)
  assert.equal(worst < 20_000, true, `${worst} ms`)
})

test('H 85: a tenant above its own limits is told 429 with Retry-After, its neighbour is served', async () => {
  const loud = await install(scene)
  const token = await tokenOf(scene, loud)
  const storm = Promise.all(
    Array.from({ length: 700 }, () =>
      scene.http.send('/hipchat/whoami', { headers: { authorization: `JWT ${token}` }, timeoutMs: 60_000 }),
    ),
  )
  for (let round = 0; round < 5; round += 1) await expectWorks(scene, tenant)
  for (const answer of await storm) {
    expectStatus(answer, [200, 429, 503])
    if (answer.status !== 200) assert.equal(Number(answer.headers['retry-after']) > 0, true, 'Retry-After')
  }
})

const answers = (text: string): number[] => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(match => Number(match[1]))

endScene(scene)
