/** Code of app authors that throws: it ends the request or the delivery it belongs to, and nothing else. */

import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Installation } from 'partywall/host'
import type { AppProcess } from '../support/app-process.ts'
import { type AppWorld, ask, cleanupOfFile, codeOf, createAppWorld, deliver, freshToken } from '../support/app-world.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/processes.ts'

const WAYS = ['throw', 'nothing', 'frozen', 'reject', 'later', 'unprintable'] as const

const file = cleanupOfFile()
let database: TestDatabase
let world: AppWorld
let app: AppProcess
let neighbour: Installation

before(async () => {
  database = await createTestDatabase()
  file.after(() => database.close())
  const jobs = { backoffMs: 20, maxAttempts: 2, pollMs: 100, handlerTimeoutMs: 500 }
  world = await createAppWorld(file, { urls: database.urls, app: { jobs, failing: ['installed', 'uninstalled'] } })
  app = await world.start()
  app.tell('open')
  neighbour = await world.install()
})

for (const how of [...WAYS, 'cyclic'] as const) {
  test(`H 86: a page handler that fails (${how}) ends that request only`, async () => {
    const installation = await world.install()
    const [failed, beside] = await Promise.all([
      ask(app.url, `/fail?how=${how}`, freshToken(installation)),
      ask(app.url, '/note?delay=20', freshToken(neighbour)),
    ])
    assert.equal(failed.status, 500)
    assert.match(codeOf(failed) ?? '', /^ERR_(HANDLER_FAILED|INTERNAL)$/)
    assert.doesNotMatch(JSON.stringify(failed.body), /thrown|rejected|fixtures|\.ts/)
    assert.equal(beside.status, 200)
    await goesOn(installation)
  })
}

for (const how of WAYS) {
  test(`H 86, D 44: a webhook handler that fails (${how}) is tried again and ends among the dead letters, alone`, async () => {
    const installation = await world.install()
    assert.equal((await deliver(app.url, installation, `/fail ${how}`)).status, 204)
    assert.equal((await deliver(app.url, installation, '/work')).status, 204)
    await isDead(installation, 'inbox', 'webhook')
    assert.equal(app.told({ event: 'failing', tenant: installation.oauthId }).length, 2)
    assert.equal(app.told({ event: 'ended', tenant: installation.oauthId }).length, 1)
    await goesOn(installation)
  })

  test(`H 86, D 44: a job that fails (${how}) is tried again and ends among the dead letters, alone`, async () => {
    const installation = await world.install()
    const made = await ask(app.url, `/job?how=${how}`, freshToken(installation), { method: 'POST' })
    assert.equal(made.status, 200, JSON.stringify(made))
    await isDead(installation, 'job', 'tell')
    assert.equal(app.told({ event: 'job', tenant: installation.oauthId }).length, 2)
    await goesOn(installation)
  })
}

test('D 44: a job has as many attempts as it was given', async () => {
  const installation = await world.install()
  const made = await ask(app.url, '/job?how=throw&attempts=1', freshToken(installation), { method: 'POST' })
  assert.equal(made.status, 200, JSON.stringify(made))
  await isDead(installation, 'job', 'tell')
  assert.equal(app.told({ event: 'job', tenant: installation.oauthId }).length, 1)
})

test('H 86, D 44: a handler that never ends is given up after its time', async () => {
  const installation = await world.install()
  assert.equal((await deliver(app.url, installation, '/work hang')).status, 204)
  await isDead(installation, 'inbox', 'webhook')
  await goesOn(installation)
})

test('H 86: a failing install listener leaves the installation in force', async () => {
  const installation = await world.install()
  await isDead(installation, 'inbox', 'installed')
  assert.ok(app.told({ event: 'installed', tenant: installation.oauthId }).length >= 2)
  await goesOn(installation)
})

test('H 86: a failing uninstall listener leaves the uninstall in force, and a dead letter', async () => {
  const installation = await world.install()
  const token = freshToken(installation)
  assert.equal((await installation.uninstall()).status, 204)
  assert.equal(app.told({ event: 'uninstalled', tenant: installation.oauthId }).length, 1)
  await isDead(installation, 'inbox', 'uninstalled')
  assert.equal((await ask(app.url, '/whoami', token)).status, 401)
  await goesOn(neighbour)
})

/** Requests and deliveries of this tenant and of another still work, in the same process. */
async function goesOn(installation: Installation): Promise<void> {
  for (const one of [installation, neighbour]) {
    const tenant = one.oauthId
    const before = app.told({ event: 'ended', tenant }).length
    assert.deepEqual(await ask(app.url, '/whoami', freshToken(one)), { status: 200, body: { tenant } })
    assert.equal((await deliver(app.url, one, '/work')).status, 204)
    await eventually('its delivery has run', () => app.told({ event: 'ended', tenant }).length > before)
  }
  assert.equal(app.told({ event: 'listening' }).length, 1)
}

async function isDead({ oauthId }: Installation, table: 'inbox' | 'job', handler: string): Promise<void> {
  await eventually(`${handler} is a dead letter`, async () => {
    const [row] = await database.admin(
      `select count(*)::int as count from pw.${table} w join pw.identity i on i.uid = w.identity_uid
        where w.state = 'dead' and w.handler like $1 and i.external_id = $2`,
      [`%:${handler}`, oauthId],
    )
    return row?.count === 1
  })
}
