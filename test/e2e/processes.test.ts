/** Four processes of an app on one database, one of them stopped: what has been taken away stays away everywhere. */

import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Installation } from 'partywall/host'
import type { AppProcess } from '../support/app-process.ts'
import {
  type Answered,
  type AppWorld,
  ask,
  cleanupOfFile,
  codeOf,
  createAppWorld,
  deliver,
  freshToken,
  isLargeScale,
  statusOf,
} from '../support/app-world.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/processes.ts'

const ROUNDS = isLargeScale ? 5 : 1
/** Lease of 2 s, and what a busy machine needs to hear of its end. */
const LONGEST_WAIT_MS = 2000 + 4000

const file = cleanupOfFile()
let database: TestDatabase
let world: AppWorld
let processes: readonly AppProcess[] = []

before(async () => {
  database = await createTestDatabase()
  file.after(() => database.close())
  world = await createAppWorld(file, { urls: database.urls })
  processes = await Promise.all([world.start(), world.start(), world.start(), world.start()])
})

interface Change {
  readonly name: string
  run(installation: Installation): Promise<void>
  /** Whether the installation goes on, with another secret. */
  readonly goesOn: boolean
}

const CHANGES: readonly Change[] = [
  {
    name: 're-install with another secret',
    goesOn: true,
    async run(installation) {
      await installation.update({ rotateSecret: true })
      assert.equal(installation.result?.ok, true, JSON.stringify(installation.result))
    },
  },
  {
    name: 'disable',
    goesOn: false,
    async run(installation) {
      const answer = await ask(world.front.url, `/disable/${installation.oauthId}`, undefined, { method: 'POST' })
      assert.equal(answer.status, 204, JSON.stringify(answer))
    },
  },
  {
    name: 'uninstall',
    goesOn: false,
    async run(installation) {
      const result = await installation.uninstall()
      assert.equal(result.ok, true, JSON.stringify(result))
    },
  },
]

for (const change of CHANGES) {
  test(`A 10, A 11, D 44: after the 2xx of a ${change.name} no process accepts the old state, nor does a stopped one when it goes on`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) await takeAway(change)
  })
}

async function takeAway(change: Change): Promise<void> {
  const [first, second, third, stopped] = processes as [AppProcess, AppProcess, AppProcess, AppProcess]
  const running = [first, second, third]
  const installation = await world.install()
  const tenant = installation.oauthId
  const old = await useEverywhere(installation)
  const held = await holdEverywhere(installation)
  const late = await ask(first.url, '/job?waitMs=2500', freshToken(installation), { method: 'POST' })
  assert.equal(late.status, 200)

  await stopped.stop()
  const asked = askWithOld(stopped, installation, old())
  const startedAt = performance.now()
  await change.run(installation)
  const waitedMs = performance.now() - startedAt
  const answers = await Promise.all(running.map(process => askWithOld(process, installation, old())))
  assert.deepEqual(
    answers,
    running.map(() => REFUSED),
    'by the processes that run',
  )
  assert.ok(waitedMs < LONGEST_WAIT_MS, `the 2xx took ${Math.round(waitedMs)} ms`)

  for (const process of processes) process.tell('open')
  stopped.resume()
  assert.deepEqual(await asked, REFUSED, 'asked while it was stopped')
  assert.deepEqual(await askWithOld(stopped, installation, old()), REFUSED, 'asked when it went on')
  await nothingHappened(installation, held)
  for (const process of processes) {
    const status = await statusOf(process.url, '/whoami', freshToken(installation))
    assert.equal(status, change.goesOn ? 200 : 401)
    process.tell('shut')
  }

  // The job of before: neither run by anybody nor left waiting.
  await eventually('the work of before has ended', async () => (await unfinished(tenant)) === 0)
  const jobs = processes.flatMap(process => process.told({ event: 'job', tenant }))
  assert.equal(jobs.length, change.goesOn ? 1 : 0)
}

const REFUSED = { page: 401, session: 401, webhook: 401 }

/** Every process knows the installation from memory. Returns tokens of the state of now, fresh ones at each call. */
async function useEverywhere(installation: Installation) {
  const page = freshToken(installation)
  const webhooks = Array.from({ length: 12 }, () => freshToken(installation))
  const answered = await ask(processes[0]?.url ?? '', '/session', page)
  const session = (answered.body as { token: string }).token
  for (const process of processes) {
    assert.deepEqual((await ask(process.url, '/whoami', page)).body, { tenant: installation.oauthId })
    assert.equal(await statusOf(process.url, '/whoami', session), 200)
    await process.event({ event: 'listening' })
  }
  return () => ({ page, session, webhook: webhooks.pop() ?? '' })
}

/** A page and a delivery stand in the middle of their handlers in every process, before they write and call out. */
async function holdEverywhere(installation: Installation) {
  const tenant = installation.oauthId
  const pages = processes.map(process => ask(process.url, '/hold', freshToken(installation)))
  for (const process of processes) {
    assert.equal((await deliver(process.url, installation, '/work probe')).status, 204)
    await process.event({ event: 'held', tenant })
    await process.event({ event: 'started', tenant })
  }
  return pages
}

async function askWithOld(
  process: AppProcess,
  installation: Installation,
  old: { readonly page: string; readonly session: string; readonly webhook: string },
) {
  const [page, session, webhook] = await Promise.all([
    statusOf(process.url, '/whoami', old.page),
    statusOf(process.url, '/whoami', old.session),
    deliver(process.url, installation, '/work', old.webhook),
  ])
  return { page, session, webhook: webhook.status }
}

/** What was held goes on and gets nowhere: no row, no call. */
async function nothingHappened(installation: Installation, pages: readonly Promise<Answered>[]) {
  const tenant = installation.oauthId
  const refused = { write: 'ERR_TENANT_REVOKED', call: 'ERR_TENANT_REVOKED', isAborted: true }
  for (const page of pages) assert.equal(codeOf(await page), 'ERR_TENANT_REVOKED')
  for (const [index, process] of processes.entries()) {
    const effects = () => process.told({ event: 'effects', tenant })
    await eventually('page and delivery went on', () => effects().length === 2).catch(cause => {
      throw new Error(`process ${index}: ${JSON.stringify(process.told({ tenant }))} ${process.errors}`, { cause })
    })
    for (const { write, call, isAborted } of effects()) {
      assert.deepEqual({ write, call, isAborted }, refused, `in process ${index}`)
    }
  }
  const rows = await database.admin(`select count(*)::int as count from pw.kv where key = 'after'`)
  assert.deepEqual(rows, [{ count: 0 }])
}

async function unfinished(externalId: string): Promise<number> {
  const [row] = await database.admin(
    `select count(*)::int as count from (select identity_uid from pw.inbox where state in ('due', 'running')
       union all select identity_uid from pw.job where state in ('due', 'running')) work
      join pw.identity i on i.uid = work.identity_uid where i.external_id = $1`,
    [externalId],
  )
  return Number(row?.count)
}
