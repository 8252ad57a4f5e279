// How the dispatcher asks the database, seen from the database's side. What it does with real rows: test/e2e/deliveries.test.ts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { newTenantUid } from '../../../src/core/ids.ts'
import { createDispatcher, type DispatcherDeps } from '../../../src/jobs/dispatcher.ts'
import { createHandlerTable } from '../../../src/jobs/handlers.ts'
import { JOB_SETTINGS } from '../../../src/jobs/settings.ts'
import type { Row, Statement } from '../../../src/postgres/database.ts'
import { silent } from '../../support/registry.ts'

interface Situation {
  /** They wait, but nothing of theirs is due yet: scheduled for later, or another app's. */
  readonly tenants?: readonly string[]
  /** Who holds rows, and whether it is gone. */
  readonly owners?: ReadonlyMap<string, boolean>
}

function createDatabase({ tenants = [], owners = new Map() }: Situation) {
  const asked: { readonly name: string; readonly values: readonly (string | null)[] }[] = []
  const query = async ({ name }: Statement, values: readonly (string | null)[]): Promise<readonly Row[]> => {
    asked.push({ name, values })
    const after = values[0] ?? ''
    if (name === 'inbox_owners') return [...owners.keys()].map(owner => [owner])
    if (name === 'work_process_gone') return [[owners.get(after) === true ? 't' : 'f']]
    if (name !== 'inbox_waiting') return []
    return tenants
      .filter(tenant => tenant > after)
      .slice(0, Number(values[1]))
      .map(tenant => [tenant])
  }
  const never = () => Promise.reject(new Error('not asked here'))
  const database = {
    app: { query: never, group: never, transaction: never, shared: never },
    system: { query: never, transaction: never },
    jobs: { query, transaction: never },
    listen: async () => ({ query: async () => [], close: async () => undefined }),
    close: async () => undefined,
  }
  return { asked, database }
}

async function lookOnce(situation: Situation) {
  const { asked, database } = createDatabase(situation)
  const deps = {
    database,
    registry: {},
    binder: {},
    handlers: createHandlerTable(),
    logger: silent,
    random: Math.random,
    settings: { ...JOB_SETTINGS, pollMs: 60_000 },
    fireSchedules: async () => 0,
  }
  const dispatcher = createDispatcher(deps as unknown as DispatcherDeps)
  await dispatcher.start()
  await delay(50)
  await dispatcher.close(0)
  return asked
}

test('a look passes every tenant that waits once, also when their number is a multiple of one round', async () => {
  for (const count of [0, 1, 63, 64, 65, 128]) {
    const asked = await lookOnce({ tenants: Array.from({ length: count }, newTenantUid).sort() })
    const rounds = asked.filter(({ name }) => name === 'inbox_waiting').length
    assert.equal(rounds, Math.floor(count / 64) + 1, `${count} tenants wait`)
  }
})

test('D 44: rows are taken from processes that are known to be gone, not from all that are not known to live', async () => {
  const [gone, alive] = [newTenantUid(), newTenantUid()]
  const asked = await lookOnce({
    owners: new Map([
      [gone, true],
      [alive, false],
    ]),
  })
  const reclaims = asked.filter(({ name }) => name === 'inbox_reclaim').map(({ values }) => values)
  assert.deepEqual(reclaims, [[`{"${gone}"}`]])
})
