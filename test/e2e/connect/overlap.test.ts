// The secret before a re-install: refused at once, or verified for a while where the author says so.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ConnectWorld, outcomeOf, startConnectWorld } from '../../support/connect-app.ts'
import type { FakeSite } from '../../support/fake-product.ts'

let world: ConnectWorld
let skew = 0

before(async () => {
  const clock = { now: () => Date.now() + skew, monotonic: () => performance.now() }
  world = await startConnectWorld(
    connect => void connect.page('/page', ({ tenant }) => ({ secret: tenant.secret })),
    { secretOverlapSeconds: 60, leewaySeconds: 120 },
    { clock },
  )
})
after(() => world?.close())

const askWith = async (site: FakeSite, secret: string) => {
  const token = await site.sign(site.claims('GET', '/page'), secret)
  return fetch(`${world.url}/page`, { headers: { authorization: `JWT ${token}` } })
}

test('with an overlap the secret before verifies until its time is over, and is never the tenant’s secret', async () => {
  const site = world.product.createSite(world.url, 'one')
  await site.install()
  const first = site.secret
  await site.install()
  const second = site.secret
  assert.deepEqual(await (await askWith(site, first)).json(), { secret: second })
  await site.install()
  assert.equal(await outcomeOf(askWith(site, first)), '401 ERR_TOKEN_SIGNATURE')
  assert.equal((await askWith(site, second)).status, 200)
  skew = 61_000
  assert.equal(await outcomeOf(askWith(site, second)), '401 ERR_TOKEN_SIGNATURE')
  assert.equal((await askWith(site, site.secret)).status, 200)
  skew = 0
})

test('an uninstall ends the overlap too', async () => {
  const site = world.product.createSite(world.url, 'two')
  await site.install()
  const first = site.secret
  await site.install()
  assert.equal((await site.send('uninstalled')).status, 204)
  assert.equal(await outcomeOf(askWith(site, first)), '401 ERR_TOKEN_SIGNATURE')
  await site.install()
  assert.equal(await outcomeOf(askWith(site, first)), '401 ERR_TOKEN_SIGNATURE')
})
