// http/key-source over real sockets: what counts as a key, how often a server is asked, what its trouble means.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { createKeySource, isKeyId } from '../../../src/http/key-source.ts'
import { createOutbound, type OutboundClient } from '../../../src/http/outbound.ts'
import { rejection } from '../../support/errors.ts'

type Reply = { readonly status: number; readonly body: string; readonly headers?: Record<string, string> }

const pemOf = (modulusLength: number) =>
  generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ type: 'spki', format: 'pem' }).toString()
const PEM = pemOf(2048)

let servers: Server[] = []
let bases: string[] = []
let outbound: OutboundClient
let asked: string[] = []
/** One for each server, by path. */
let replies: ((path: string) => Reply | undefined)[] = []
let now = 0
const clock = { now: () => now, monotonic: () => now }

before(async () => {
  servers = [0, 1].map(index =>
    createServer((request, response) => {
      asked.push(`${index}${request.url}`)
      const reply = replies[index]?.(request.url ?? '')
      if (reply === undefined) request.socket.destroy()
      else response.writeHead(reply.status, reply.headers).end(reply.body)
    }),
  )
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening')
  const hosts = servers.map(server => `127.0.0.1:${(server.address() as AddressInfo).port}`)
  bases = hosts.map(host => `http://${host}`)
  outbound = createOutbound({ allowPrivate: hosts, allowHttp: hosts })
})
after(async () => {
  await outbound.close()
  for (const server of servers) {
    server.closeAllConnections()
    await once(server.close(), 'close')
  }
})
beforeEach(() => {
  asked = []
  now = 1_000
  replies = [() => ({ status: 404, body: '<html>no such key</html>' }), () => ({ status: 404, body: '' })]
})

const open = (which: readonly number[] = [0]) =>
  createKeySource({ outbound, clock, servers: which.map(index => `${bases[index]}/keys`) })

test('B 20: only ids that are safe in a path are asked for', async () => {
  const source = open()
  const odd = [
    '',
    '.',
    '..',
    '../x',
    'a/../b',
    '//evil',
    '/a',
    'a/',
    'http://evil/x',
    'a?b',
    'a#b',
    'a%2fb',
    'a b',
    'é',
  ]
  for (const id of [...odd, 'a'.repeat(257), 'a\\b', 'a:b', 'a@b', 'a\nb']) {
    assert.equal(isKeyId(id), false, id)
    assert.equal(await source.find(id), undefined)
  }
  assert.deepEqual(asked, [])
  replies[0] = () => ({ status: 200, body: PEM })
  assert.ok(await source.find('prod/2026-11/key_1.pem'))
  assert.deepEqual(asked, ['0/keys/prod/2026-11/key_1.pem'])
})

test('B 22: only 200 with an RSA key of 2,048 bits or more is a key', async () => {
  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' })
  const pages: Record<string, Reply> = {
    small: { status: 200, body: pemOf(1024) },
    elliptic: { status: 200, body: elliptic.toString() },
    html: { status: 200, body: '<html></html>' },
    broken: { status: 200, body: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----' },
    empty: { status: 200, body: '' },
    moved: { status: 302, body: PEM, headers: { location: '/keys/good' } },
    created: { status: 201, body: PEM },
    gone: { status: 404, body: PEM },
    good: { status: 200, body: PEM },
  }
  replies[0] = path => pages[path.replace('/keys/', '')]
  const source = open()
  for (const id of Object.keys(pages)) assert.equal((await source.find(id)) !== undefined, id === 'good', id)
  assert.equal(asked.filter(path => path === '0/keys/good').length, 1, 'no redirect was followed')
})

test('B 22: an answer that is too large, or never comes, is trouble of the server', async () => {
  replies[0] = () => ({ status: 200, body: PEM + 'x'.repeat(65 * 1024) })
  assert.equal((await rejection(open().find('large'), 'ERR_OUTBOUND_TOO_LARGE')).status, 503)
  replies[0] = () => undefined
  assert.equal((await rejection(open().find('cut'), 'ERR_OUTBOUND_UNREACHABLE')).status, 503)
})

test('B 21: a key is kept for a day, by a clock that does not jump, and fetched once for many callers', async () => {
  replies[0] = () => ({ status: 200, body: PEM })
  const source = open()
  const found = await Promise.all(Array.from({ length: 50 }, () => source.find('a')))
  assert.ok(found.every(key => key !== undefined))
  now += 24 * 60 * 60 * 1000 - 1
  await source.find('a')
  assert.equal(asked.length, 1)
  now += 1
  await source.find('a')
  assert.equal(asked.length, 2)
})

test('B 21: at most 64 keys are kept', async () => {
  replies[0] = () => ({ status: 200, body: PEM })
  const source = open()
  for (let index = 0; index < 65; index++) await source.find(`key-${index}`)
  await source.find('key-64')
  assert.equal(asked.length, 65)
  await source.find('key-0')
  assert.equal(asked.length, 66)
})

test('B 21: an unknown id costs one fetch a second, and a key published meanwhile works then', async () => {
  const source = open()
  for (let round = 0; round < 20; round++) assert.equal(await source.find('new'), undefined)
  assert.equal(asked.length, 1)
  replies[0] = () => ({ status: 200, body: PEM })
  now += 1_000
  assert.ok(await source.find('new'))
  assert.equal(asked.length, 2)
})

test('a server that cannot answer is 503 and asked again at the next try', async () => {
  const source = open()
  for (const status of [500, 503, 429]) {
    replies[0] = () => ({ status, body: '' })
    assert.equal((await rejection(source.find('a'), 'ERR_HOST_RESPONSE')).status, 503)
  }
  replies[0] = () => ({ status: 200, body: PEM })
  assert.ok(await source.find('a'))
})

test('the second server is asked with the same id, when the first has no key or no answer', async () => {
  replies[1] = () => ({ status: 200, body: PEM })
  for (const first of [{ status: 404, body: '' }, { status: 500, body: '' }, undefined]) {
    asked = []
    replies[0] = () => first
    assert.ok(await open([0, 1]).find('a'))
    assert.deepEqual(asked, ['0/keys/a', '1/keys/a'])
  }
})

test('trouble of one server and "unknown" of the other is trouble: the key may be there', async () => {
  replies[0] = () => ({ status: 500, body: '' })
  await rejection(open([0, 1]).find('a'), 'ERR_HOST_RESPONSE')
})

test('a flood of invented ids keeps at most 16 fetches under way', async () => {
  const source = open()
  const results = await Promise.allSettled(Array.from({ length: 40 }, (_, index) => source.find(`flood-${index}`)))
  const refused = results.filter(result => result.status === 'rejected')
  assert.equal(refused.length, 24)
  for (const { reason } of refused) assert.equal(reason.code, 'ERR_OVERLOADED')
  assert.equal(asked.length, 16)
})

test('a key server is an address, or the start is refused', () => {
  for (const server of [
    '',
    'keys.example.com',
    'ftp://a.example',
    'https://a@b.example',
    'https://a.example/?x',
    'https://a.example/#x',
  ]) {
    assert.throws(() => createKeySource({ outbound, clock, servers: [server] }), { code: 'ERR_CONFIG' }, server)
  }
})
