/** Deliveries and their handlers, add-ons with a scope, lifecycle listeners: defects 5, 13 to 15, 24 to 26. */

import assert from 'node:assert/strict'
import { sign } from '../../e2e/attack/forge.ts'
import { eventually } from '../../support/processes.ts'
import type { DefectCase } from '../case.ts'
import { call, eventsOf, install, perform, settle, type Tenant, whoami } from '../target.ts'
import { webhookPath } from './webhook-tools.ts'

export const WEBHOOK_CASES: readonly DefectCase[] = [
  {
    defect: 5,
    name: 'a delivery without the host’s signature runs no handler',
    async run(target) {
      const tenant = await install(target)
      const body = messageOf(tenant, { message: '/note forged', from: { id: 1, name: 'Ada' } })
      const { status } = await tenant.addon.send(webhookPath(tenant, 'note'), { method: 'POST', body })
      await settle(tenant)
      const forged = (await eventsOf(tenant)).some(({ text }) => text === '/note forged')
      assert.ok(!forged, `it answers ${status} and runs the handler`)
    },
  },
  {
    defect: 5,
    name: 'the descriptor asks the host to sign deliveries',
    async run(target) {
      const { installation } = await install(target)
      assert.ok(
        installation.webhooks.every(({ authentication }) => authentication === 'jwt'),
        'no webhook asks for a signature',
      )
    },
  },
  {
    defect: 13,
    name: 'a webhook handler that throws ends its own delivery and nothing else',
    async run(target) {
      const tenant = await install(target)
      await tenant.room.say(tenant.user, '/boom')
      await eventually('the process has ended, or not', () => !tenant.addon.isAlive, 1_000).catch(() => undefined)
      assert.ok(tenant.addon.isAlive, 'the process has ended')
      assert.equal((await whoami(tenant)).status, 200)
    },
  },
  {
    defect: 14,
    name: 'a scoped add-on gets its webhooks at its own address',
    async run(target) {
      const tenant = await install(target, { path: '/two' })
      const { deliveries } = await tenant.room.say(tenant.user, '/two')
      const [status] = deliveries.flatMap(({ attempts }) => attempts.map(attempt => attempt.status))
      assert.ok(deliveries[0]?.status === 'delivered', `the delivery is answered ${status}`)
      await eventually('the handler runs', async () => (await eventsOf(tenant)).some(({ name }) => name === 'two'))
    },
  },
  {
    defect: 14,
    name: 'a scoped add-on registers webhooks at run time for its own address',
    async run(target) {
      const tenant = await install(target, { path: '/two' })
      await call(tenant, 'tenantWebhooks', 'add', ['room_enter'], { path: '/two' })
      const [webhook] = [...tenant.room.webhooks.values()]
      assert.equal(webhook && new URL(webhook.url).pathname, '/two/addon/webhook')
    },
  },
  {
    defect: 15,
    name: 'one message that matches two patterns runs each handler once, again and again',
    async run(target) {
      const tenant = await install(target)
      for (let times = 0; times < 2; times++) await tenant.room.say(tenant.user, 'hello world')
      await settle(tenant)
      const countOf = async (name: string) => (await eventsOf(tenant)).filter(event => event.name === name).length
      const isComplete = async () => (await countOf('hello')) >= 2 && (await countOf('world')) >= 2
      await eventually('both handlers run', isComplete, 2_000).catch(() => undefined)
      const counts = `${await countOf('hello')} and ${await countOf('world')}`
      assert.equal(counts, '2 and 2', `two messages ran the two handlers ${counts} times`)
    },
  },
  {
    defect: 15,
    name: 'a pattern with the flag `g` is published as one the host understands',
    async run(target) {
      const addon = await target.start({ WITH: 'global' })
      const said = await install(target, { addon }).then(
        () => 'installed',
        (error: Error) => error.message,
      )
      assert.equal(said, 'installed', `the host refuses the descriptor: ${said}`)
    },
  },
  {
    defect: 24,
    name: 'a delivery without a message is the sender’s fault',
    async run(target) {
      const tenant = await install(target)
      const { oauthId, oauthSecret } = tenant.installation
      const { status } = await tenant.addon.send(webhookPath(tenant, 'note'), {
        method: 'POST',
        headers: { authorization: `JWT ${await sign(oauthId, oauthSecret)}` },
        body: messageOf(tenant, undefined),
      })
      assert.equal(status, 400, `answers ${status}`)
    },
  },
  {
    defect: 25,
    name: 'an uninstall handler can still read the data',
    async run(target) {
      const tenant = await install(target)
      await call(tenant, 'tenantStore', 'set', ['note', 'kept'])
      await tenant.installation.uninstall()
      const gone = async () => (await eventsOf(tenant)).find(({ name }) => name === 'uninstalled')
      await eventually('the handler runs', async () => (await gone()) !== undefined)
      assert.equal((await gone())?.text, 'kept', 'the data is gone before the handler runs')
    },
  },
  {
    defect: 25,
    name: 'authenticated routes have the client of their room',
    async run(target) {
      const { json } = await whoami(await install(target))
      assert.ok((json as { hasRoomClient: boolean }).hasRoomClient, 'there is no roomClient')
    },
  },
  {
    defect: 25,
    name: 'what a handler returns can be the reply',
    async run(target) {
      const tenant = await install(target)
      const { deliveries } = await tenant.room.say(tenant.user, '/ask')
      assert.equal(deliveries[0]?.reply, 'posted', 'no reply is posted')
    },
  },
  {
    defect: 26,
    name: 'an add-on may listen to all ten events',
    async run(target) {
      const started = await target.start({ WITH: 'events' }).then(
        () => 'started',
        (error: Error) => /Unrecognized webhook event: \w+/.exec(error.message)?.[0] ?? `ended: ${error.message}`,
      )
      assert.equal(started, 'started', started)
    },
  },
  {
    defect: 26,
    name: 'all flags of a pattern count',
    async run(target) {
      const tenant = await install(target)
      const { error } = await perform(tenant, 'shout')
      assert.equal(error, undefined)
      await tenant.room.say(tenant.user, '/SHOUT')
      const hears = async () => (await eventsOf(tenant)).some(({ name }) => name === 'shout')
      await settle(tenant)
      await eventually('it is heard', hears, 2_000).catch(() => undefined)
      assert.ok(await hears(), '`im` became `m`: the message does not match')
    },
  },
]

const messageOf = ({ installation }: Tenant, message: object | undefined) => ({
  event: 'room_message',
  oauth_client_id: installation.oauthId,
  webhook_id: 1,
  item: { room: { id: installation.room?.id, name: 'Lobby' }, ...(message === undefined ? {} : { message }) },
})
