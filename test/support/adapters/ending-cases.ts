/** How requests end behind the guard of every framework: errors, tenants that end, clients that go, an app that closes. */

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { isPartywallError, type RequestView } from 'partywall'
import { DEFAULT_FLOOD_SETTINGS } from '../../../src/http/flood-gate.ts'
import { exchange, statusIn } from '../../e2e/http-raw.ts'
import { eventually } from '../processes.ts'
import {
  type AdapterCase,
  assertPrivate,
  assertRefused,
  assertShowsNothing,
  bearer,
  below,
  jsonOf,
} from './case-tools.ts'
import { type AdapterWorld, IN_FLIGHT } from './world.ts'

export const endingCases: readonly AdapterCase[] = [
  {
    name: 'H 84, H 86: what a handler throws ends its request only, and its answer shows nothing',
    async run(world) {
      for (const [name, status] of Object.entries({ sync: 500, async: 500, nothing: 500, coded: 409 })) {
        const heard = world.logged.length
        const response = await world.ask(`/own/${name}`, world.ada)
        assertShowsNothing(await response.text())
        // Express takes a thrown `undefined` for no error: its next route is none.
        const isExpected = response.status === status || (name === 'nothing' && response.status === 404)
        assert.ok(isExpected, `${name}: ${response.status}`)
        assertPrivate(response)
        if (status === 500 && world.framework.isSilent) assert.equal(world.logged.length, heard + 1, name)
        assert.equal((await world.ask('/own/whoami', world.ada)).status, 200)
      }
    },
  },
  {
    name: 'H 84, H 86: a stream that fails after its first bytes breaks its own answer, without a word of why',
    async run(world) {
      const late = `GET ${below('/own/late')} HTTP/1.1\r\nHost: x\r\n${bearer(world.ada)}\r\n\r\n`
      const { text } = await exchange(world.server.port, [late])
      assertShowsNothing(text)
      assert.equal(statusIn(text), 200)
      assert.match(text, new RegExp(`${world.ada.id} ${world.ada.id}`))
      assert.ok(!text.endsWith('0\r\n\r\n'), 'the answer looks complete')
      assert.equal((await world.ask('/own/whoami', world.bob)).status, 200)
    },
  },
  {
    name: 'A 11: an installation that ends while its handler runs gets the refusal, not what the handler made',
    async run(world) {
      const tenant = await world.install('Fay')
      const answer = world.ask('/own/hold', tenant)
      await eventually('the handler runs', () => world.author.waiting === 1)
      await world.app.setEnabled({ dialect: 'hipchat', id: tenant.id }, false)
      world.author.open()
      await assertRefused(answer, 410, 'ERR_TENANT_REVOKED')
      await assertRefused(world.ask('/own/whoami', tenant), 401, 'ERR_TENANT_DISABLED')
    },
  },
  {
    name: 'H 78: a tenant has a limit of requests at once, and clients that went away do not use it up',
    async run(world) {
      const tenant = await world.install('Gil')
      const request = () => `GET ${below('/own/hold')} HTTP/1.1\r\nHost: x\r\n${bearer(tenant)}\r\n\r\n`
      const sockets = Array.from({ length: IN_FLIGHT }, () => connect(world.server.port, '127.0.0.1'))
      for (const socket of sockets) socket.on('error', () => undefined).write(request())
      await eventually('all of them run', () => world.author.waiting === IN_FLIGHT)
      const refused = await world.ask('/own/whoami', tenant)
      assert.ok(Number(refused.headers.get('retry-after')) >= 1)
      await assertRefused(refused, 429, 'ERR_RATE_LIMITED')
      assert.equal((await world.ask('/own/whoami', world.ada)).status, 200)
      for (const socket of sockets) socket.destroy()
      await eventually(
        'their contexts are released',
        async () => (await world.ask('/own/whoami', tenant)).status === 200,
      )
      world.author.open()
    },
  },
  {
    name: 'H 85: the guard itself stands behind the flood gate: who is refused over and over is told 429',
    async run(world) {
      const codes = new Set<string>()
      for (let count = 0; count <= DEFAULT_FLOOD_SETTINGS.refusedBurst + 100; count++)
        codes.add(await guardAlone(world))
      assert.deepEqual([...codes], ['ERR_TOKEN_MISSING', 'ERR_RATE_LIMITED'])
      assert.equal((await world.ask('/own/whoami', world.ada)).status, 200)
    },
  },
  {
    name: 'an app that closes answers 503, and lets the request that runs finish',
    run: closeWhileOneRuns,
  },
]

/** The last case: nothing works afterwards. */
async function closeWhileOneRuns(world: AdapterWorld): Promise<void> {
  const running = world.ask('/own/hold', world.ada)
  await eventually('the handler runs', () => world.author.waiting === 1)
  const closing = world.app.close(20_000)
  for (const path of ['/own/whoami', '/page', '/addon/capabilities']) {
    const response = await world.ask(path, world.ada)
    assert.ok(Number(response.headers.get('retry-after')) >= 1)
    await assertRefused(response, 503, 'ERR_SHUTTING_DOWN')
  }
  assert.equal(await guardAlone(world), 'ERR_SHUTTING_DOWN')
  world.author.open()
  assert.deepEqual(await jsonOf(running), { made: 'while it held' })
  await closing
}

/** The code with which the guard refuses a request without token, from an address of its own, asked without a framework. */
async function guardAlone(world: AdapterWorld): Promise<string> {
  const view: RequestView = {
    method: 'GET',
    target: '/own/whoami',
    remoteAddress: '203.0.113.9',
    header: () => undefined,
    headerNames: () => [],
    headerValues: () => [],
    body: async () => Buffer.alloc(0),
  }
  try {
    await world.addon.guard()(view)
    return 'let in'
  } catch (error) {
    return isPartywallError(error) ? error.code : String(error)
  }
}
