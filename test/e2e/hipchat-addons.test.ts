// Several add-ons in one Koa app: each with its own tenants, stores, tokens, sessions and webhooks, also where a host gives both
// the same oauthId.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HipchatApp, TenantServices } from 'partywall'
import { type HipchatHost, type HostRoom, type Installation, startHipchatHost } from 'partywall/host'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { rejection } from '../support/errors.ts'
import { type RunningApp, startHipchatApp } from '../support/hipchat-app.ts'
import { eventually } from './hipchat-support.ts'

type Scope = 'one' | 'two'
const SCOPES: readonly Scope[] = ['one', 'two']

let database: TestDatabase
let hosts: Readonly<Record<Scope, HipchatHost>>
let running: RunningApp<Readonly<Record<Scope, HipchatApp>>>
let places: Readonly<Record<Scope, { readonly installation: Installation; readonly room: HostRoom }>>
const heard: string[] = []
const lifecycle: string[] = []

before(async () => {
  database = await createTestDatabase()
  // The same seed: both hosts give the same ids, and at first the same secrets.
  const [one, two] = await Promise.all(SCOPES.map(() => startHipchatHost({ seed: 'twins', rateLimit: false })))
  hosts = { one: one ?? assert.fail(), two: two ?? assert.fail() }
  running = await startHipchatApp({ database, hosts: [hosts.one, hosts.two] }, (app, koa) => {
    const built = { one: addonOf('one'), two: addonOf('two') }
    koa.use(built.one.authenticate())
    koa.use(async context => {
      context.body = { tenant: (context as unknown as TenantServices).tenant.id }
    })
    return built

    function addonOf(scope: Scope): HipchatApp {
      const key = `com.example.${scope}`
      const addon = app.hipchat({ key, path: `/${scope}`, name: scope, scopes: ['admin_room', 'send_notification'] })
      addon
        .webhook('room_message', /^note (\w+)$/, async context => {
          await context.tenantStore.set('note', `${scope} ${context.match?.[1]}`)
          heard.push(`${scope} ${context.match?.[1]}`)
        })
        .onWebhook('room_enter', ({ sender }) => heard.push(`${scope} met ${sender?.name}`))
        .onInstalled(({ tenant }) => lifecycle.push(`${scope} installed ${tenant.links.base}`))
        .onUninstalled(({ tenant }) => lifecycle.push(`${scope} uninstalled ${tenant.links.base}`))
        .page('/note', async ({ tenantStore, authentication, query }) => {
          if (query.has('cursor')) return tenantStore.list({ cursor: query.get('cursor') ?? '', limit: 1 })
          return { note: await tenantStore.get('note'), session: authentication.token, tenant: authentication.issuer }
        })
      return addon
    }
  })
  places = { one: await place('one'), two: await place('two') }
  await places.two.installation.update({ rotateSecret: true })
  assert.equal(places.two.installation.result?.status, 204)
})
after(async () => {
  await running?.close()
  await Promise.all(SCOPES.map(scope => hosts?.[scope].close()))
  await database?.close()
})

async function place(scope: Scope) {
  const group = hosts[scope].createGroup({ name: 'Acme' })
  const room = group.createRoom({ name: 'Den' })
  const installation = await hosts[scope].install(`${running.url}/${scope}/addon/capabilities`, { group, room })
  assert.equal(installation.state, 'installed', JSON.stringify(installation.result))
  return { installation, room }
}

const services = <T>(scope: Scope, work: (of: TenantServices) => Promise<T>): Promise<T> =>
  running.app.runAs(
    { dialect: 'hipchat', id: places[scope].installation.oauthId, addon: `com.example.${scope}` },
    context => work(running.built[scope].services(context)),
  )

const open = (at: Scope, query: string) => fetch(`${running.url}/${at}/note?${query}`)
const noteAt = async (at: Scope, token: string) => {
  const response = await open(at, `signed_request=${token}`)
  return { status: response.status, body: (await response.json()) as { note?: string; session: string } }
}

test('B1 addon: one oauthId is two tenants, each with its own store and token', async () => {
  assert.equal(places.one.installation.oauthId, places.two.installation.oauthId)
  assert.notEqual(places.one.installation.oauthSecret, places.two.installation.oauthSecret)
  for (const scope of SCOPES) {
    await places[scope].room.say(places[scope].room.owner, `note ${scope}s`)
    await eventually(() => heard.find(line => line === `${scope} ${scope}s`), 'the note')
    assert.equal(await services(scope, async ({ tenantStore }) => tenantStore.get('note')), `${scope} ${scope}s`)
    const { body } = await noteAt(scope, places[scope].installation.signRequest())
    assert.equal(body.note, `${scope} ${scope}s`)
  }
  assert.deepEqual(
    heard.filter(line => line.includes(' ones') || line.includes(' twos')),
    ['one ones', 'two twos'],
  )
  await services('two', ({ roomClient }) => roomClient?.sendNotification('from two') ?? assert.fail())
  assert.ok(!places.one.room.history.some(item => item.message === 'from two'))
  const rows = await database.admin('select distinct tenant_id from pw.identity where external_id = $1', [
    places.one.installation.oauthId,
  ])
  assert.equal(rows.length, 2)
})

test('a token, session or cursor of one add-on is refused by the other', async () => {
  for (const [own, other] of [SCOPES, SCOPES.toReversed()] as [Scope, Scope][]) {
    const token = places[own].installation.signRequest()
    assert.equal((await noteAt(other, token)).status, 401)
    const { status, body } = await noteAt(own, token)
    assert.equal(status, 200)
    assert.equal((await noteAt(own, body.session)).status, 200)
    assert.equal((await noteAt(other, body.session)).status, 401)
    const cursor = await services(own, async ({ tenantStore }) => {
      await Promise.all(['a', 'b', 'c'].map(key => tenantStore.set(key, own)))
      return (await tenantStore.list({ limit: 1 })).cursor ?? assert.fail('no cursor')
    })
    await services(own, async ({ tenantStore }) => tenantStore.list({ cursor, limit: 1 }))
    await rejection(
      services(other, async ({ tenantStore }) => tenantStore.list({ cursor, limit: 1 })),
      'ERR_CURSOR_INVALID',
    )
  }
  // The app's own routes are guarded for the add-on whose `authenticate` stands there.
  const guarded = (scope: Scope) =>
    fetch(`${running.url}/elsewhere?signed_request=${places[scope].installation.signRequest()}`)
  assert.deepEqual([(await guarded('one')).status, (await guarded('two')).status], [200, 401])
})

test('the scope is in every address an add-on publishes or registers (defect 14)', async () => {
  for (const scope of SCOPES) {
    const descriptor = await (await fetch(`${running.url}/${scope}/addon/capabilities`)).text()
    const addresses = [...descriptor.matchAll(/"(http[^"]+)"/g)].map(match => match[1] ?? '')
    assert.ok(addresses.length >= 5)
    assert.deepEqual(
      addresses.filter(address => !address.startsWith(`${running.url}/${scope}/`)),
      [],
    )
    await services(scope, ({ tenantWebhooks }) => tenantWebhooks.add('room_enter'))
    assert.equal(places[scope].room.webhooks.size, 1)
    for (const { url } of places[scope].room.webhooks.values()) {
      assert.ok(url.startsWith(`${running.url}/${scope}/addon/webhook?token=`), url)
    }
    await places[scope].room.enter(places[scope].room.owner)
    await eventually(() => heard.find(line => line.startsWith(`${scope} met `)), 'the entrance')
  }
  assert.equal(heard.filter(line => line.includes(' met ')).length, 2, 'each add-on hears of its own rooms')
  assert.equal((await fetch(`${running.url}/addon/capabilities`)).status, 401, 'nothing of ours without a scope')
})

test('a webhook of one add-on delivered to the address of the other is refused', async () => {
  const { installation, room } = places.one
  const item = { room: { id: room.id }, message: { message: 'note stray', from: 'Ada' } }
  const body = JSON.stringify({ event: 'room_message', oauth_client_id: installation.oauthId, webhook_id: 1, item })
  const deliver = (at: Scope) => {
    const headers = { 'content-type': 'application/json', authorization: `JWT ${installation.signRequest()}` }
    return fetch(`${running.url}/${at}/addon/webhook`, { method: 'POST', headers, body })
  }
  assert.equal((await deliver('two')).status, 401)
  assert.equal((await deliver('one')).status, 204)
  await eventually(() => heard.find(line => line === 'one stray'), 'the delivery')
  assert.ok(!heard.includes('two stray'))
})

test('B1 on: the end of one installation leaves its namesake as it was', async () => {
  assert.equal((await places.one.installation.uninstall()).status, 204)
  assert.equal((await noteAt('one', places.one.installation.signRequest())).status, 401)
  assert.equal((await noteAt('two', places.two.installation.signRequest())).body.note, 'two twos')
  await eventually(() => (lifecycle.length >= 4 ? true : undefined), 'both installations')
  assert.deepEqual(lifecycle.toSorted(), [
    `one installed ${hosts.one.url}`,
    `one uninstalled ${hosts.one.url}`,
    `two installed ${hosts.two.url}`,
    `two installed ${hosts.two.url}`,
  ])
})
