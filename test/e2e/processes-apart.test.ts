/** Several apps and environments on one database: each runs its own work only, also what another one left behind. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Installation } from 'partywall/host'
import type { AppProcess } from '../support/app-process.ts'
import { type AppWorld, ask, createAppWorld, deliver, freshToken, statusOf } from '../support/app-world.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/processes.ts'

/** More than one process keeps in memory, so that some wait in the database. */
const LEFT_BEHIND = 100
const OTHERS = [{ environment: 'staging' }, { key: 'com.example.other' }] as const

test('D 44, A 23: work of one app or environment is never run by another, not even when its processes are gone', async t => {
  const database = await createTestDatabase()
  t.after(() => database.close())
  const jobs = { pollMs: 100 }
  const open = async (options: object): Promise<readonly [AppWorld, AppProcess, Installation]> => {
    const world = await createAppWorld(t, { urls: database.urls, app: { jobs, ...options } })
    return [world, await world.start(), await world.install()]
  }
  const [world, app, installation] = await open({})
  const others = [await open(OTHERS[0]), await open(OTHERS[1])] as const
  for (const [, other] of others) {
    assert.equal(await statusOf(other.url, '/whoami', freshToken(installation)), 401, 'unknown to the others')
  }

  for (let n = 0; n < LEFT_BEHIND; n += 1) {
    assert.equal((await deliver(app.url, installation, '/work hold')).status, 204)
  }
  assert.equal((await ask(app.url, '/job?waitMs=500', freshToken(installation), { method: 'POST' })).status, 200)
  await app.kill()

  // The others notice that the owner is gone, give its rows back, and go on with their own.
  await eventually(
    'all of it is due again',
    async () => (await inState(database, installation, 'due')) === LEFT_BEHIND + 1,
  )
  for (const [, other, own] of others) {
    other.tell('open')
    assert.equal((await deliver(other.url, own, '/work')).status, 204)
    await other.event({ event: 'ended', tenant: own.oauthId })
  }
  for (const [, other] of others) assert.deepEqual(other.told({ tenant: installation.oauthId }), [])
  assert.equal(await inState(database, installation, 'due'), LEFT_BEHIND + 1)

  const next = await world.start()
  next.tell('open')
  await eventually('its own next process runs it', () => next.told({ event: 'ended' }).length === LEFT_BEHIND)
  await next.event({ event: 'job', tenant: installation.oauthId })
  await eventually('all is done', async () => (await inState(database, installation, 'due', 'running')) === 0)
  for (const [, other] of others) assert.deepEqual(other.told({ tenant: installation.oauthId }), [])
})

async function inState(database: TestDatabase, { oauthId }: Installation, ...states: string[]): Promise<number> {
  const [row] = await database.admin(
    `select count(*)::int as count from (select identity_uid, state from pw.inbox union all select identity_uid, state from pw.job) w
      join pw.identity i on i.uid = w.identity_uid where i.external_id = $1 and w.state = any($2)`,
    [oauthId, `{${states.join()}}`],
  )
  return Number(row?.count)
}
