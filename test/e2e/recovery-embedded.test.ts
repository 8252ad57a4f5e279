/** The embedded database under apps that are killed, and under one that goes on while the server is killed. */

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { homeOf } from '../../src/postgres/embedded/home.ts'
import { startEmbedded } from '../../src/postgres/embedded/index.ts'
import { processesIn } from '../../src/postgres/embedded/processes.ts'
import { ask, createAppWorld, deliver, freshToken, isLargeScale, statusOf } from '../support/app-world.ts'
import { eventually } from '../support/processes.ts'
import { silent } from '../support/registry.ts'

/** The real one takes 30 s. */
const GRACE_MS = isLargeScale ? 30_000 : 1500

test('H 87: SIGKILL of all apps: the server ends when its grace has passed, and the next start repairs by itself', async t => {
  const { folder, world, apps } = await createStage(t)
  const [first, second] = apps
  const installation = await world.install()
  await ask(first.url, '/note?text=kept', freshToken(installation), { method: 'POST' })
  assert.equal((await deliver(second.url, installation, '/work hold')).status, 204)
  const { id } = await second.event({ event: 'started', tenant: installation.oauthId })
  const serving = await serverOf(folder)
  assert.notDeepEqual(serving, [])

  await Promise.all(apps.map(app => app.kill()))
  await eventually('no server is left', async () => (await serverOf(folder)).length === 0, GRACE_MS + 10_000)

  const next = await world.start()
  await world.front.to(next.port)
  next.tell('open')
  assert.deepEqual((await ask(next.url, '/note', freshToken(installation))).body, { note: 'kept' })
  assert.equal((await next.event({ event: 'ended', tenant: installation.oauthId })).id, id)
  await world.install()
  await next.kill('SIGTERM')
  assert.deepEqual(await next.ended, { code: 0, signal: null }, next.errors)
  assert.deepEqual(await serverOf(folder), [], 'the last orderly end stops the server')
})

test('H 88: SIGKILL of the server under running apps: they go on without a restart, and nothing is lost', async t => {
  const { folder, world, apps } = await createStage(t)
  const [first, second] = apps
  const installation = await world.install()
  await ask(first.url, '/note?text=kept', freshToken(installation), { method: 'POST' })
  for (const app of apps) app.tell('open')
  const acknowledged = new Set<string>()
  const send = async (name: string): Promise<boolean> => {
    const app = acknowledged.size % 2 === 0 ? first : second
    const { status } = await deliver(app.url, installation, '/work', installation.signRequest({ jti: name }))
    assert.ok(status === 204 || status === 503, `${status}`)
    if (status === 204) acknowledged.add(name)
    return status === 204
  }
  assert.equal(await send('before'), true)
  process.kill(Number.parseInt(await readFile(join(homeOf(folder).data, 'postmaster.pid'), 'utf8'), 10), 'SIGKILL')
  await send('at the moment')
  await eventually('deliveries are accepted again', () => send('after'))
  await eventually('by both', async () => {
    const statuses = await Promise.all(apps.map(app => statusOf(app.url, '/note', freshToken(installation))))
    return statuses.every(status => status === 200)
  })
  assert.deepEqual((await ask(second.url, '/note', freshToken(installation))).body, { note: 'kept' })
  await eventually('what was acknowledged is done', async () => {
    const { body } = await ask(first.url, '/count', freshToken(installation))
    return (body as { count: number }).count >= acknowledged.size
  })
  await Promise.all(apps.map(app => app.kill('SIGTERM')))
})

async function createStage(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'pwk-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  // Who starts the server decides how long it outlives the last process.
  const held = await startEmbedded({ folder, logger: silent, graceMs: GRACE_MS })
  t.after(() => held.close())
  const world = await createAppWorld(t, { folder, app: { jobs: { pollMs: 200 } } })
  const apps = [await world.start(), await world.start()] as const
  await held.close()
  return { folder, world, apps }
}

const serverOf = (folder: string): Promise<number[]> => processesIn(homeOf(folder).data, undefined)
