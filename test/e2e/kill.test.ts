/** SIGKILL right after a 2xx: what was acknowledged is there after the next start, and happened once. */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Installation } from 'partywall/host'
import { startEmbedded } from '../../src/postgres/embedded/index.ts'
import type { AppProcess } from '../support/app-process.ts'
import {
  type AppWorld,
  ask,
  createAppWorld,
  deliver,
  freshToken,
  isLargeScale,
  statusOf,
} from '../support/app-world.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/processes.ts'
import { silent } from '../support/registry.ts'

const ROUNDS = isLargeScale ? 50 : 8
const EMBEDDED_ROUNDS = isLargeScale ? 12 : 3
const DELIVERIES = 4

test(`A 9, D 41, H 87: SIGKILL right after a 2xx, ${ROUNDS} times: nothing is lost and nothing happens twice`, async t => {
  const database = await createTestDatabase()
  t.after(() => database.close())
  const world = await createAppWorld(t, { urls: database.urls })
  const { deliveries } = await killAgainAndAgain(t, world, await world.start(), ROUNDS)
  const rows = await database.admin(
    `select count(*)::int as count, count(*) filter (where state = 'done')::int as done from pw.inbox
      where handler like '%:webhook'`,
  )
  assert.deepEqual(rows, [{ count: deliveries, done: deliveries }])
})

test(`A 9, D 41, H 87: SIGKILL right after a 2xx on the embedded database, ${EMBEDDED_ROUNDS} times`, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'pwk-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  // Who starts the server decides how long it outlives the last process.
  const held = await startEmbedded({ folder, logger: silent, graceMs: 500 })
  t.after(() => held.close())
  const world = await createAppWorld(t, { folder })
  const first = await world.start()
  await held.close()
  await killAgainAndAgain(t, world, first, EMBEDDED_ROUNDS)
})

const KINDS = ['install', 'webhook', 'uninstall'] as const

async function killAgainAndAgain(t: TestContext, world: AppWorld, first: AppProcess, rounds: number) {
  const processes = [first]
  const stays = await world.install()
  let deliveries = 0
  for (let round = 0; round < rounds; round += 1) {
    const app = processes.at(-1) as AppProcess
    const leaves = await world.install()
    const before = { token: freshToken(leaves), names: Array.from({ length: DELIVERIES }, () => randomUUID()) }
    const work = {
      install: world.install().catch(() => undefined),
      webhook: Promise.all(before.names.map(name => isAccepted(world, stays, name))),
      uninstall: leaves.uninstall(),
    }
    await work[KINDS[round % KINDS.length] ?? 'install']
    await app.kill()
    const [arrived, left] = await Promise.all([work.install, work.uninstall, work.webhook])

    const next = await world.start({}, t)
    await world.front.to(next.port)
    processes.push(next)
    if (arrived !== undefined) await isInstalled(next, arrived, processes)
    // A host whose connection broke sends again, whether or not the first try was answered.
    for (const name of before.names) assert.equal(await isAccepted(world, stays, name), true, 'the second try')
    deliveries += DELIVERIES
    if (!left.ok) assert.equal((await removeAgain(world, leaves)).status, 204)
    await isUninstalled(next, leaves, before.token, left.ok, processes)
    await eventually(`${deliveries} deliveries are done`, async () => (await countOf(next, stays)) >= deliveries)
    assert.equal(await countOf(next, stays), deliveries, 'by their ids')
  }
  assert.ok(
    processes.slice(0, -1).every(({ errors }) => !/unhandled|uncaught/i.test(errors)),
    'no process ended by itself',
  )
  await processes.at(-1)?.kill('SIGTERM')
  return { deliveries }
}

/** The token is another at each try; its `jti` names the delivery. False when no answer came. */
async function isAccepted(world: AppWorld, installation: Installation, name: string): Promise<boolean> {
  const token = installation.signRequest({ jti: name, nonce: randomUUID() })
  const answer = await deliver(world.front.url, installation, '/work', token).catch(() => undefined)
  if (answer !== undefined) assert.equal(answer.status, 204, JSON.stringify(answer))
  return answer !== undefined
}

async function isInstalled(app: AppProcess, installation: Installation, processes: readonly AppProcess[]) {
  const tenant = installation.oauthId
  assert.deepEqual(await ask(app.url, '/whoami', freshToken(installation)), { status: 200, body: { tenant } })
  await eventually('the listener ran', () => processes.some(one => one.told({ event: 'installed', tenant }).length > 0))
}

async function isUninstalled(
  app: AppProcess,
  installation: Installation,
  oldToken: string,
  wasAcknowledged: boolean,
  processes: readonly AppProcess[],
) {
  assert.equal(await statusOf(app.url, '/whoami', oldToken), 401)
  const runs = processes.flatMap(one => one.told({ event: 'uninstalled', tenant: installation.oauthId })).length
  // Killed between the listener and the row that says so, it runs again.
  if (wasAcknowledged) assert.equal(runs, 1, 'the listener ran once before the 2xx')
  else assert.ok(runs === 1 || runs === 2, `the listener ran, ${runs} times`)
}

const removeAgain = (world: AppWorld, { oauthId }: Installation) =>
  ask(world.front.url, `/addon/installable/${oauthId}`, undefined, { method: 'DELETE' })

const countOf = async (app: AppProcess, installation: Installation): Promise<number> =>
  ((await ask(app.url, '/count', freshToken(installation))).body as { count: number }).count
