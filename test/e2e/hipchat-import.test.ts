// Old data on its way into Partywall: everything real but the old store, which is a dump of the memory store.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type HipchatImportOptions, importHipchatStore, memoryStoreSource } from 'partywall/hipchat'
import { type ImportWorld, onlyTenant, startImportWorld } from '../support/import-world.ts'
import { dumpOf } from '../support/old-addon.ts'

let world: ImportWorld
before(async () => {
  world = await startImportWorld()
})
after(() => world?.close())

test('B1 store: a tenant of the old store goes on with its data, its room and its credentials', async () => {
  const { record, room } = await world.oldTenant('Moving')
  const dump = dumpOf(record, {
    'data:greeting': { text: 'Hello' },
    'data:a:b:c': [1, 2, null],
    'token:admin_room|send_notification': { access_token: 'old' },
    'token:data:x': 'old',
    'other:x': 1,
  })
  const report = await world.run({ ...dump, 'ack:tenant:gone:data:x': 1, 'ack:webhook': 1, unrelated: 1 })
  assert.deepEqual(report, {
    dryRun: false,
    tenants: [{ id: record.id, outcome: 'created', stored: 2, kept: 0, refused: 0, skipped: 0, webhooks: [] }],
    refused: [],
    refusedCount: 0,
    tokens: 2,
    unknown: 1,
    orphans: 1,
  })
  assert.deepEqual(await world.allOf(record), { greeting: { text: 'Hello' }, 'a%3Ab%3Ac': [1, 2, null] })
  await world.as(record, async ({ tenant, tenantStore, roomClient }) => {
    assert.deepEqual([tenant.group, tenant.room, tenant.secret], [record.group, record.room, record.secret])
    assert.notEqual(tenant.webhookToken, record.webhookToken)
    assert.deepEqual(tenant.links, { ...record.links, base: record.links.base })
    assert.deepEqual(await tenantStore.get('a:b:c'), [1, 2, null])
    await roomClient?.sendNotification('moved in')
  })
  assert.ok(room.history.some(item => item.message === 'moved in'))
  const { app } = world.running
  await app.runAs({ dialect: 'hipchat', id: record.id }, ({ tenantUid }) => app.deliveries.idle(tenantUid, 10_000))
  assert.deepEqual(world.installed, [], 'nobody has installed anything')
})

test('B7 MemoryStore: a mapping turns old keys into keys of narrowed stores, or leaves them behind', async () => {
  const { record } = await world.oldTenant('Mapping')
  const mapKey: HipchatImportOptions['mapKey'] = (key, tenant) => {
    assert.equal(tenant, record.id)
    if (key.startsWith('tmp')) return undefined
    const [key1 = '', ...scopes] = key.split(':').toReversed()
    return scopes.length === 0 ? key : { scopes: scopes.toReversed(), key: key1 }
  }
  const report = await world.run(dumpOf(record, { 'data:a:b:c': 1, 'data:d': 2, 'data:tmp:x': 3 }), { mapKey })
  assert.deepEqual([onlyTenant(report).stored, onlyTenant(report).skipped], [2, 1])
  assert.equal(await world.as(record, ({ tenantStore }) => tenantStore.narrow('a').narrow('b').get('c')), 1)
  assert.deepEqual(await world.allOf(record), { 'a:b:c': 1, d: 2 })
})

test('running it again changes nothing more: what is newer stays, what was deleted stays deleted', async () => {
  const { record } = await world.oldTenant('Again')
  const dump = dumpOf(record, { 'data:a': 1, 'data:b': 2, 'data:c': 3 })
  await world.run(dump)
  await world.as(record, async ({ tenantStore }) => {
    await tenantStore.set('a', 'newer')
    await tenantStore.del('b')
  })
  const second = await world.run(dump)
  assert.deepEqual([onlyTenant(second).outcome, onlyTenant(second).stored], ['done', 0])
  assert.deepEqual(await world.allOf(record), { a: 'newer', c: 3 })
  const third = await world.run(dump, { again: true })
  assert.deepEqual([onlyTenant(third).outcome, onlyTenant(third).stored, onlyTenant(third).kept], ['present', 1, 2])
  assert.deepEqual(await world.allOf(record), { a: 'newer', b: 2, c: 3 })
  const fourth = await world.run(dump, { overwrite: true })
  assert.deepEqual([onlyTenant(fourth).stored, onlyTenant(fourth).kept], [1, 2])
  assert.deepEqual(await world.allOf(record), { a: 1, b: 2, c: 3 })
})

test('an import that was interrupted goes on where it stopped', async () => {
  const { record } = await world.oldTenant('Interrupted')
  const dump = dumpOf(
    record,
    Object.fromEntries(Array.from({ length: 1_200 }, (_, index) => [`data:k${index}`, index])),
  )
  const whole = memoryStoreSource(dump)
  let reads = 0
  const broken = {
    keys: whole.keys,
    read: (keys: readonly string[]) => {
      reads += 1
      // Three pages find the records; of those that are moved the second is not to be had.
      if (reads === 5) throw new Error('the cable was pulled')
      return whole.read(keys)
    },
  }
  await assert.rejects(importHipchatStore(world.running.built, broken), /cable/)
  const progress: { tenants: number; keys: number }[] = []
  const report = await world.run(dump, { onProgress: one => progress.push(one) })
  assert.deepEqual(
    [onlyTenant(report).outcome, onlyTenant(report).stored, onlyTenant(report).kept],
    ['present', 701, 499],
  )
  assert.deepEqual(progress, [
    { tenants: 1, keys: 500 },
    { tenants: 1, keys: 1_000 },
    { tenants: 1, keys: 1_201 },
  ])
  assert.equal(Object.keys(await world.allOf(record)).length, 1_200)
})

test('a dry run reports the same and changes nothing, here or at the host', async () => {
  const { record } = await world.oldTenant('Dry')
  const asked: string[] = []
  const stop = world.host.on('request', ({ path }) => asked.push(path))
  const webhook = { name: 'w', event: 'room_enter', id: 5, url: 'http://old.example/' }
  const report = await world.run(
    dumpOf(record, { 'data:a': 1, 'data:big': 'x'.repeat(300_000), 'webhook:w': webhook }),
    {
      dryRun: true,
    },
  )
  stop()
  assert.equal(report.dryRun, true)
  assert.deepEqual(
    [onlyTenant(report).outcome, onlyTenant(report).stored, onlyTenant(report).refused],
    ['checked', 1, 1],
  )
  assert.deepEqual(onlyTenant(report).webhooks, [{ name: 'w', event: 'room_enter', state: 'remembered' }])
  assert.deepEqual(report.refused, [{ tenant: record.id, key: 'data:big', code: 'ERR_VALUE_TOO_LARGE' }])
  assert.deepEqual([asked, await world.countIdentities(record.id)], [[], 0])
})

test('values and names that cannot be stored are listed; the others of the tenant move', async () => {
  const { record } = await world.oldTenant('Odd values')
  const dump = dumpOf(record, {
    'data:fine': 1,
    'data:': 'no name',
    [`data:${'k'.repeat(1_025)}`]: 'long name',
    'data:nul\0': 'no text column takes it',
    'data:big': 'x'.repeat(300_000),
    'data:__proto__': { polluted: true },
    'data:constructor': 2,
    'data:*': 3,
    'webhook:odd': { name: 'odd' },
    'webhook:exploded': { name: 'exploded', event: 'room_exploded', id: 1 },
  })
  const report = await world.run(dump)
  assert.deepEqual(report.refused.map(({ key, code }) => [key.slice(0, 10), code]).toSorted(), [
    ['data:', 'ERR_KEY_INVALID'],
    ['data:big', 'ERR_VALUE_TOO_LARGE'],
    ['data:kkkkk', 'ERR_KEY_INVALID'],
    ['data:nul\0', 'ERR_KEY_INVALID'],
    ['webhook:od', 'ERR_VALUE_INVALID'],
  ])
  assert.equal(onlyTenant(report).webhooks[0]?.code, 'ERR_WEBHOOK_INVALID')
  const stored = await world.as(record, ({ tenantStore }) => tenantStore.all())
  assert.deepEqual(Object.entries(stored), [
    ['*', 3],
    ['__proto__', { polluted: true }],
    ['constructor', 2],
    ['fine', 1],
  ])
})
