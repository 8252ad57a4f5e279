// Webhooks that tenants register at run time, at a simulated host, over everything real.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HipchatApp, TenantServices } from 'partywall'
import {
  FAULTS,
  type HipchatHost,
  type HostGroup,
  type HostRoom,
  type Installation,
  startHipchatHost,
} from 'partywall/host'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { rejection } from '../support/errors.ts'
import { type RunningApp, startHipchatApp } from '../support/hipchat-app.ts'
import { eventually } from './hipchat-support.ts'

let database: TestDatabase
let host: HipchatHost
let running: RunningApp<HipchatApp>
const heard: { tenant: string; text: string | undefined; match: string | undefined; event: string }[] = []

before(async () => {
  database = await createTestDatabase()
  host = await startHipchatHost({ rateLimit: false })
  running = await startHipchatApp({ database, hosts: [host] }, app => {
    const addon = app.hipchat({ name: 'Hearsay', scopes: ['admin_room'] })
    addon.webhook('room_message', /^\/help$/, () => undefined, { name: 'help' })
    for (const event of ['room_message', 'room_enter'] as const) {
      addon.onWebhook(event, ({ tenant, content, match }) =>
        heard.push({ tenant: tenant.id, text: content, match: match?.[0], event }),
      )
    }
    return addon
  })
})
after(async () => {
  await running?.close()
  await host?.close()
  await database?.close()
})

interface Place {
  readonly group: HostGroup
  readonly room: HostRoom
  readonly installation: Installation
  webhooks<T>(work: (webhooks: TenantServices['tenantWebhooks']) => Promise<T>): Promise<T>
  heard(text: string): Promise<unknown>
}

async function place(name: string, where: 'room' | 'group' = 'room'): Promise<Place> {
  const group = host.createGroup({ name })
  const room = group.createRoom({ name: `${name} room` })
  const installation = await host.install(
    `${running.url}/addon/capabilities`,
    where === 'room' ? { group, room } : { group },
  )
  assert.equal(installation.state, 'installed', JSON.stringify(installation.result))
  const { oauthId: id } = installation
  return {
    group,
    room,
    installation,
    webhooks: work =>
      running.app.runAs({ dialect: 'hipchat', id }, context => work(running.built.services(context).tenantWebhooks)),
    heard: text => eventually(() => heard.find(one => one.tenant === id && one.text === text), text),
  }
}

test('B5 add: every documented way to name a webhook registers it, once, and it is heard', async () => {
  const { group, room, webhooks, heard: hears } = await place('Ways')
  const added = await webhooks(async ({ add }) => [
    await add('room_enter'),
    await add(room.id, 'room_enter'),
    await add({ event: 'room_enter' }),
    await add(room.id, { event: 'room_enter' }),
    await add('room_message', /^tea/gi),
    await add(room.id, 'room_message', '(?i)^tea'),
    await add({ event: 'room_message', pattern: /^tea/i }),
    await add(room.id, { event: 'room_message', pattern: '(?gi)^tea' }),
    await add(room.name, 'room_message', /^coffee/),
  ])
  assert.equal(new Set(added.map(one => one.name)).size, 3)
  assert.equal(room.webhooks.size, 3)
  assert.ok(
    [...room.webhooks.values()].every(
      one => one.authentication === 'jwt' && one.url.startsWith(`${running.url}/addon/webhook?`),
    ),
  )
  await room.say(group.owner, 'Tea please')
  await room.enter(group.owner)
  await hears('Tea please')
  assert.equal(heard.find(one => one.text === 'Tea please')?.match, 'Tea')
  await eventually(() => heard.find(one => one.event === 'room_enter'), 'the entrance')
})

test('of registrations at the same time one remains', async () => {
  const { room, webhooks } = await place('Racing')
  const added = await webhooks(({ add }) => Promise.all(Array.from({ length: 5 }, () => add('room_enter'))))
  assert.deepEqual(new Set(added.map(one => one.id)), new Set(room.webhooks.keys()))
  assert.equal(room.webhooks.size, 1)
})

test('B5 get, remove: get finds the tenant’s own webhook, else that of the add-on; remove takes it back at the host and forgets it', async () => {
  const { room, webhooks } = await place('Finding')
  const other = await place('Elsewhere')
  const added = await webhooks(({ add }) => add('room_message', /^tea/))
  assert.deepEqual(await webhooks(({ get }) => get(added.name)), added)
  assert.deepEqual(await webhooks(({ get }) => get(room.id, added.name)), added)
  assert.equal(await other.webhooks(({ get }) => get(added.name)), undefined, 'another tenant has it not')
  assert.deepEqual(await webhooks(({ get }) => get('help')), {
    name: 'help',
    event: 'room_message',
    pattern: '^\\/help$',
  })
  assert.equal(await webhooks(({ get }) => get('__proto__')), undefined)
  assert.equal(
    await webhooks(({ remove }) => remove('help')),
    false,
    'what the descriptor says is not the tenant’s to remove',
  )
  assert.equal(await other.webhooks(({ remove }) => remove(added.name)), false)
  assert.equal(room.webhooks.size, 1)
  assert.equal(await webhooks(({ remove }) => remove(room.id, added.name)), true)
  assert.equal(room.webhooks.size, 0)
  assert.equal(await webhooks(({ get }) => get(added.name)), undefined)
})

test('a group installation names the room; what is no webhook is refused before anything leaves', async () => {
  const { room, webhooks } = await place('Whole', 'group')
  const refused = (work: (of: TenantServices['tenantWebhooks']) => Promise<unknown>) =>
    rejection(webhooks(work), 'ERR_WEBHOOK_INVALID')
  await refused(({ add }) => add('room_enter'))
  await refused(({ add }) => add(room.id, 'room_exploded'))
  await refused(({ add }) => add(room.id, 'room_enter', /x/))
  await refused(({ add }) => add(room.id, undefined as never))
  await refused(({ add }) => add(room.id, { event: 'room_message', pattern: 5 as never }))
  await rejection(
    webhooks(({ add }) => add(room.id, 'room_message', /(?=a)/)),
    'ERR_PATTERN_UNSUPPORTED',
  )
  assert.equal(room.webhooks.size, 0)
  assert.equal((await webhooks(({ add }) => add(room.id, 'room_enter'))).room, room.id)
})

test('a registration that fails leaves nothing, here or at the host', async () => {
  const { room, installation, webhooks } = await place('Failing')
  const stop = host.faults.inject({
    at: 'rest',
    oauthId: installation.oauthId,
    effect: { kind: 'status', status: 503 },
  })
  await rejection(
    webhooks(({ add }) => add('room_enter')),
    'ERR_HOST_RESPONSE',
  )
  stop()
  host.faults.inject({
    at: 'rest',
    oauthId: installation.oauthId,
    times: 1,
    effect: { kind: 'status', status: 200 },
  })
  await rejection(
    webhooks(({ add }) => add('room_enter')),
    'ERR_HOST_RESPONSE',
  )
  host.faults.inject({ ...FAULTS.restUnauthorized, oauthId: installation.oauthId, times: 2 })
  await rejection(
    webhooks(({ add }) => add('room_enter')),
    'ERR_HOST_TOKEN_REFUSED',
  )
  const rows = await database.admin(
    `select 1 from pw.kv join pw.identity using (tenant_id) where space = 'webhook' and external_id = $1`,
    [installation.oauthId],
  )
  assert.equal(rows.length, 0)
  assert.equal((await webhooks(({ add }) => add('room_enter'))).room, room.id)
})

test('the token of a tenant’s webhooks outlives a new secret, and lies in the database only sealed', async () => {
  const { group, room, installation, webhooks, heard: hears } = await place('Token')
  await webhooks(({ add }) => add('room_message', /^tea/))
  const url = new URL([...room.webhooks.values()][0]?.url ?? '')
  const token = url.searchParams.get('token') ?? ''
  assert.ok(Buffer.from(token, 'base64url').length >= 16)
  await installation.update({ rotateSecret: true })
  await room.say(group.owner, 'tea after the update')
  await hears('tea after the update')
  const kv = await database.admin(`select count(*)::int as found from pw.kv where position($1 in value::text) > 0`, [
    token,
  ])
  const secrets = await database.admin(
    `select count(*)::int as found from pw.identity where position($1 in identity::text) > 0`,
    [token],
  )
  assert.deepEqual([kv[0]?.found, secrets[0]?.found], [0, 0])
  const deliver = async (query: string) => {
    const item = { room: { id: room.id }, message: { message: 'tea', from: 'Ada' } }
    const body = { event: 'room_message', oauth_client_id: installation.oauthId, webhook_id: 1, item }
    const headers = { 'content-type': 'application/json', authorization: `JWT ${installation.signRequest()}` }
    return (
      await fetch(`${running.url}/addon/webhook${query}`, { method: 'POST', headers, body: JSON.stringify(body) })
    ).status
  }
  assert.equal(await deliver(url.search), 204)
  assert.equal(await deliver(`?name=${url.searchParams.get('name')}`), 401, 'without the token')
  assert.equal(await deliver(`?name=${url.searchParams.get('name')}&token=guess`), 401)
})

test('after an uninstall a tenant’s webhooks are forgotten, so that they can be registered anew', async () => {
  const { room, installation, webhooks } = await place('Coming back')
  const before = await webhooks(({ add }) => add('room_enter'))
  await webhooks(({ add }) => add('room_message', /^tea/))
  assert.equal((await installation.uninstall()).status, 204)
  await installation.update()
  assert.equal(installation.result?.status, 204)
  assert.equal(await webhooks(({ get }) => get(before.name)), undefined)
  const again = await webhooks(({ add }) => add('room_enter'))
  assert.notEqual(again.id, before.id)
  assert.ok(room.webhooks.has(again.id))
})

test('a webhook that the host has lost is registered anew when it is added again', async () => {
  const { room, webhooks } = await place('Losing')
  const before = await webhooks(({ add }) => add('room_enter'))
  ;(room.webhooks as Map<number, unknown>).delete(before.id)
  const again = await webhooks(({ add }) => add('room_enter'))
  assert.notEqual(again.id, before.id)
  assert.equal(room.webhooks.size, 1)
  assert.deepEqual(await webhooks(({ get }) => get(before.name)), again)
})
