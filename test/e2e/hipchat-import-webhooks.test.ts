// Webhooks that tenants of the old add-on registered at run time.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Installation } from 'partywall/host'
import { type ImportWorld, onlyTenant, startImportWorld } from '../support/import-world.ts'
import { dumpOf } from '../support/old-addon.ts'

let world: ImportWorld
before(async () => {
  world = await startImportWorld()
})
after(() => world?.close())

test('webhooks of a tenant are remembered so that they can be removed, or registered anew in place of the old', async () => {
  const { record, room, installation } = await world.oldTenant('Webhooks')
  const first = await register(installation, { event: 'room_message', pattern: '(?i)^tea' })
  const other = await register(installation, { event: 'room_enter' })
  const names = ['a'.repeat(40), 'b'.repeat(40)]
  const dump = dumpOf(record, {
    [`webhook:${names[0]}`]: {
      name: names[0],
      event: 'room_message',
      pattern: '(?gi)^tea',
      url: 'http://old.example/?token=t',
      id: first,
    },
    [`webhook:${names[1]}`]: { name: names[1], event: 'room_enter', url: 'http://old.example/?token=t', id: other },
  })
  const report = await world.run(dump)
  assert.deepEqual(
    onlyTenant(report).webhooks.map(one => one.state),
    ['remembered', 'remembered'],
  )
  assert.ok(!JSON.stringify(report).includes('token=t'))
  assert.equal(await world.as(record, ({ tenantWebhooks }) => tenantWebhooks.remove(names[1] ?? '')), true)
  assert.deepEqual([...room.webhooks.keys()], [first])
  const second = await world.run(dump, { again: true, reregisterWebhooks: true })
  assert.deepEqual(
    onlyTenant(second).webhooks.map(one => one.state),
    ['registered', 'registered'],
  )
  assert.equal(room.webhooks.size, 2)
  assert.ok([...room.webhooks.values()].every(one => one.url.startsWith(`${world.running.url}/addon/webhook?`)))
  assert.equal(await world.as(record, ({ tenantWebhooks }) => tenantWebhooks.get(names[0] ?? '')), undefined)
  const third = await world.run(dump, { again: true, reregisterWebhooks: true })
  assert.deepEqual([onlyTenant(third).webhooks.length, room.webhooks.size], [2, 2])
  const stop = world.host.faults.inject({ at: 'rest', effect: { kind: 'status', status: 503 } })
  const failed = await world.run(dump, { again: true, reregisterWebhooks: true })
  stop()
  assert.deepEqual(
    onlyTenant(failed).webhooks.map(one => [one.state, one.code]),
    [
      ['refused', 'ERR_HOST_RESPONSE'],
      ['refused', 'ERR_HOST_RESPONSE'],
    ],
  )
})

/** Registers as the old add-on did. */
async function register(installation: Installation, webhook: object): Promise<number> {
  const { oauthId, oauthSecret, room } = installation
  const basic = Buffer.from(`${oauthId}:${oauthSecret}`).toString('base64')
  const asked = await fetch(`${world.host.url}/v2/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'admin_room' }),
  })
  const { access_token: token } = (await asked.json()) as { access_token: string }
  const made = await fetch(`${world.host.url}/v2/room/${room?.id}/webhook`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'old', url: 'http://old.example/addon/webhook?token=t', ...webhook }),
  })
  return ((await made.json()) as { id: number }).id
}
