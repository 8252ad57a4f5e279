// The example of `npm start`: the greeter on Koa in three tenants, with everything real but the product.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type HipchatHost, startHipchatHost } from 'partywall/host'
import { withTenants } from 'partywall/testing'
import { type Greeter, startGreeter } from '../../examples/greeter.ts'
import { playScenario } from '../../examples/scenario.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { freePort } from '../support/free-port.ts'

let database: TestDatabase
let host: HipchatHost
let greeter: Greeter

before(async () => {
  database = await createTestDatabase()
  host = await startHipchatHost()
  const key = { id: 'test', key: randomBytes(32) }
  const port = await freePort()
  greeter = await startGreeter({
    port,
    baseUrl: `http://127.0.0.1:${port}`,
    hosts: [new URL(host.url).host],
    developmentHosts: [new URL(host.url).host],
    database: { urls: database.urls },
    keys: { current: key, find: id => (id === key.id ? key.key : undefined) },
    logLevel: 'error',
    requestLog: false,
  })
})
after(async () => {
  await greeter?.close()
  await host?.close()
  await database?.close()
})

test('B8 greeter: in the scenario of npm start every tenant sees its own visits, every attempt across the wall is refused', async () => {
  const report = await playScenario(host, greeter, () => undefined)
  const seen = report.tenants.map(({ name, sees, lastMessage }) => {
    const { visits, rowsVisible } = JSON.parse(sees) as { visits: number; rowsVisible: number }
    return { name, visits, rowsVisible, lastMessage }
  })
  assert.deepEqual(seen, [
    { name: 'Acme / Kitchen', visits: 3, rowsVisible: 1, lastMessage: 'Hello Ada, visit 3' },
    { name: 'Acme / Lobby', visits: 1, rowsVisible: 1, lastMessage: 'Hello Grace, visit 1' },
    { name: 'Globex / Lab', visits: 2, rowsVisible: 1, lastMessage: 'Hello Edsger, visit 2' },
  ])
  assert.deepEqual(
    report.refusals.map(({ answer }) => answer),
    [
      '401 ERR_TOKEN_SIGNATURE',
      '401 ERR_TOKEN_AMBIGUOUS',
      '401 ERR_TENANT_MISMATCH',
      '403 ERR_UNINSTALL_REFUSED',
      '409 ERR_INSTALL_CONFLICT',
      '403 ERR_INSTALL_HOST_REFUSED',
      '401 ERR_TOKEN_SIGNATURE',
      '401 ERR_TOKEN_SIGNATURE',
    ],
  )
})

test('withTenants installs an add-on in tenants that share nothing, and takes it out again', async () => {
  await withTenants({ host, descriptorUrl: greeter.descriptorUrl }, async ([one, other]) => {
    assert.ok(one && other)
    await one.room.say(one.user, '/hello')
    const deadline = Date.now() + 10_000
    while (one.room.history.length < 2 && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 5))
    const read = async (url: string) => ((await (await fetch(url)).json()) as { visits: number }).visits
    assert.equal(await read(one.installation.pageUrl('/panel')), 1)
    assert.equal(await read(other.installation.pageUrl('/panel')), 0)
    const visitsOf = (id: string) =>
      greeter.app.runAs({ dialect: 'hipchat', id }, context =>
        greeter.addon.services(context).tenantStore.get('visits'),
      )
    assert.equal(await visitsOf(one.installation.oauthId), 1)
    assert.equal(await visitsOf(other.installation.oauthId), undefined)
    const elsewhere = { dialect: 'hipchat', id: one.installation.oauthId, addon: 'com.example.other' } as const
    await assert.rejects(
      greeter.app.runAs(elsewhere, async () => undefined),
      { code: 'ERR_TENANT_UNKNOWN' },
    )
  })
  assert.equal(host.installations.length, 3, 'those of the scenario')
})
