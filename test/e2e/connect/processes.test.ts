// Two processes of a Connect app on one database, one of them stopped: what the product has taken back is refused everywhere.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ConnectFixtureOptions } from '../../fixtures/connect-app.ts'
import { outcomeOf } from '../../support/connect-app.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { type FakeProduct, type FakeSite, now, startFakeProduct } from '../../support/fake-product.ts'
import { freePort } from '../../support/free-port.ts'
import { eventually, startProcess, type TestProcess } from '../../support/processes.ts'
import { TEST_KEYS } from '../../support/registry.ts'

const FIXTURE = new URL('../../fixtures/connect-app.ts', import.meta.url)
/** Of a lease, in which a process may answer from memory. */
const LEASE_MS = 2_000

const closers: (() => unknown)[] = []
const cleanup = { after: (work: () => void | Promise<void>) => void closers.push(work) }
let database: TestDatabase
let product: FakeProduct
let url: string
let other: { readonly process: TestProcess; readonly url: string }
before(async () => {
  database = await createTestDatabase()
  product = await startFakeProduct()
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  await start(port)
  other = await start(await freePort())
})
after(async () => {
  for (const close of closers.reverse()) await close()
  await product?.close()
  await database?.close()
})

async function start(port: number) {
  const { app, system, jobs } = database.urls
  const options: ConnectFixtureOptions = {
    key: 'com.example.connect',
    baseUrl: url,
    developmentHosts: [product.host],
    connect: { name: 'Apart', keyServers: [product.url] },
    port,
  }
  const child = startProcess(cleanup, FIXTURE, {
    environment: {
      APP_OPTIONS: JSON.stringify(options),
      PARTYWALL_KEYS: TEST_KEYS,
      DATABASE_URL: app,
      DATABASE_SYSTEM_URL: system,
      DATABASE_JOBS_URL: jobs,
    },
  })
  return { process: child, url: `http://127.0.0.1:${await child.line(60_000)}` }
}

const leases = async () =>
  (await database.admin('select from pw.lease where expires_at > clock_timestamp() + $1::interval', ['1 second']))
    .length

const ask = async (base: string, site: FakeSite, secret = site.secret) => {
  const token = await site.sign(site.claims('GET', '/page'), secret)
  return outcomeOf(fetch(`${base}/page`, { headers: { authorization: `JWT ${token}` } }))
}

interface Change {
  readonly name: string
  readonly run: (site: FakeSite) => Promise<Response>
  readonly refusal: RegExp
}
const CHANGES: readonly Change[] = [
  {
    name: 're-install',
    run: site => {
      site.secret = 'y'.repeat(48)
      return site.send('installed', {}, { iat: now() + 2 })
    },
    refusal: /^401 ERR_TOKEN_SIGNATURE$/,
  },
  { name: 'disable', run: site => site.toggle('disabled', { iat: now() + 2 }), refusal: /^401 ERR_TENANT_DISABLED$/ },
  {
    name: 'uninstall',
    run: site => site.send('uninstalled', {}, { iat: now() + 2 }),
    refusal: /^401 ERR_TOKEN_SIGNATURE$/,
  },
]

for (const { name, run, refusal } of CHANGES) {
  test(`A 10, A 11: the 2xx for a Connect ${name} leaves when a stopped process cannot answer from memory any more`, async () => {
    const site = product.createSite(url, `apart-${name}`)
    assert.equal((await site.install()).status, 204)
    const { secret } = site
    // A process that was stopped before has no lease until it has connected again; nobody waits for one without.
    await eventually('both processes have their lease', async () => (await leases()) === 2)
    assert.equal(await ask(other.url, site), '200', 'known there, from memory')
    process.kill(other.process.pid, 'SIGSTOP')
    const begun = performance.now()
    try {
      assert.equal((await run(site)).status, 204)
      // It asked for its lease at the latest just before it was stopped.
      const waitedMs = performance.now() - begun
      assert.ok(waitedMs > LEASE_MS / 4, `only ${Math.round(waitedMs)} ms`)
      assert.match(await ask(url, site, secret), refusal, 'where it came')
    } finally {
      process.kill(other.process.pid, 'SIGCONT')
    }
    assert.match(await ask(other.url, site, secret), refusal, 'where it goes on')
  })
}
