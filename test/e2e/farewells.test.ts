// What an uninstall owes its listeners: durable with the change, run once by one process at a time, before any data is erased.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createBinder } from '../../src/core/bind.ts'
import type { TenantChange, Work } from '../../src/core/ports.ts'
import type { IdentityRecord } from '../../src/core/tenant.ts'
import { createFarewells } from '../../src/jobs/farewells.ts'
import { createHandlerTable } from '../../src/jobs/handlers.ts'
import { createFarewellTable } from '../../src/postgres/farewells.ts'
import { createRetention } from '../../src/postgres/retention.ts'
import { ask, codeOf, createAppWorld, deliver } from '../support/app-world.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/processes.ts'
import { install, keyOf, realClock, silent, testRegistry } from '../support/registry.ts'

let db: TestDatabase
before(async () => {
  db = await createTestDatabase()
})
after(() => db.close())

const AT_ONCE = { days: 0, restore: true }
const HANDLER = 'goodbye'

/** One process: what it says goodbye with, and what it buries. */
function farewellsOf(say: (work: Work) => Promise<void>, waitMs = 8_000) {
  const { registry } = testRegistry(db.database, { retention: AT_ONCE })
  const handlers = createHandlerTable()
  handlers.set(HANDLER, say, 'read-only')
  const buried: unknown[] = []
  const farewells = createFarewells({
    table: createFarewellTable(db.database.system),
    registry,
    binder: createBinder({ registry, logger: silent }),
    handlers,
    inbox: { bury: async (_, { error }) => void buried.push(error) },
    logger: silent,
    handlerTimeoutMs: 60_000,
    waitMs,
  })
  return { ...farewells, buried }
}

const uninstallOf = (name: string): TenantChange => ({
  kind: 'uninstall',
  key: keyOf(name),
  at: Date.now(),
  reason: 'uninstall',
  farewell: HANDLER,
})

/** The change alone, as by a process that is killed right after its commit. */
async function leave(name: string): Promise<IdentityRecord> {
  const { registry } = testRegistry(db.database, { retention: AT_ONCE })
  await registry.apply(install(name))
  const { identity } = await registry.apply(uninstallOf(name))
  assert.ok(identity)
  return identity
}
const letGo = ({ uid }: IdentityRecord) =>
  db.admin(`update pw.farewell set held_until = now() - interval '1 second' where identity_uid = '${uid}'`)
const owed = async ({ uid }: IdentityRecord) =>
  (await db.admin(`select attempts from pw.farewell where identity_uid = '${uid}'`)).length

test('A 9: a farewell is owed from the commit on, and run once however many ask for it', async () => {
  const identity = await leave('asked often')
  const ran: number[] = []
  const [one, two] = [1, 2].map(process =>
    farewellsOf(async () => {
      ran.push(process)
      await new Promise(resolve => setTimeout(resolve, 50))
    }),
  )
  assert.ok(one && two)
  assert.equal(await owed(identity), 1)
  await letGo(identity)
  await Promise.all([one, two, one, two].map(process => process.complete(identity)))
  assert.equal(ran.length, 1)
  assert.equal(await owed(identity), 0)
  await two.complete(identity)
  assert.equal(ran.length, 1)
})

test('while a farewell runs, it stays with its process, and others wait for it', async () => {
  const identity = await leave('slow')
  const order: string[] = []
  const slow = farewellsOf(async () => {
    await new Promise(resolve => setTimeout(resolve, 3_500))
    order.push('said')
  })
  const other = farewellsOf(async () => void order.push('said twice'))
  const own = slow.complete(identity, HANDLER)
  await other.complete(identity)
  order.push('waited for')
  await own
  assert.deepEqual(order, ['said', 'waited for'])
})

test('who has waited long enough is told to come again, and a 2xx is never false', async () => {
  const identity = await leave('held')
  const impatient = farewellsOf(() => assert.fail('another process holds it'), 200)
  await assert.rejects(impatient.complete(identity), { code: 'ERR_TENANT_HELD', status: 503 })
  assert.equal(await owed(identity), 1)
})

test('A 13: nothing is erased before the farewell that may read it, but an add-on that is gone holds it back for a day only', async () => {
  const retention = createRetention({ database: db.database, clock: realClock, logger: silent, retention: AT_ONCE })
  const sweep = () => retention.sweep()
  await sweep()
  const [owing, orphan] = [await leave('owing'), await leave('orphan')]
  assert.equal((await sweep()).erased, 0)
  await retention.eraseIfDue(owing)
  assert.equal((await owed(owing)) + (await owed(orphan)), 2)
  await letGo(owing)
  await farewellsOf(async () => undefined).complete(owing)
  assert.equal((await sweep()).erased, 1)
  await db.admin(`update pw.farewell set owed_since = now() - interval '25 hours' where identity_uid = '${orphan.uid}'`)
  assert.equal((await sweep()).erased, 1)
  assert.equal(await owed(orphan), 0)
})

test('who is back before its farewell is told nothing', async () => {
  const { registry } = testRegistry(db.database)
  await registry.apply(install('back'))
  const { identity } = await registry.apply(uninstallOf('back'))
  assert.ok(identity)
  await registry.apply(install('back'))
  assert.equal(await owed(identity), 0)
  const replaced = await leave('replaced')
  await testRegistry(db.database, { retention: AT_ONCE }).registry.apply(install('replaced'))
  assert.equal(await owed(replaced), 0)
})

test('a farewell that fails is buried and owed no more; one that brings its process down is not tried for ever', async () => {
  const failing = farewellsOf(async () => {
    throw new Error('no')
  })
  await failing.complete(await leave('failing'), HANDLER)
  assert.deepEqual(failing.buried.map(String), ['Error: no'])

  const deadly = await leave('deadly')
  await db.admin(`update pw.farewell set attempts = 3 where identity_uid = '${deadly.uid}'`)
  await letGo(deadly)
  const next = farewellsOf(() => assert.fail('a fourth attempt'))
  await next.complete(deadly)
  assert.match(String(next.buried[0]), /again and again/)
  assert.equal(await owed(deadly), 0)
})

test('A 9, A 13, H 87: SIGKILL between the commit of an uninstall and its listener: after a restart it runs once and reads, then the data goes', async t => {
  const world = await createAppWorld(t, { urls: db.urls, app: { retention: { days: 0 } } })
  const first = await world.start({ holding: ['uninstalled'] })
  const [repeated, forgotten] = [await world.install(), await world.install()]
  for (const one of [repeated, forgotten]) {
    assert.equal((await deliver(world.front.url, one, '/work')).status, 204)
    await first.event({ event: 'ended', tenant: one.oauthId })
  }
  const broken = [repeated.uninstall(), forgotten.uninstall()]
  for (const { oauthId } of [repeated, forgotten]) await first.event({ event: 'leaving', tenant: oauthId })
  await first.kill()
  assert.ok((await Promise.all(broken)).every(result => !result.ok))

  const next = await world.start()
  await world.front.to(next.port)
  const again = await ask(world.front.url, `/addon/installable/${repeated.oauthId}`, undefined, { method: 'DELETE' })
  assert.equal(again.status, 204, codeOf(again))
  for (const { oauthId: tenant } of [repeated, forgotten]) {
    assert.deepEqual(await next.event({ event: 'uninstalled', tenant }), { event: 'uninstalled', tenant, done: 1 })
    assert.equal(next.told({ event: 'uninstalled', tenant }).length, 1)
  }
  const rows = () => db.admin(`select from pw.identity where external_id = '${repeated.oauthId}'`)
  assert.equal((await rows()).length, 0, 'erased before the 2xx')
  const left = () => db.admin("select from pw.farewell where handler like '%:uninstalled'")
  await eventually('nothing is owed', async () => (await left()).length === 0)
  await next.kill('SIGTERM')
})
