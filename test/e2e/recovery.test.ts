/** Orderly ends, and what an app does while its store is gone and when it is back. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { FixtureOptions } from '../fixtures/app.ts'
import {
  type Answered,
  ask,
  cleanupOfFile,
  codeOf,
  createAppWorld,
  deliver,
  descriptorOf,
  freshToken,
  statusOf,
} from '../support/app-world.ts'
import { createTestDatabase } from '../support/database.ts'
import { type Cleanup, eventually } from '../support/processes.ts'
import { createTcpProxy, targetOf } from '../support/tcp-proxy.ts'

const file = cleanupOfFile()
/** All of it: requests, handlers, connections. */
const LONGEST_END_MS = 8000

test('H 87: SIGTERM: no new connections, running requests finish with their store, exit code 0 in 8 s', async t => {
  const { world } = await createStage(t)
  const app = await world.start()
  const installation = await world.install()
  await ask(app.url, '/note?text=kept', freshToken(installation), { method: 'POST' })
  const slow = ask(app.url, '/note?delay=2500', freshToken(installation))
  // Sent later on another connection, answered before: the slow one runs.
  assert.equal(await statusOf(app.url, '/note?delay=250', freshToken(installation)), 200)

  const askedAt = performance.now()
  process.kill(app.pid, 'SIGTERM')
  await eventually('nobody listens', async () => !(await accepts(app.port)))
  assert.deepEqual(await slow, { status: 200, body: { note: 'kept' } })
  assert.deepEqual(await app.ended, { code: 0, signal: null }, app.errors)
  assert.ok(performance.now() - askedAt < LONGEST_END_MS, `${performance.now() - askedAt} ms`)
})

test('H 87: SIGTERM while a handler hangs: exit code 0 in 8 s, and the next process does its work', async t => {
  const { world } = await createStage(t)
  const app = await world.start()
  const installation = await world.install()
  assert.equal((await deliver(app.url, installation, '/work hold')).status, 204)
  const { id } = await app.event({ event: 'started', tenant: installation.oauthId })
  const askedAt = performance.now()
  await app.kill('SIGTERM')
  assert.deepEqual(await app.ended, { code: 0, signal: null }, app.errors)
  assert.ok(performance.now() - askedAt < LONGEST_END_MS, `${performance.now() - askedAt} ms`)

  const next = await world.start()
  next.tell('open')
  assert.equal((await next.event({ event: 'ended', tenant: installation.oauthId })).id, id)
})

test('H 87: SIGTERM while the store does not answer: exit code 0 in 8 s', async t => {
  const { world, proxy } = await createStage(t)
  const app = await world.start()
  const installation = await world.install()
  assert.equal((await deliver(app.url, installation, '/work hold')).status, 204)
  await app.event({ event: 'started', tenant: installation.oauthId })
  proxy.hold()
  const asked = ask(app.url, '/note', freshToken(installation)).catch(() => undefined)
  const askedAt = performance.now()
  await app.kill('SIGTERM')
  assert.deepEqual(await app.ended, { code: 0, signal: null }, app.errors)
  assert.ok(performance.now() - askedAt < LONGEST_END_MS, `${performance.now() - askedAt} ms`)
  const answer = await asked
  assert.ok(answer === undefined || answer.status >= 500, JSON.stringify(answer))
})

for (const trouble of ['refuse', 'hold'] as const) {
  const how = trouble === 'refuse' ? 'cannot be reached' : 'does not answer'
  test(`H 88: while the store ${how}: 503, no false 2xx; afterwards all is well without a restart`, async t => {
    const { world, proxy, database } = await createStage(t)
    const app = await world.start()
    const [installation, leaves] = [await world.install(), await world.install()]
    const names = ['before', 'in the middle', 'while', 'after']
    const send = (name: string) => deliver(app.url, installation, '/work', installation.signRequest({ jti: name }))
    assert.equal((await send('before')).status, 204)
    await app.event({ event: 'ended', tenant: installation.oauthId })
    await ask(app.url, '/note?text=kept', freshToken(installation), { method: 'POST' })
    const middle = installation.signRequest({ jti: 'in the middle' })
    assert.equal((await deliver(app.url, installation, '/work hold', middle)).status, 204)
    await eventually('two have begun', () => app.told({ event: 'started' }).length === 2)

    proxy[trouble]()
    app.tell('open')
    const room = world.group.createRoom({ name: 'Meanwhile' })
    const [page, write, delivery, arrives, left] = await Promise.all([
      ask(app.url, '/note', freshToken(installation)),
      ask(app.url, '/note?text=lost', freshToken(installation), { method: 'POST' }),
      send('while'),
      world.host.install(descriptorOf(world.front), { group: world.group, room }),
      leaves.uninstall(),
    ])
    for (const answer of [page, write, delivery]) isUnavailable(answer)
    assert.deepEqual([arrives.result?.status, left.status], [503, 503])
    await eventually('memory is not trusted for ever', async () => {
      const status = await statusOf(app.url, '/whoami', freshToken(installation))
      assert.ok(status === 200 || status === 503, `${status}`)
      return status === 503
    })

    proxy.heal()
    await eventually('it works again', async () => (await statusOf(app.url, '/note', freshToken(installation))) === 200)
    assert.deepEqual((await ask(app.url, '/note', freshToken(installation))).body, { note: 'kept' })
    assert.equal((await send('while')).status, 204, 'the host sends it again')
    assert.equal((await send('after')).status, 204)
    const again = await ask(world.front.url, `/addon/installable/${leaves.oauthId}`, undefined, { method: 'DELETE' })
    assert.equal(again.status, 204)
    assert.equal(await statusOf(app.url, '/whoami', freshToken(leaves)), 401)
    await world.install()
    const count = () => ask(app.url, '/count', freshToken(installation))
    await eventually('all are done', async () => ((await count()).body as { count: number }).count === names.length)
    const [rows] = await database.admin(`select count(*)::int as count from pw.inbox where handler like '%:webhook'`)
    assert.deepEqual(rows, { count: names.length })
  })
}

function isUnavailable(answer: Answered): void {
  assert.equal(answer.status, 503, JSON.stringify(answer))
  assert.match(codeOf(answer) ?? '', /^ERR_STORE_(UNAVAILABLE|TIMEOUT)$/)
}

/** An app whose way to its database can be cut. */
async function createStage(test: Cleanup, app: Partial<FixtureOptions> = {}) {
  const database = await createTestDatabase()
  file.after(() => database.close())
  const proxy = await createTcpProxy(targetOf(database.urls.app))
  file.after(() => proxy.close())
  const through = (text: string): string => {
    const url = new URL(text)
    url.hostname = '127.0.0.1'
    url.port = String(proxy.port)
    url.searchParams.delete('host')
    return url.href
  }
  const { app: appUrl, system, jobs } = database.urls
  const urls = { app: through(appUrl), system: through(system), jobs: through(jobs) }
  return { database, proxy, world: await createAppWorld(test, { urls, app }) }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // Refused: that is the answer.
    return false
  } finally {
    socket.destroy()
  }
}
