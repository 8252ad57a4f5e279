// The durable inbox and the dispatcher on a real database. The registry is a table of this test: what is under test here
// takes identities as given.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createBinder } from '../../src/core/bind.ts'
import { currentContext } from '../../src/core/context.ts'
import { PartywallError } from '../../src/core/errors.ts'
import type { Delivery, WorkHandler } from '../../src/core/ports.ts'
import type { IdentityRecord } from '../../src/core/tenant.ts'
import { createDeadLetters } from '../../src/jobs/dead-letters.ts'
import { createDispatcher } from '../../src/jobs/dispatcher.ts'
import { createHandlerTable } from '../../src/jobs/handlers.ts'
import { createInbox } from '../../src/jobs/inbox.ts'
import { createJobs } from '../../src/jobs/jobs.ts'
import { createScheduleFirer } from '../../src/jobs/schedules.ts'
import { JOB_SETTINGS, type JobSettings } from '../../src/jobs/settings.ts'
import type { BoundPool } from '../../src/postgres/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { newIdentityRecord } from '../support/identity.ts'

let database: TestDatabase
const identities = new Map<string, IdentityRecord>()
before(async () => {
  database = await createTestDatabase()
})
after(() => database.close())

const clock = { now: () => Date.now(), monotonic: () => performance.now() }
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore }
function ignore(): void {
  // Failures are what these tests provoke.
}

function newIdentity(): IdentityRecord {
  const identity = newIdentityRecord()
  identities.set(identity.uid, identity)
  return identity
}

/** One app process: dispatcher, inbox and jobs over a pool of its own, which `disturb` may come between. */
async function startProcess(
  handler: WorkHandler,
  changed: Partial<JobSettings> = {},
  disturb: (app: BoundPool) => BoundPool = app => app,
) {
  const opened = await database.open()
  const own = { ...opened, app: disturb(opened.app) }
  const settings = { ...JOB_SETTINGS, backoffMs: 20, pollMs: 100, ...changed }
  const registry = {
    findByUid: async (_tenant: string, uid: string) => identities.get(uid),
    isCurrent: (identity: IdentityRecord) => identities.get(identity.uid) === identity,
    onRevoked: () => ignore,
    onLapsed: () => ignore,
  }
  const binder = createBinder({ registry, logger: silent })
  const handlers = createHandlerTable()
  handlers.set('test', handler)
  const schedules = createScheduleFirer({
    database: own,
    clock,
    logger: silent,
    handlerNames: handlers.names,
    settings,
  })
  const dispatcher = createDispatcher({
    database: own,
    binder,
    handlers,
    logger: silent,
    random: Math.random,
    settings,
    registry: registry as unknown as Parameters<typeof createDispatcher>[0]['registry'],
    fireSchedules: schedules.fire,
  })
  await dispatcher.start()
  const inbox = createInbox({ database: own, dispatcher, clock, settings })
  const jobs = createJobs({ database: own, dispatcher, clock, settings })
  const accept = (identity: IdentityRecord, delivery: Delivery) =>
    binder.run(identity, context => inbox.accept(context, delivery))
  return {
    binder,
    dispatcher,
    inbox,
    jobs,
    accept,
    letters: createDeadLetters(own.app, dispatcher.lookSoon),
    close: () => dispatcher.close(5000),
  }
}

const hash = (text: string) => createHash('sha256').update(text).digest()
const delivery = (name: string, extra: Partial<Delivery> = {}): Delivery => ({
  handler: 'test',
  payload: JSON.stringify({ name }),
  retryKey: hash(name),
  ...extra,
})
async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `not within ${limitMs} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
const nameOf = (work: { payload: unknown }) => (work.payload as { name: string }).name

test('D 41: the same delivery is run once, by retry key and by token', async () => {
  const seen: string[] = []
  const process = await startProcess(async work => {
    seen.push(nameOf(work))
  })
  const identity = newIdentity()
  const first = await process.accept(
    identity,
    delivery('one', { replayKey: hash('token'), replayUntil: Date.now() + 60_000 }),
  )
  assert.equal(first.outcome, 'accepted')
  assert.deepEqual(await process.accept(identity, delivery('one')), { outcome: 'duplicate', id: first.id })
  assert.deepEqual(await process.accept(identity, delivery('other', { replayKey: hash('token') })), {
    outcome: 'duplicate',
    id: first.id,
  })
  const neighbour = await process.accept(newIdentity(), delivery('one', { replayKey: hash('token') }))
  assert.equal(neighbour.outcome, 'accepted', 'keys belong to one identity')
  await process.inbox.idle(identity.tenantUid, 5000)
  await until('both ran', () => seen.length === 2)
  await process.close()
})

test('D 41: deliveries whose commit went through unseen are run at once, and once', async () => {
  const seen: string[] = []
  let isBroken = false
  const breakOnce = (app: BoundPool): BoundPool => ({
    ...app,
    async shared(groups) {
      const results = await app.shared(groups)
      if (isBroken) return results
      isBroken = true
      throw new PartywallError('ERR_STORE_UNAVAILABLE')
    },
  })
  const process = await startProcess(async work => void seen.push(nameOf(work)), {}, breakOnce)
  const identity = newIdentity()
  const names = ['one', 'two', 'three']
  const accepted = await Promise.all([...names, 'one'].map(name => process.accept(identity, delivery(name))))
  assert.ok(isBroken, 'they shared a commit')
  assert.deepEqual(accepted.map(({ outcome }) => outcome).sort(), ['accepted', 'accepted', 'accepted', 'duplicate'])
  // Not after the lease of a minute.
  await process.inbox.idle(identity.tenantUid, 5000)
  assert.deepEqual(seen.sort(), names.sort())
  await process.close()
})

test('D 42: a delivery is acknowledged while its handler still runs, and the handler runs bound to its tenant', async () => {
  let release: () => void = ignore
  let bound = ''
  const process = await startProcess(async () => {
    bound = currentContext().tenantUid
    await new Promise<void>(resolve => {
      release = resolve
    })
  })
  const identity = newIdentity()
  assert.equal((await process.accept(identity, delivery('slow'))).outcome, 'accepted')
  await until('the handler has begun', () => bound !== '')
  assert.equal(bound, identity.tenantUid)
  release()
  await process.inbox.idle(identity.tenantUid, 5000)
  await process.close()
})

test('D 44: a failing delivery is tried with back-off, ends among the dead letters and can be put back to work', async () => {
  let attempts = 0
  let healthy = false
  const process = await startProcess(
    async () => {
      attempts += 1
      if (!healthy) throw new Error('the handler fails')
    },
    { maxAttempts: 3 },
  )
  const identity = newIdentity()
  const { id } = await process.accept(identity, delivery('failing'))
  await until('dead', async () => (await process.letters.list(identity.tenantUid)).length === 1)
  assert.equal(attempts, 3)
  const [letter] = await process.letters.list(identity.tenantUid)
  assert.deepEqual(
    { id: letter?.id, attempts: letter?.attempts, error: letter?.error },
    { id, attempts: 3, error: 'the handler fails' },
  )
  assert.deepEqual(await process.letters.list(newIdentity().tenantUid), [], 'no other tenant sees it')
  healthy = true
  assert.equal(await process.letters.retry(newIdentity().tenantUid, id), false)
  assert.equal(await process.letters.retry(identity.tenantUid, id), true)
  await process.inbox.idle(identity.tenantUid, 5000)
  assert.deepEqual(await process.letters.list(identity.tenantUid), [])
  await process.close()
})

test('what the acceptor knows is given to one attempt; the next one reads the row', async () => {
  const seen: string[] = []
  const process = await startProcess(async work => {
    const payload = work.payload as { name: string }
    seen.push(payload.name)
    payload.name = 'changed by the handler'
    if (work.attempt === 1) throw new Error('once more')
  })
  const identity = newIdentity()
  await process.accept(identity, delivery('row', { value: { name: 'memory' } }))
  await process.inbox.idle(identity.tenantUid, 5000)
  assert.deepEqual(seen, ['memory', 'row'])
  await process.close()
})

test('D 44: tenant and installation are checked again when the work starts', async () => {
  let runs = 0
  const process = await startProcess(async () => {
    runs += 1
  })
  const identity = newIdentity()
  const job = await process.binder.run(identity, context =>
    process.jobs.enqueue(context, { handler: 'test', payload: null, runAt: Date.now() + 300 }),
  )
  identities.set(identity.uid, { ...identity, state: 'uninstalled', version: 2 })
  await until('buried', async () =>
    (await process.letters.list(identity.tenantUid)).some(letter => letter.id === job.id),
  )
  assert.equal(runs, 0)
  await process.close()
})

test('a process that is gone leaves its work to another, and nothing runs twice', async () => {
  const runs: string[] = []
  const first = await startProcess(() => new Promise(() => undefined), { concurrencyPerTenant: 1 })
  const identity = newIdentity()
  for (let n = 0; n < 20; n++) await first.accept(identity, delivery(`handed-over-${n}`))
  await first.dispatcher.close(0)
  const second = await startProcess(async work => {
    runs.push(nameOf(work))
  })
  await second.inbox.idle(identity.tenantUid, 8000)
  assert.deepEqual([...runs].sort(), Array.from({ length: 20 }, (_, n) => `handed-over-${n}`).sort())
  await second.close()
})

test('one tenant with 5,000 waiting deliveries: another tenant’s starts within 100 ms, and all are run once', async () => {
  const runs = new Map<string, number>()
  const process = await startProcess(async work => {
    runs.set(nameOf(work), (runs.get(nameOf(work)) ?? 0) + 1)
    await new Promise(resolve => setTimeout(resolve, 2))
  })
  const busy = newIdentity()
  const calm = newIdentity()
  const flood = Array.from({ length: 5000 }, (_, n) =>
    process.accept(busy, delivery(`busy-${n}`)).catch(() => undefined),
  )
  const accepted = (await Promise.all(flood)).filter(one => one?.outcome === 'accepted').length
  const waits: number[] = []
  for (let n = 0; n < 10; n++) {
    await process.accept(calm, delivery(`calm-${n}`))
    const at = performance.now()
    await until('the calm tenant’s delivery has begun', () => runs.has(`calm-${n}`), 5000)
    waits.push(performance.now() - at)
  }
  assert.ok(runs.size < accepted, 'the backlog was still there')
  assert.ok(Math.max(...waits) < 100, `waits: ${waits.map(Math.round)}`)
  await process.inbox.idle(busy.tenantUid, 60_000)
  assert.equal(runs.size, accepted + 10)
  assert.ok([...runs.values()].every(count => count === 1))
  await process.close()
})

test('a schedule enqueues once per tick, whichever process looks first', async () => {
  const runs: number[] = []
  const handler: WorkHandler = async () => {
    runs.push(Date.now())
  }
  const processes = await Promise.all([startProcess(handler), startProcess(handler)])
  const identity = newIdentity()
  const [first] = processes
  await first.binder.run(identity, context =>
    first.jobs.schedule(context, { name: 'tick', cron: '* * * * * *', handler: 'test', payload: null }),
  )
  await until('three ticks', () => runs.length >= 3)
  assert.ok(
    new Set(runs.map(at => Math.floor(at / 1000))).size >= runs.length - 1,
    `more than one run a second: ${runs}`,
  )
  assert.equal(await first.binder.run(identity, context => first.jobs.unschedule(context, 'tick')), true)
  await assert.rejects(
    first.binder.run(identity, context =>
      first.jobs.schedule(context, { name: 'x', cron: 'never', handler: 'test', payload: null }),
    ),
    { code: 'ERR_JOB_INVALID' },
  )
  await Promise.all(processes.map(process => process.close()))
})
