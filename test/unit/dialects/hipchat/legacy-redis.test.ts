// Replies of Redis out of pieces, and what a connection does with a server that is none.
import assert from 'node:assert/strict'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { connectRedis, redisStoreSource } from 'partywall/hipchat'
import { createReplyReader, RedisRefusal } from '../../../../src/dialects/common/redis/reply.ts'
import { rejection } from '../../../support/errors.ts'

const WIRE =
  '+OK\r\n:-2\r\n$5\r\nh\u00e9llo\r\n$-1\r\n*2\r\n$1\r\n0\r\n*1\r\n$3\r\n\r\nx\r\n*-1\r\n*0\r\n-WRONGTYPE no\r\n'.replace(
    '$5',
    '$6',
  )
const REPLIES = ['OK', -2, 'h\u00e9llo', null, ['0', ['\r\nx']], null, []]

test('replies are the same however the bytes are cut', () => {
  const bytes = Buffer.from(WIRE)
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length)), cuts => {
      const read = createReplyReader()
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
      const replies = places.slice(1).flatMap((end, index) => read(bytes.subarray(places[index], end)))
      assert.deepEqual(replies.slice(0, -1), REPLIES)
      assert.ok(replies.at(-1) instanceof RedisRefusal)
    }),
    { numRuns: 200 },
  )
})

test('what is no reply of Redis is refused, and a reply without end too', () => {
  for (const text of ['HTTP/1.1 400\r\n', ':x\r\n', '$9999999999999999\r\n', '*1\r\n'.repeat(20)]) {
    assert.throws(() => createReplyReader()(Buffer.from(text)), TypeError, text)
  }
  const read = createReplyReader()
  read(Buffer.from('$999999999\r\n'))
  assert.throws(() => read(Buffer.alloc(70_000_000)), TypeError)
})

test('an address that is none is refused without a word of it; a server that is none ends the connection', async () => {
  for (const url of ['http://:hunter2@x', 'redis:hunter2', 'redis://:hunter2@x/abc', '']) {
    const error = await rejection(connectRedis(url), 'ERR_CONFIG')
    assert.ok(!error.message.includes('hunter2'))
  }
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const error = await rejection(connectRedis(`redis://:hunter2@127.0.0.1:${port}`), 'ERR_IMPORT_SOURCE')
  assert.ok(!error.message.includes('hunter2'))
  for (const socket of sockets) socket.destroy()
  await new Promise(resolve => server.close(resolve))
  await rejection(connectRedis(`redis://127.0.0.1:${port}`), 'ERR_IMPORT_SOURCE')
})

test('clients of either shape are asked the same', async () => {
  const asked: string[][] = []
  const answer = async (words: string[]): Promise<unknown> => {
    asked.push(words)
    const [command] = words
    if (command === 'SCAN') return words[1] === '0' ? ['7', ['a[b]:1', 'other']] : ['0', []]
    return { TYPE: 'string', PTTL: -1, GETRANGE: '"x"' }[command ?? '']
  }
  const clients = [{ sendCommand: answer }, { call: (...words: string[]) => answer(words) }]
  for (const client of clients) {
    asked.length = 0
    const source = redisStoreSource(client)
    const pages = []
    for await (const page of source.keys('a[b]:')) pages.push(page)
    assert.deepEqual(pages, [['a[b]:1'], []])
    assert.deepEqual(await source.read(['a[b]:1']), [{ text: '"x"', ttlMs: undefined }])
    assert.deepEqual(asked[0], ['SCAN', '0', 'MATCH', 'a\\[b\\]:*', 'COUNT', '500'])
    assert.deepEqual(
      asked.map(([command]) => command),
      ['SCAN', 'SCAN', 'TYPE', 'PTTL', 'GETRANGE'],
    )
  }
  const odd = redisStoreSource({ sendCommand: async () => 'PONG' })
  await rejection(odd.keys('x')[Symbol.asyncIterator]().next(), 'ERR_IMPORT_SOURCE')
})
