/** What every adapter does for a Connect app, run over a listening server of its framework: in this order, the last one ends a tenant. */

import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { exchange, statusIn } from '../../e2e/http-raw.ts'
import { eventually } from '../processes.ts'
import { assertPrivate, assertRefused, assertShowsNothing, below, jsonOf, PRIVATE, post } from './case-tools.ts'
import type { ConnectAdapterWorld, ConnectTenant } from './connect-world.ts'

export interface ConnectAdapterCase {
  readonly name: string
  run(world: ConnectAdapterWorld): Promise<void>
}

const bearing = (token: string) => ({ headers: { authorization: `JWT ${token}` } })
const both = ({ ada, bob }: ConnectAdapterWorld): readonly ConnectTenant[] => [ada, bob]

export const connectAdapterCases: readonly ConnectAdapterCase[] = [
  {
    name: 'the app’s own routes are answered: descriptor, page, API, lifecycle, webhook',
    async run({ app, ada, bob, host }) {
      const descriptor = await jsonOf(fetch(`${app.baseUrl}/atlassian-connect.json`))
      assert.equal(descriptor.baseUrl, app.baseUrl)
      for (const tenant of [ada, bob]) {
        const page = await tenant.installation.openPage('page', { user: tenant.user })
        assert.deepEqual([page.status, JSON.parse(page.body).tenant], [200, tenant.id])
        const api = await jsonOf(fetch(`${app.baseUrl}/api`, bearing(tenant.contextToken())))
        assert.deepEqual(api, { tenant: tenant.id, user: tenant.user.accountId })
      }
      const [delivery] = await host.fire(ada.installation.product, 'jira:issue_created', { payload: { issue: {} } })
      assert.equal(delivery?.status, 'delivered')
      const created = async (tenant: ConnectTenant) =>
        (await jsonOf(fetch(`${app.baseUrl}/created`, bearing(tenant.contextToken())))).created
      await eventually('the delivery is worked off', async () => (await created(ada)) === 1)
      assert.equal(await created(bob), 0)
    },
  },
  {
    name: 'a guarded route has tenant, user and context of the token, and the headers of a page',
    async run(world) {
      for (const tenant of both(world)) {
        const response = await world.ask('/own/whoami', tenant)
        assertPrivate(response)
        assert.equal(response.headers.get('x-acpt'), null)
        const origin = new URL(tenant.installation.baseUrl).origin
        assert.equal(response.headers.get('content-security-policy'), `frame-ancestors ${origin}`)
        const expected = { tenant: tenant.id, user: tenant.user.accountId, bound: tenant.id }
        assert.deepEqual(await jsonOf(response), expected)
        assert.deepEqual(await jsonOf(world.ask('/own/timers', tenant)), expected)
      }
      const framed = await world.ask('/own/framed', world.ada)
      assert.equal(framed.headers.get('content-security-policy'), 'frame-ancestors https://partner.example')
    },
  },
  {
    name: 'the author’s own parser reads bodies inside the context, and stores of two tenants are apart',
    async run(world) {
      for (const tenant of both(world)) {
        const body = post(JSON.stringify({ text: `of ${tenant.id}` }))
        const written = await jsonOf(world.ask('/own/note', tenant, body))
        assert.deepEqual(written, { note: `of ${tenant.id}`, bound: tenant.id })
      }
      for (const tenant of both(world))
        assert.equal((await jsonOf(world.ask('/own/noted', tenant))).note, `of ${tenant.id}`)
    },
  },
  {
    name: 'a session token goes out when the handler has asked for one, and opens the API, not the page',
    async run(world) {
      const response = await world.ask('/own/token', world.ada)
      const token = response.headers.get('x-acpt') ?? ''
      assert.equal((await jsonOf(response)).token, token)
      const api = await jsonOf(fetch(`${world.app.baseUrl}/api`, { headers: { 'x-acpt': token } }))
      assert.equal(api.tenant, world.ada.id)
      await assertRefused(fetch(`${world.app.baseUrl}/own/whoami`, bearing(token)), 401, 'ERR_TOKEN_TYPE')
    },
  },
  {
    name: 'the hash covers the address as it arrived: names in brackets, other alphabets, repeats, every escape',
    async run(world) {
      for (const query of [
        'a[b]=1',
        'a%5Bb%5D=1',
        'x[]=2&x[]=1',
        'z=1&%C3%A9=2',
        'q=a+b&q=a%20b',
        'e=%2f%2F',
        'v',
        'v=',
        '&&v=1',
        'p=%7e~',
      ]) {
        const path = `/own/whoami?${query}`
        const token = world.ada.token('GET', path)
        const answer = (await exchange(world.server.port, [head('GET', below(path), token)])).text
        assert.equal(statusIn(answer), 200, `${query}: ${answer}`)
      }
    },
  },
  {
    name: 'a token for another path, query or method is refused, also where the framework rewrites addresses',
    async run(world) {
      const token = world.ada.token('GET', '/own/whoami')
      for (const path of ['/own/timers', '/own/whoami?x=1', '/own/whoami?x'])
        await assertRefused(fetch(world.app.baseUrl + path, bearing(token)), 401, 'ERR_QSH_MISMATCH')
      const note = { ...post('{"text":"x"}', { authorization: `JWT ${world.ada.token('GET', '/own/note')}` }) }
      await assertRefused(fetch(`${world.app.baseUrl}/own/note`, note), 401, 'ERR_QSH_MISMATCH')
      // The hash leaves the base path out once; a second one is part of the address.
      const twice = `${world.app.baseUrl}${below('/own/whoami')}`
      const answered = await fetch(twice, bearing(token))
      assert.notEqual(answered.status, 200)
    },
  },
  {
    name: 'no token, two, a broken one, a context token and another tenant’s signature are 401 and their code',
    async run(world) {
      const url = `${world.app.baseUrl}/own/whoami`
      const good = world.ada.token('GET', '/own/whoami')
      await assertRefused(fetch(url), 401, 'ERR_TOKEN_MISSING')
      await assertRefused(fetch(url, bearing('a.b')), 401, 'ERR_TOKEN_MALFORMED')
      await assertRefused(fetch(url, { headers: { authorization: `jwt ${good}` } }), 401, 'ERR_TOKEN_MISSING')
      await assertRefused(fetch(`${url}?jwt=${good}`, bearing(good)), 401, 'ERR_TOKEN_AMBIGUOUS')
      await assertRefused(fetch(url, bearing(world.ada.contextToken())), 401, 'ERR_QSH_MISMATCH')
      const forged = `${good.split('.').slice(0, 2).join('.')}.${world.bob.token('GET', '/own/whoami').split('.')[2]}`
      await assertRefused(fetch(url, bearing(forged)), 401, 'ERR_TOKEN_SIGNATURE')
      const inQuery = await jsonOf(fetch(`${url}?jwt=${good}`))
      assert.equal(inQuery.tenant, world.ada.id)
    },
  },
  {
    name: 'requests of two tenants at once never mix',
    async run(world) {
      const answers = await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          const tenant = both(world)[index % 2] ?? world.ada
          const { tenant: seen, bound } = await jsonOf(world.ask('/own/timers', tenant))
          return seen === tenant.id && bound === tenant.id
        }),
      )
      assert.ok(answers.every(Boolean))
    },
  },
  {
    name: 'streams are filled inside the context, and errors show nothing',
    async run(world) {
      const streamed = await (await world.ask('/own/stream', world.bob)).text()
      for (const line of streamed.trim().split('\n')) assert.equal(line, `${world.bob.id} ${world.bob.id}`)
      for (const name of ['sync', 'async', 'coded']) {
        const response = await world.ask(`/own/${name}`, world.ada)
        assert.ok(response.status >= 400, name)
        assert.equal(response.headers.get('cache-control'), PRIVATE['cache-control'])
        assertShowsNothing(await response.text())
      }
    },
  },
  {
    name: 'an answer that was made for an installation that ended meanwhile does not go out, and nothing of it is let in again',
    async run(world) {
      const carl = await world.install(`carl-${world.framework.name.toLowerCase().replaceAll(/[^a-z]/g, '')}`)
      const held = world.ask('/own/hold', carl)
      await eventually('the request waits', () => world.author.waiting === 1)
      await carl.installation.uninstall()
      world.author.open()
      await assertRefused(held, 410, 'ERR_TENANT_REVOKED')
      await assertRefused(world.ask('/own/whoami', carl), 401, 'ERR_TOKEN_SIGNATURE')
      // Times of tokens are whole seconds: the first install's very token, with another secret, would be a replay.
      await delay(1_100)
      await carl.installation.reinstall()
      assert.equal((await jsonOf(world.ask('/own/whoami', carl))).tenant, carl.id)
    },
  },
]

const head = (method: string, target: string, token: string): string =>
  `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: JWT ${token}\r\n\r\n`
