/** Outbound calls seen from the host: whose token arrives where, how often it is asked for, and what a bad host can cause. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Reply } from './fake-host.ts'
import { as, endScene, expectStatus, expectWorks, install, setScene, uninstall } from './support.ts'

const scene = setScene()
const FAILURES = [400, 401, 403, 404, 409, 429, 502, 503]

test('C 37: each tenant calls with its own token, at its own host alone', async () => {
  const tenants = [await install(scene), await install(scene), await install(scene, { host: scene.other })]
  const answers = await Promise.all([...tenants, ...tenants].map(tenant => as(scene, tenant, '/hipchat/outbound')))
  for (const [index, answer] of answers.entries()) {
    const tenant = tenants[index % 3]
    expectStatus(answer, [200])
    assert.deepEqual(answer.json, { client: tenant?.id, host: tenant?.host.authority })
  }
  for (const tenant of tenants) {
    assert.equal(
      tenant.client.presented.every(token => tenant.client.issued.includes(token)),
      true,
    )
  }
})

test("C 37: the same id never gets the token of another tenant's scopes, host or secret", async () => {
  const one = await install(scene, { id: 'a|b' })
  const two = await install(scene, { id: 'a' })
  const three = await install(scene, { id: 'a|b|c', host: scene.other })
  for (const tenant of [one, two, three]) {
    assert.equal((await as(scene, tenant, '/hipchat/outbound')).json?.client, tenant.id)
  }
})

test('C 38: 25 callers at once share one token request', async () => {
  const tenant = await install(scene)
  const before = tenant.client.tokenRequests
  const answers = await Promise.all(Array.from({ length: 25 }, () => as(scene, tenant, '/hipchat/outbound')))
  for (const answer of answers) expectStatus(answer, [200])
  assert.equal(
    tenant.client.tokenRequests - before <= 1,
    true,
    `${tenant.client.tokenRequests - before} token requests`,
  )
})

test('C 38: a token that the host refuses once is fetched anew once, and the call succeeds', async () => {
  const tenant = await install(scene)
  await as(scene, tenant, '/hipchat/outbound')
  const before = tenant.client.tokenRequests
  const probes = tenant.client.probeRequests
  tenant.client.probeReply = nth => (nth === probes + 1 ? { status: 401 } : undefined)
  expectStatus(await as(scene, tenant, '/hipchat/outbound'), [200])
  assert.equal(tenant.client.tokenRequests - before, 1)
  const [second, third] = tenant.client.presented.slice(-2)
  assert.notEqual(second, third)
})

test('C 38: a host that refuses every token is asked twice per call, not for ever', async () => {
  const tenant = await install(scene)
  tenant.client.probeReply = () => ({ status: 401 })
  const before = tenant.client.tokenRequests
  expectStatus(await as(scene, tenant, '/hipchat/outbound'), FAILURES)
  assert.equal(tenant.client.probeRequests <= 2, true, `${tenant.client.probeRequests} calls`)
  assert.equal(tenant.client.tokenRequests - before <= 2, true)
  tenant.client.probeReply = undefined
  expectStatus(await as(scene, tenant, '/hipchat/outbound'), [200])
})

describe('C 38: odd lifetimes', { concurrency: true }, () => {
  const lifetimes: Readonly<Record<string, unknown>> = {
    missing: undefined,
    null: null,
    zero: 0,
    negative: -3600,
    'one second': 1,
    'a fraction': 0.5,
    'a text': '3600',
    'a word': 'soon',
    'a list': [3600],
    'an object': { seconds: 5 },
    huge: 1e300,
    'the largest whole number': Number.MAX_SAFE_INTEGER,
  }
  for (const [name, value] of Object.entries(lifetimes)) {
    test(`C 38: expires_in ${name} neither loops nor breaks the call`, async () => {
      const tenant = await install(scene)
      tenant.client.tokenFields = { expires_in: value }
      const before = tenant.client.tokenRequests
      tenant.client.probeReply = nth => (nth === 1 ? { status: 401 } : undefined)
      for (let round = 0; round < 4; round += 1) {
        const answer = await as(scene, tenant, '/hipchat/outbound')
        expectStatus(answer, round === 0 ? [200, 502, 503] : [200, 503])
        assert.equal(answer.ms < 8000, true, `${answer.ms} ms`)
      }
      assert.equal(tenant.client.tokenRequests - before <= 6, true, `${tenant.client.tokenRequests - before} requests`)
    })
  }

  test('C 38: a lifetime of one second is not used for two', async () => {
    const tenant = await install(scene)
    tenant.client.tokenFields = { expires_in: 1 }
    tenant.client.probeReply = nth => (nth === 1 ? { status: 401 } : undefined)
    expectStatus(await as(scene, tenant, '/hipchat/outbound'), [200])
    const first = tenant.client.presented.at(-1)
    await new Promise(resolve => setTimeout(resolve, 2100))
    expectStatus(await as(scene, tenant, '/hipchat/outbound'), [200])
    assert.notEqual(tenant.client.presented.at(-1), first)
  })
})

describe('C 33: API answers that hurt', { concurrency: true }, () => {
  const replies: Readonly<Record<string, () => Reply>> = {
    'a redirect to an untrusted host': () => ({ status: 302, headers: { location: `${scene.trap.origin}/v2/probe` } }),
    'a permanent redirect to an untrusted host': () => ({
      status: 308,
      headers: { location: `${scene.trap.origin}/v2/probe` },
    }),
    'a redirect by two slashes': () => ({ status: 307, headers: { location: `//${scene.trap.authority}/v2/probe` } }),
    'a redirect with user info': () => ({
      status: 302,
      headers: { location: `http://${scene.host.authority}@${scene.trap.authority}/v2/probe` },
    }),
    'a redirect to a file': () => ({ status: 302, headers: { location: 'file:///etc/passwd' } }),
    'a flood': () => ({ mode: 'flood' }),
    'endless drops': () => ({ mode: 'drip' }),
    silence: () => ({ mode: 'hang' }),
    'a cut connection': () => ({ mode: 'cut' }),
    'no JSON': () => ({ body: '<html>' }),
    'a broken compression': () => ({ headers: { 'content-encoding': 'gzip' }, body: Buffer.alloc(100, 1) }),
    '500 with a trace': () => ({ status: 500, body: 'Error\n    at Object.<anonymous> (/srv/app/x.ts:1:1)' }),
    '429 until next year': () => ({
      status: 429,
      headers: { 'x-ratelimit-reset': '1900000000', 'retry-after': '31536000' },
    }),
    '429 with nonsense': () => ({ status: 429, headers: { 'x-ratelimit-reset': 'soon', 'retry-after': '-5' } }),
    '403': () => ({ status: 403 }),
    '100 kB of headers': () => ({ headers: { 'x-filler': 'x'.repeat(100_000) } }),
  }
  for (const [name, reply] of Object.entries(replies)) {
    test(`C 33: ${name} ends that call alone, in bounded time`, async () => {
      const tenant = await install(scene)
      tenant.client.probeReply = reply
      const answer = await as(scene, tenant, '/hipchat/outbound', { timeoutMs: 60_000 })
      assert.equal(answer.status === 200 && answer.json?.client !== undefined, false)
      expectStatus(answer, [200, ...FAILURES])
      assert.equal(answer.ms < 25_000, true, `${answer.ms} ms`)
      tenant.client.probeReply = undefined
      await expectWorks(scene, tenant)
      assert.equal(scene.trap.connections, 0)
    })
  }
})

test('C 33: a redirect to the other trusted host does not carry the token there', async () => {
  const tenant = await install(scene)
  const asked = scene.other.asked.length
  tenant.client.probeReply = () => ({ status: 307, headers: { location: `${scene.other.origin}/v2/probe` } })
  expectStatus(await as(scene, tenant, '/hipchat/outbound'), [200, ...FAILURES])
  const leaked = scene.other.asked.slice(asked).filter(entry => entry.headers.authorization !== undefined)
  assert.deepEqual(leaked, [])
})

describe('C 38: token endpoints that fail later', { concurrency: true }, () => {
  const replies: Readonly<Record<string, Reply>> = {
    'answers 500': { status: 500 },
    'answers 401': { status: 401 },
    'answers 429': { status: 429, headers: { 'x-ratelimit-reset': '1900000000' } },
    'cuts the connection': { mode: 'cut' },
    'never answers': { mode: 'hang' },
    'redirects away': { status: 302, headers: { location: '/elsewhere' } },
    'answers nonsense': { body: [] },
  }
  for (const [name, reply] of Object.entries(replies)) {
    test(`C 38: when the token endpoint ${name}, calls fail, requests go on, and recovery needs no restart`, async () => {
      const tenant = await install(scene)
      tenant.client.probeReply = nth => (nth <= 1 ? { status: 401 } : undefined)
      tenant.client.tokenReply = reply
      const answer = await as(scene, tenant, '/hipchat/outbound', { timeoutMs: 60_000 })
      expectStatus(answer, FAILURES)
      await expectWorks(scene, tenant)
      tenant.client.tokenReply = undefined
      let recovered = 0
      for (let round = 0; round < 100 && recovered !== 200; round += 1) {
        recovered = (await as(scene, tenant, '/hipchat/outbound')).status
        if (recovered !== 200) await new Promise(resolve => setTimeout(resolve, 100))
      }
      assert.equal(recovered, 200)
    })
  }
})

test('C 33: the secret goes to the token endpoint alone, and no token into an address', async () => {
  const tenant = await install(scene)
  await as(scene, tenant, '/hipchat/outbound')
  for (const host of [scene.host, scene.other]) {
    const secrets = [...host.clients.values()]
      .flatMap(client => [...client.secrets])
      .filter(secret => secret.length >= 16)
    const pairs = new Set(
      [...host.clients].flatMap(([id, client]) => [...client.secrets].map(secret => pairOf(id, secret))),
    )
    for (const entry of host.asked) {
      assert.equal(
        secrets.some(secret => entry.path.includes(secret) || entry.body.includes(secret)),
        false,
        entry.path,
      )
      const basic = (entry.headers.authorization ?? '').replace(/^Basic /, '')
      if (pairs.has(basic)) assert.equal(entry.path, '/v2/oauth/token')
    }
  }
})

test('A 11, C 38: a tenant that was removed makes no further call', async () => {
  const tenant = await install(scene)
  await as(scene, tenant, '/hipchat/outbound')
  await uninstall(scene, tenant)
  const [probes, tokens] = [tenant.client.probeRequests, tenant.client.tokenRequests]
  for (let round = 0; round < 3; round += 1) await as(scene, tenant, '/hipchat/outbound')
  assert.deepEqual([tenant.client.probeRequests, tenant.client.tokenRequests], [probes, tokens])
})

const pairOf = (id: string, secret: string): string => Buffer.from(`${id}:${secret}`).toString('base64')

endScene(scene)
