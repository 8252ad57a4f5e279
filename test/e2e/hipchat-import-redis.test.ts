// The Redis store of the old library, on a real Redis, moved into Partywall.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connectRedis, importHipchatStore, type RedisConnection, redisStoreSource } from 'partywall/hipchat'
import { rejection } from '../support/errors.ts'
import { type ImportWorld, startImportWorld } from '../support/import-world.ts'
import { dumpOf } from '../support/old-addon.ts'
import { findRedis, startRedis, type TestRedis } from '../support/redis.ts'

const program = findRedis()
if (program === undefined) {
  const message = 'redis-server was not found: the import was NOT tested with a real Redis'
  if (process.env.PARTYWALL_REQUIRE_ALL === '1') throw new Error(message)
  console.error(`WARNING: ${message}`)
}
const withRedis = program === undefined ? { skip: 'redis-server not found' } : {}

let world: ImportWorld
let redis: TestRedis
let client: RedisConnection
before(async () => {
  if (program === undefined) return
  redis = await startRedis(program)
  client = await connectRedis(redis.url)
  world = await startImportWorld()
})
after(async () => {
  await world?.close()
  await client?.close()
  await redis?.close()
})

async function fill(dump: Readonly<Record<string, unknown>>): Promise<void> {
  await client.sendCommand(['FLUSHALL'])
  await Promise.all(Object.entries(dump).map(([key, value]) => client.sendCommand(['SET', key, JSON.stringify(value)])))
}

test('B7 RedisStore: tenants move with their data and the time it has left', withRedis, async () => {
  const [one, two] = [await world.oldTenant('One'), await world.oldTenant('Two')]
  const many = Object.fromEntries(Array.from({ length: 700 }, (_, index) => [`data:k${index}`, { index }]))
  await fill({
    ...dumpOf(one.record, { ...many, 'data:soon': 1, 'data:gone': 2, 'data:wörter ☕': 'Grüße', 'token:x': 'y' }),
    ...dumpOf(two.record, { 'data:k1': 'two' }),
    'ack:two:tenant:x': 'of another scope',
  })
  const key = (name: string) => `ack:tenant:${one.record.id}:data:${name}`
  await client.sendCommand(['PEXPIRE', key('soon'), '1000000'])
  await client.sendCommand(['PEXPIRE', key('gone'), '1'])
  await client.sendCommand(['SET', key('broken'), 'undefined'])
  await client.sendCommand(['SET', key('empty'), ''])
  await client.sendCommand(['SET', key('huge'), JSON.stringify('x'.repeat(2_000_000))])
  await client.sendCommand(['RPUSH', key('list'), 'a'])
  const before = await client.sendCommand(['DBSIZE'])

  const report = await importHipchatStore(world.running.built, redisStoreSource(client))
  assert.deepEqual(report.tenants.map(({ outcome, stored }) => [outcome, stored]).toSorted(), [
    ['created', 1],
    ['created', 702],
  ])
  assert.deepEqual(report.refused.map(({ key, code }) => [key, code]).toSorted(), [
    ['data:broken', 'ERR_VALUE_INVALID'],
    ['data:empty', 'ERR_VALUE_INVALID'],
    ['data:huge', 'ERR_VALUE_TOO_LARGE'],
    ['data:list', 'ERR_VALUE_INVALID'],
  ])
  assert.equal(report.tokens, 1)
  assert.deepEqual(await world.allOf(two.record), { k1: 'two' })
  const moved = await world.allOf(one.record)
  assert.equal(Object.keys(moved).length, 702)
  assert.deepEqual([moved['wörter ☕'], moved.k699], ['Grüße', { index: 699 }])
  const rows = await world.database.admin(
    `select key, extract(epoch from expires_at - now())::int as seconds from pw.kv where expires_at is not null`,
  )
  assert.equal(rows.length, 1)
  assert.equal(rows[0]?.key, 'soon')
  assert.ok(Number(rows[0]?.seconds) > 500 && Number(rows[0]?.seconds) <= 1_000)
  assert.ok(Number(await client.sendCommand(['DBSIZE'])) >= Number(before) - 1, 'nothing is taken out of the old store')
})

test(
  'tenants and scopes whose names are patterns of Redis get their own keys and nobody else’s',
  withRedis,
  async () => {
    const { record } = await world.oldTenant('Hostile')
    const tenants = ['*', '.*', '?', '[a-z]*', '__proto__', '{a}'].map(id => ({ ...record, id: `${id}` }))
    const dump = Object.assign({}, ...tenants.map(one => dumpOf(one, { 'data:who': one.id, 'data:*': 1 }, 'ack:[a]*')))
    await fill({ ...dump, ...dumpOf(record, { 'data:who': 'another scope' }, 'ack:ax') })
    const options = { scope: '[a]*', verify: false }
    const report = await importHipchatStore(world.running.built, redisStoreSource(client), options)
    assert.deepEqual(
      report.tenants.map(({ id, stored }) => [id, stored]).toSorted(),
      tenants.map(({ id }) => [id, 2]).toSorted(),
    )
    for (const one of tenants) assert.deepEqual(await world.allOf(one), { '*': 1, who: one.id })
    assert.equal(await world.countIdentities(record.id), 0)
  },
)

test('a Redis that refuses the password or goes away ends the import with a code', withRedis, async () => {
  const wrong = new URL(redis.url)
  wrong.password = 'hunter2'
  const refused = await rejection(connectRedis(wrong.href), 'ERR_IMPORT_SOURCE')
  assert.ok(!refused.message.includes('hunter2'))
  const own = await connectRedis(redis.url)
  await own.close()
  await rejection(importHipchatStore(world.running.built, redisStoreSource(own)), 'ERR_IMPORT_SOURCE')
})
