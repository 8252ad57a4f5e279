// What the old library called tenants and stores, found under our names, in an installation of a simulated host.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HipchatApp, TenantServices } from 'partywall'
import { type HipchatHost, startHipchatHost } from 'partywall/host'
import { type TestTenant, withTenants } from 'partywall/testing'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type RunningApp, startHipchatApp } from '../support/hipchat-app.ts'
import { eventually } from '../support/processes.ts'

let database: TestDatabase
let host: HipchatHost
let running: RunningApp<HipchatApp>
const heard: string[] = []
before(async () => {
  database = await createTestDatabase()
  host = await startHipchatHost({ rateLimit: false })
  running = await startHipchatApp({ database, hosts: [host] }, app => {
    const addon = app.hipchat({ name: 'Old', scopes: ['admin_room', 'view_group'] })
    addon.onInstalled(({ tenant }) => heard.push(`installed ${tenant.id}`))
    addon.onUninstalled(({ tenant }) => heard.push(`uninstalled ${tenant.id}`))
    addon.page('/page', () => 'here')
    return addon
  })
})
after(async () => {
  await running?.close()
  await host?.close()
  await database?.close()
})

const inTwo = (work: (one: TestTenant, other: TestTenant) => Promise<void>) =>
  withTenants({ host, descriptorUrl: `${running.url}/addon/capabilities` }, async ([one, other]) => {
    assert.ok(one && other)
    await work(one, other)
  })
const nameOf = ({ installation }: TestTenant) => ({ dialect: 'hipchat', id: installation.oauthId }) as const
/** From a script, outside of any request. */
const servicesOf = <T>(one: TestTenant, work: (services: TenantServices) => Promise<T>): Promise<T> =>
  running.app.runAs(nameOf(one), context => work(running.built.services(context)))

test('B3 id, secret, group, room, webhookToken, links: the record of a tenant has them', async () => {
  await inTwo(async (one, other) => {
    const { id, secret, group, room, webhookToken, links } = await servicesOf(one, async ({ tenant }) => tenant)
    const { oauthId, oauthSecret, capabilitiesUrl } = one.installation
    assert.deepEqual([id, secret, group, room], [oauthId, oauthSecret, one.room.group.id, one.room.id])
    assert.deepEqual(links, {
      capabilities: capabilitiesUrl,
      base: links.base,
      api: `${host.url}/v2`,
      token: `${host.url}/v2/oauth/token`,
    })
    assert.notEqual(webhookToken, await servicesOf(other, async ({ tenant }) => tenant.webhookToken))
  })
})

test('B3 get, set, del, all, narrow, clear: one tenant’s store, with whole keys of its own', async () => {
  await inTwo(async (one, other) => {
    await servicesOf(one, async ({ tenantStore: store }) => {
      assert.equal(await store.get('missing'), undefined)
      await store.set('a', { n: 1 }, 60)
      await store.narrow('deep').narrow('deeper').set('b', 2)
      assert.deepEqual({ ...(await store.all()) }, { a: { n: 1 } })
      assert.deepEqual({ ...(await store.all({ nested: true })) }, { a: { n: 1 }, 'deep:deeper:b': 2 })
      assert.deepEqual({ ...(await store.list({ limit: 1 })).items }, { a: { n: 1 } })
      assert.equal(await store.del('missing'), false)
    })
    await servicesOf(other, ({ tenantStore }) => tenantStore.set('a', 'other'))
    assert.equal(await servicesOf(one, ({ tenantStore }) => tenantStore.clear()), 2)
    assert.equal(await servicesOf(other, ({ tenantStore }) => tenantStore.get('a')), 'other')
  })
})

test('B3 tenants.enabled, tenants.disabled, enabled: an operator’s switch, and it is checked', async () => {
  await inTwo(async (one, other) => {
    const status = async ({ installation }: TestTenant) => (await fetch(installation.pageUrl('/page'))).status
    await running.app.setEnabled(nameOf(one), false)
    assert.deepEqual([await status(one), await status(other)], [401, 200])
    await running.app.setEnabled(nameOf(one), true)
    assert.equal(await status(one), 200)
  })
})

test('B3 tenants.installed, tenants.uninstalled, tenants.on: listeners hear of an install and of its end, once', async () => {
  let id = ''
  await inTwo(async ({ installation }) => {
    id = installation.oauthId
    await eventually('the install is heard', () => heard.includes(`installed ${id}`))
  })
  assert.deepEqual(
    heard.filter(line => line.endsWith(id)),
    [`installed ${id}`, `uninstalled ${id}`],
  )
})

test('B3 tenants.get: a script is bound to the installation it names, and to none that is not there', async () => {
  await inTwo(async one => {
    assert.equal(await servicesOf(one, async ({ tenant }) => tenant.id), one.installation.oauthId)
    await assert.rejects(
      running.app.runAs({ dialect: 'hipchat', id: 'nobody' }, async () => undefined),
      { code: 'ERR_TENANT_UNKNOWN' },
    )
  })
})

test('B7 Tenants, WebhookManager, RestClient, TenantClient, decorator: the parts of a tenant without any web framework', async () => {
  await inTwo(async (one, other) => {
    await servicesOf(one, async ({ tenantClient, roomClient, tenantWebhooks }) => {
      assert.equal((await tenantClient.getRoom(one.room.id)).name, one.room.name)
      assert.equal((await roomClient?.getRoom())?.id, one.room.id)
      const { name } = await tenantWebhooks.add('room_enter')
      assert.equal(await tenantWebhooks.remove(name), true)
      await assert.rejects(tenantClient.getRoom(other.room.id), { code: 'ERR_HOST_RESPONSE' })
    })
  })
})
