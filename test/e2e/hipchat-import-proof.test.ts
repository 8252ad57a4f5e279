// An import trusts no record: installations are proved, every key goes to the tenant that owns it, what is newer here stays.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { importHipchatStore, memoryStoreSource } from 'partywall/hipchat'
import { FAULTS } from 'partywall/host'
import { rejection } from '../support/errors.ts'
import { type ImportWorld, onlyTenant, startImportWorld } from '../support/import-world.ts'
import { dumpOf } from '../support/old-addon.ts'

let world: ImportWorld
before(async () => {
  world = await startImportWorld()
})
after(() => world?.close())

test('B7 tenantFactory: a record proves nothing, and what an install would not take is not imported', async () => {
  const { record } = await world.oldTenant('Unproved')
  const other = await world.oldTenant('Foreign', world.foreign)
  const at = (changes: object) => ({ ...record, ...changes })
  const linked = (links: object) => at({ links: { ...record.links, ...links } })
  const wrong: [string, Parameters<typeof dumpOf>[0]][] = [
    ['ERR_INSTALL_TOKEN_REFUSED', at({ secret: 'made-up-by-somebody' })],
    ['ERR_INSTALL_GROUP_MISMATCH', at({ group: record.group + 1 })],
    ['ERR_INSTALL_INVALID', at({ group: 'x' })],
    ['ERR_INSTALL_INVALID', at({ secret: undefined })],
    ['ERR_INSTALL_INVALID', at({ secret: 'a\nb' })],
    ['ERR_INSTALL_INVALID', at({ links: undefined })],
    ['ERR_INSTALL_INVALID', linked({ capabilities: 'nowhere' })],
    ['ERR_INSTALL_HOST_REFUSED', linked({ capabilities: 'http://169.254.169.254/v2/capabilities' })],
    ['ERR_INSTALL_DOCUMENT_INVALID', linked({ token: 'http://127.0.0.1:1/token' })],
    ['ERR_INSTALL_DOCUMENT_INVALID', linked({ api: `${world.foreign.url}/v2` })],
  ]
  for (const [code, changed] of wrong) {
    const report = await world.run(dumpOf(changed, { 'data:a': 1 }))
    assert.deepEqual(
      [onlyTenant(report).outcome, onlyTenant(report).code, onlyTenant(report).stored],
      ['refused', code, 0],
    )
  }
  const report = await world.run(dumpOf(other.record))
  assert.equal(onlyTenant(report).code, 'ERR_INSTALL_HOST_REFUSED')
  world.host.faults.inject({ ...FAULTS.tokenDown, times: 1 })
  assert.equal(onlyTenant(await world.run(dumpOf(record))).code, 'ERR_OUTBOUND_UNREACHABLE')
  assert.equal(await world.countIdentities(record.id), 0)
  assert.equal(onlyTenant(await world.run(dumpOf(record))).outcome, 'created')
})

test('a tenant owns what its record names, the longest id first; what is an ambiguous neighbour’s stays behind', async () => {
  const { record } = await world.oldTenant('Prefix')
  const nested = { ...record, id: `${record.id}:data:greeting` }
  const report = await world.run({
    ...dumpOf(record, { 'data:greeting:x': 'the neighbour’s, it may be', 'data:own': 1 }),
    ...dumpOf(nested, { 'data:y': 2 }),
    [`ack:tenant:${record.id}x:data:z`]: 'nobody’s',
  })
  const of = (id: string) => report.tenants.find(one => one.id === id)
  assert.deepEqual([of(record.id)?.outcome, of(record.id)?.stored], ['created', 1])
  assert.deepEqual([of(nested.id)?.outcome, of(nested.id)?.code], ['refused', 'ERR_INSTALL_INVALID'])
  assert.equal(report.orphans, 1)
  assert.deepEqual(await world.allOf(record), { own: 1 })
})

test('two tenants with the same keys, and with hostile ids, each get their own', async () => {
  const [one, two] = [await world.oldTenant('One'), await world.oldTenant('Two')]
  const hostile = ['*', '.*', '__proto__', '[a-z]?'].map(id => ({ ...one.record, id }))
  const dump: Record<string, unknown> = JSON.parse(
    JSON.stringify(
      Object.assign(
        {},
        ...[one.record, two.record, ...hostile].map(record => dumpOf(record, { 'data:who': record.id })),
      ),
    ),
  )
  const report = await world.run(dump, { verify: false })
  assert.ok(
    report.tenants.every(tenant => tenant.outcome === 'created' && tenant.stored === 1),
    JSON.stringify(report),
  )
  for (const record of [one.record, two.record, ...hostile])
    assert.deepEqual(await world.allOf(record), { who: record.id })
})

test('without asking the host nothing that ended here comes back, and no credentials change', async () => {
  const { record, installation } = await world.oldTenant('Unasked')
  assert.equal(
    onlyTenant(await world.run(dumpOf({ ...record, secret: 'first' }, { 'data:a': 1 }), { verify: false })).outcome,
    'created',
  )
  assert.equal(
    onlyTenant(await world.run(dumpOf(record, { 'data:a': 1 }), { verify: false, again: true })).outcome,
    'present',
  )
  assert.equal(await world.as(record, async ({ tenant }) => tenant.secret), 'first')
  const gone = await fetch(`${world.running.url}/addon/installable/${record.id}`, { method: 'DELETE' })
  assert.equal(gone.status, 204, 'the host refuses the made-up secret')
  assert.equal(onlyTenant(await world.run(dumpOf(record), { verify: false })).code, 'ERR_INSTALL_CONFLICT')
  await rejection(
    world.as(record, async () => undefined),
    'ERR_TENANT_DISABLED',
  )
  const back = await world.run(dumpOf({ ...record, secret: installation.oauthSecret }, { 'data:b': 2 }))
  assert.deepEqual([onlyTenant(back).outcome, onlyTenant(back).stored], ['restored', 1])
})

test('a tenant that moved by itself keeps its credentials and gets its data; one that is switched off here stays so', async () => {
  const { record } = await world.oldTenant('Earlier')
  await world.run(dumpOf(record))
  const stale = { ...record, secret: 'replaced-long-ago' }
  const report = await world.run(dumpOf(stale, { 'data:a': 1 }), { again: true })
  assert.deepEqual([onlyTenant(report).outcome, onlyTenant(report).stored], ['present', 1])
  assert.equal(await world.as(record, async ({ tenant }) => tenant.secret), record.secret)
  const elsewhere = { ...stale, links: { ...stale.links, capabilities: `${world.host.url}/other` } }
  assert.equal(
    onlyTenant(await world.run(dumpOf(elsewhere, { 'data:a': 2 }), { again: true })).code,
    'ERR_INSTALL_CONFLICT',
  )
  await world.running.app.setEnabled({ dialect: 'hipchat', id: record.id }, false)
  assert.equal(onlyTenant(await world.run(dumpOf(record), { again: true })).code, 'ERR_TENANT_DISABLED')
})

test('only the scope that is asked for is read', async () => {
  const { record } = await world.oldTenant('Scoped')
  const dump = {
    ...dumpOf(record, { 'data:a': 'of the scoped one' }, 'ack:two'),
    ...dumpOf(record, { 'data:a': 'of the plain one' }),
  }
  assert.equal(onlyTenant(await world.run(dump, { scope: 'two' })).stored, 1)
  assert.deepEqual(await world.allOf(record), { a: 'of the scoped one' })
})

test('a tenant that ends while its data is moved gets no more of it; an update meanwhile is no end', async () => {
  const [updated, ended] = [await world.oldTenant('Updated'), await world.oldTenant('Ended')]
  const many = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [`data:k${index}`, index]))
  const dump = { ...dumpOf(ended.record, many), ...dumpOf(updated.record, many) }
  const source = memoryStoreSource(dump)
  let pages = 0
  const interrupted = {
    ...source,
    async *keys(prefix: string) {
      for await (const page of source.keys(prefix)) {
        pages += 1
        // Three pages find the records; then one page has been moved.
        if (pages === 5) await changeBoth()
        yield page
      }
    },
  }
  const report = await importHipchatStore(world.running.built, interrupted)
  const of = ({ record }: typeof ended) => report.tenants.find(({ id }) => id === record.id)
  assert.deepEqual([of(ended)?.outcome, of(ended)?.stored], ['ended', 499])
  assert.deepEqual([of(updated)?.outcome, of(updated)?.stored], ['created', 600])
  assert.equal(await world.as(updated.record, async ({ tenant }) => tenant.secret), 'rotated-by-the-host')

  async function changeBoth(): Promise<void> {
    await ended.installation.uninstall({ tellAddon: false })
    const removed = await fetch(`${world.running.url}/addon/installable/${ended.record.id}`, { method: 'DELETE' })
    assert.equal(removed.status, 204)
    await installAnew()
  }
  async function installAnew(): Promise<void> {
    const { id, group, room, links } = updated.record
    updated.installation.offerSecret('rotated-by-the-host')
    const body = {
      oauthId: id,
      oauthSecret: 'rotated-by-the-host',
      groupId: group,
      roomId: room,
      capabilitiesUrl: links.capabilities,
    }
    const made = await fetch(`${world.running.url}/addon/installable`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    assert.equal(made.status, 204)
  }
})
