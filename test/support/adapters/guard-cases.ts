/** Routes of an author behind the guard of every framework: who is let in, what he gets, and whose context holds where. */

import assert from 'node:assert/strict'
import { Agent, request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { exchange, statusIn } from '../../e2e/http-raw.ts'
import {
  type AdapterCase,
  assertPrivate,
  assertRefused,
  bearer,
  below,
  jsonOf,
  PRIVATE,
  post,
  raw,
} from './case-tools.ts'
import type { AdapterTenant, AdapterWorld } from './world.ts'

export const guardCases: readonly AdapterCase[] = [
  {
    name: 'a guarded route has tenant, user and context of the token',
    async run(world) {
      for (const tenant of [world.ada, world.bob]) {
        const response = await world.ask('/own/whoami', tenant)
        assertPrivate(response)
        assert.equal(response.headers.get('jwt'), null)
        const expected = { tenant: tenant.id, user: String(tenant.user.id), bound: tenant.id }
        assert.deepEqual(await jsonOf(response), expected)
        assert.deepEqual(await jsonOf(world.ask('/own/timers', tenant)), expected)
      }
    },
  },
  {
    name: 'the author’s own parser reads bodies inside the context, and stores of two tenants are apart',
    async run(world) {
      for (const tenant of [world.ada, world.bob]) {
        const body = post(JSON.stringify({ text: `of ${tenant.id}` }))
        const written = await jsonOf(world.ask('/own/note', tenant, body))
        assert.deepEqual(written, { note: `of ${tenant.id}`, bound: tenant.id })
      }
      assert.equal((await jsonOf(world.ask('/own/noted', world.ada))).note, `of ${world.ada.id}`)
      assert.equal((await jsonOf(world.ask('/own/noted', world.bob))).note, `of ${world.bob.id}`)
    },
  },
  {
    name: 'a session token goes out in a header when the handler has asked for one, and lets its tenant in',
    async run(world) {
      const response = await world.ask('/own/token', world.ada)
      const token = response.headers.get('jwt') ?? ''
      assert.equal((await jsonOf(response)).token, token)
      const again = await jsonOf(world.ask('/own/whoami', undefined, { headers: { 'x-acpt': token } }))
      assert.equal(again.tenant, world.ada.id)
    },
  },
  {
    name: 'without a token, with two and with a broken one the answer is 401 and its code',
    async run(world) {
      const missing = await world.ask('/own/whoami')
      assert.equal(missing.headers.get('www-authenticate'), 'JWT')
      await assertRefused(missing, 401, 'ERR_TOKEN_MISSING')
      const broken = { headers: { authorization: 'JWT a.b' } }
      await assertRefused(world.ask('/own/whoami', undefined, broken), 401, 'ERR_TOKEN_MALFORMED')
      const query = `/own/whoami?signed_request=${world.bob.token()}`
      await assertRefused(world.ask(query, world.ada), 401, 'ERR_TOKEN_AMBIGUOUS')
      const forged = `${world.ada.token().split('.').slice(0, 2).join('.')}.${world.bob.token().split('.')[2]}`
      const headers = { authorization: `JWT ${forged}` }
      await assertRefused(world.ask('/own/whoami', undefined, { headers }), 401, 'ERR_TOKEN_SIGNATURE')
    },
  },
  {
    name: 'a header that comes twice carries two tokens, whichever way they are joined',
    async run(world) {
      for (const pair of [
        [bearer(world.ada), bearer(world.bob)],
        [bearer(world.ada), bearer(world.ada)],
        [`X-Acpt: ${world.ada.token()}`, `X-Acpt: ${world.bob.token()}`],
      ]) {
        const answer = await raw(world, 'GET', below('/own/whoami'), pair)
        assert.equal(statusIn(answer), 401, answer)
        assert.match(answer, /ERR_TOKEN_(?:AMBIGUOUS|MALFORMED)/)
      }
    },
  },
  {
    name: 'H 81: neither another method, nor headers that override, nor another spelling of the path passes the guard',
    async run(world) {
      const overrides = {
        'x-http-method-override': 'OPTIONS',
        'x-method-override': 'GET',
        'x-original-url': below('/open'),
        'x-rewrite-url': below('/open'),
        'x-forwarded-uri': below('/open'),
        'x-forwarded-prefix': '/open',
      }
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE']) {
        const { status } = await world.ask('/own/whoami', undefined, { method, headers: overrides })
        assert.ok([401, 404].includes(status), `${method} ${status}`)
      }
      for (const path of [
        '/own/%77hoami',
        '/OWN/whoami',
        '/own//whoami',
        '/own/./whoami',
        '/own/whoami/',
        '/open/../own/whoami',
        '/open/%2e%2e/own/whoami',
        '/own/whoami;a=b',
        '/own/whoami%00',
        '/own\\whoami',
        '/own/whoami#/open',
      ]) {
        const answer = await raw(world, 'GET', below(path))
        assert.ok([400, 401, 404].includes(statusIn(answer)), `${path}: ${answer}`)
      }
    },
  },
  {
    name: 'H 82: answers behind the guard are private, whatever the handler says; the user’s own browser may keep one',
    async run(world) {
      for (const name of ['public', 'stream', 'coded', 'sync', 'nothing', 'unknown']) {
        const response = await world.ask(`/own/${name}`, world.ada, { headers: { origin: 'https://evil.example' } })
        await response.text()
        assertPrivate(response)
      }
      const kept = await world.ask('/own/browser', world.ada)
      assert.equal(kept.headers.get('cache-control'), 'private, max-age=60')
      assert.equal(kept.headers.get('referrer-policy'), PRIVATE['referrer-policy'])
    },
  },
  {
    name: 'a page behind the guard may be framed by the host of its tenant alone, unless its author says otherwise',
    async run(world) {
      const policy = async (name: string) => {
        const response = await world.ask(`/own/${name}`, world.ada)
        await response.text()
        return response.headers.get('content-security-policy') ?? ''
      }
      assert.match(await policy('whoami'), /^frame-ancestors /)
      assert.equal(await policy('framed'), 'frame-ancestors https://partner.example')
    },
  },
  {
    name: 'HEAD of a guarded route carries the headers of an authenticated answer',
    async run(world) {
      const response = await world.ask('/own/noted', world.ada, { method: 'HEAD' })
      assertPrivate(response)
      assert.ok([200, 404].includes(response.status))
      assert.equal(await response.text(), '')
    },
  },
  {
    name: 'requests of two tenants that alternate on the same connections, and their streams, never mix',
    async run(world) {
      const agent = new Agent({ keepAlive: true, maxSockets: 3 })
      try {
        const work = Array.from({ length: 36 }, async (_, index) => {
          const tenant = index % 2 === 0 ? world.ada : world.bob
          const name = ['stream', 'timers', 'whoami'][index % 3] ?? ''
          return [name, tenant, await read(world, agent, `/own/${name}`, tenant)] as const
        })
        for (const [name, tenant, body] of await Promise.all(work)) {
          if (name === 'stream') assert.equal(body, `${tenant.id} ${tenant.id}\n`.repeat(5))
          else assert.deepEqual(JSON.parse(body), { tenant: tenant.id, user: String(tenant.user.id), bound: tenant.id })
        }
      } finally {
        agent.destroy()
      }
    },
  },
  {
    name: 'requests that come together on one connection are answered in order, each for its own tenant',
    async run(world) {
      const one = (tenant: AdapterTenant, end: string) =>
        `GET ${below('/own/whoami')} HTTP/1.1\r\nHost: x\r\n${bearer(tenant)}\r\nConnection: ${end}\r\n\r\n`
      const together = one(world.ada, 'keep-alive') + one(world.bob, 'keep-alive') + one(world.ada, 'close')
      const { text: answers } = await exchange(world.server.port, [together])
      const seen = [...answers.matchAll(/"tenant":"([^"]+)".*?"bound":"([^"]+)"/g)].map(([, ...ids]) => ids)
      assert.deepEqual(
        seen,
        [world.ada, world.bob, world.ada].map(({ id }) => [id, id]),
      )
    },
  },
]

/** By Node's client, so that connections are shared as the agent says. */
function read(world: AdapterWorld, agent: Agent, path: string, tenant: AdapterTenant): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `JWT ${tenant.token()}` }
    httpRequest(world.app.baseUrl + path, { agent, headers }, response => text(response).then(resolve, reject))
      .on('error', reject)
      .end()
  })
}
