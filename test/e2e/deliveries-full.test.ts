// More deliveries than fit into memory, of more tenants than may run: accepting goes on, and all are run in the end.
import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createBinder } from '../../src/core/bind.ts'
import type { Registry } from '../../src/core/ports.ts'
import { systemClock } from '../../src/core/system.ts'
import type { IdentityRecord } from '../../src/core/tenant.ts'
import { createDispatcher } from '../../src/jobs/dispatcher.ts'
import { createHandlerTable } from '../../src/jobs/handlers.ts'
import { createInbox } from '../../src/jobs/inbox.ts'
import { JOB_SETTINGS } from '../../src/jobs/settings.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { newIdentityRecord } from '../support/identity.ts'
import { silent } from '../support/registry.ts'

let made: TestDatabase
before(async () => {
  made = await createTestDatabase()
})
after(() => made.close())

const nothing = (): void => undefined

test('with the memory full the loop stays free, deliveries are accepted, and all run once there is room', async () => {
  const identities = Array.from({ length: 40 }, newIdentityRecord)
  const registry: Pick<Registry, 'findByUid' | 'isCurrent' | 'onRevoked' | 'onLapsed'> = {
    findByUid: async (_tenant, uid) => identities.find(identity => identity.uid === uid),
    isCurrent: () => true,
    onRevoked: () => nothing,
    onLapsed: () => nothing,
  }
  const binder = createBinder({ registry, logger: silent })
  const settings = { ...JOB_SETTINGS, concurrency: 1, pollMs: 50 }
  const ran: string[] = []
  let open = nothing
  const gate = new Promise<void>(resolve => {
    open = resolve
  })
  const handlers = createHandlerTable()
  handlers.set('test', async work => {
    await gate
    ran.push(work.id)
  })
  const dispatcher = createDispatcher({
    database: made.database,
    registry: registry as Registry,
    binder,
    handlers,
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    random: Math.random,
    settings,
    fireSchedules: async () => 0,
  })
  await dispatcher.start()
  const inbox = createInbox({ database: made.database, dispatcher, clock: systemClock, settings })
  const accept = (identity: IdentityRecord) => {
    const retryKey = createHash('sha256').update(randomUUID()).digest()
    return binder.run(identity, context => inbox.accept(context, { handler: 'test', payload: '{}', retryKey }))
  }
  // Memory holds 16 beside the one that runs.
  const accepted: string[] = []
  for (const identity of identities) accepted.push((await accept(identity)).id)
  await new Promise(resolve => setTimeout(resolve, 3 * settings.pollMs))
  assert.deepEqual(ran, [])
  open()
  for (const { tenantUid } of identities) await inbox.idle(tenantUid, 10_000)
  assert.deepEqual([...ran].sort(), [...accepted].sort())
  await dispatcher.close(1_000)
  binder.close()
})
