/** Attacks through webhooks: forged, replayed, in another tenant's name, malformed, and made to burn time. */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Answer, Call } from './client.ts'
import { type Claims, claimsOf, compactJson, sign } from './forge.ts'
import {
  as,
  endScene,
  eventually,
  expectStatus,
  expectWorks,
  install,
  isOk,
  newSecret,
  setScene,
  type Tenant,
  tokenOf,
  withToken,
} from './support.ts'

const scene = setScene()

const message = (text: string) => ({
  room: { id: 7, name: 'r' },
  message: {
    id: randomUUID(),
    date: '2018-01-01T00:00:00.000000+00:00',
    from: { id: 42, name: 'U', mention_name: 'u' },
    mentions: [],
    message: text,
    type: 'message',
  },
})

const bodyFor = (id: unknown, text = '/hello', changes: Readonly<Record<string, unknown>> = {}) => ({
  event: 'room_message',
  oauth_client_id: id,
  webhook_id: 17,
  item: message(text),
  ...changes,
})

const deliver = async (tenant: Tenant, body: unknown, claims: Claims = {}, call: Call = {}): Promise<Answer> =>
  withToken(scene, await tokenOf(scene, tenant, claims), '/hipchat/webhook', { method: 'POST', body, ...call })

async function count(tenant: Tenant): Promise<number> {
  const answer = await as(scene, tenant, '/hipchat/events')
  expectStatus(answer, [200])
  return Number(answer.json?.count)
}

test('D 40, D 41: a true delivery is 2xx and counted once, for its tenant alone', async () => {
  const tenant = await install(scene)
  const neighbour = await install(scene)
  assert.equal(await count(tenant), 0)
  assert.equal(isOk(await deliver(tenant, bodyFor(tenant.id))), true)
  assert.equal(await count(tenant), 1)
  assert.equal(await count(neighbour), 0)
})

test('D 40: the token may come as signed_request', async () => {
  const tenant = await install(scene)
  const token = await tokenOf(scene, tenant)
  const answer = await scene.http.send(`/hipchat/webhook?signed_request=${token}`, {
    method: 'POST',
    body: bodyFor(tenant.id),
  })
  assert.equal(isOk(answer), true, answer.text)
  assert.equal(await count(tenant), 1)
})

describe('D 40: forged deliveries', () => {
  const forgeries: Readonly<Record<string, (tenant: Tenant, neighbour: Tenant) => Promise<Answer>>> = {
    'no token': tenant => post(bodyFor(tenant.id)),
    'a wrong signature': async tenant => post(bodyFor(tenant.id), await sign(tenant.id, newSecret())),
    'alg none': async tenant => post(bodyFor(tenant.id), compactJson({ alg: 'none' }, claimsOf(tenant.id), '')),
    'an old token': async tenant => post(bodyFor(tenant.id), await sign(tenant.id, tenant.secret, { iat: 1, exp: 2 })),
    "the neighbour's token over this tenant's body": (tenant, neighbour) => deliver(neighbour, bodyFor(tenant.id)),
    "the tenant's token over the neighbour's body": (tenant, neighbour) => deliver(tenant, bodyFor(neighbour.id)),
    "the neighbour's secret in the tenant's name": async (tenant, neighbour) =>
      post(bodyFor(tenant.id), await sign(tenant.id, neighbour.secret)),
    'no tenant in the body': tenant => deliver(tenant, bodyFor(undefined)),
    'a tenant that is a list': tenant => deliver(tenant, bodyFor([tenant.id])),
    'a tenant that is an object': tenant => deliver(tenant, bodyFor({ id: tenant.id })),
    'a tenant in other letters': tenant => deliver(tenant, bodyFor(tenant.id.toUpperCase())),
    'two tenants in the body, the own one last': (tenant, neighbour) =>
      deliverText(
        tenant,
        JSON.stringify(bodyFor(tenant.id)).replace('{', `{"oauth_client_id":"${neighbour.id}","event":"x",`),
      ),
    'the tenant in a prototype': tenant => deliverText(tenant, `{"__proto__":${JSON.stringify(bodyFor(tenant.id))}}`),
    'an event that is a number': tenant => deliver(tenant, bodyFor(tenant.id, '/hello', { event: 5 })),
    'an event named __proto__': tenant => deliver(tenant, bodyFor(tenant.id, '/hello', { event: '__proto__' })),
    'a webhook id that is a text': tenant => deliver(tenant, bodyFor(tenant.id, '/hello', { webhook_id: '17' })),
    'no item': tenant => deliver(tenant, bodyFor(tenant.id, '/hello', { item: undefined })),
    'an item that is null': tenant => deliver(tenant, bodyFor(tenant.id, '/hello', { item: null })),
    'a list as body': tenant => deliver(tenant, []),
    'half a body': tenant => deliverText(tenant, JSON.stringify(bodyFor(tenant.id)).slice(0, -1)),
    'a body that is no UTF-8': tenant =>
      deliverText(tenant, Buffer.concat([Buffer.from('{"event":"'), Buffer.from([0xff]), Buffer.from('"}')])),
    'text/plain': tenant => deliverText(tenant, JSON.stringify(bodyFor(tenant.id)), 'text/plain'),
  }
  for (const [name, attempt] of Object.entries(forgeries)) {
    test(`D 40: a delivery with ${name} counts for nobody but, at most, the tenant that signed it`, async () => {
      const tenant = await install(scene)
      const neighbour = await install(scene)
      const answer = await attempt(tenant, neighbour)
      const isRepeated = name.startsWith('two tenants')
      assert.equal(
        (answer.status >= 400 && answer.status < 500) || (isRepeated && isOk(answer)),
        true,
        `${answer.status} ${answer.text}`,
      )
      assert.equal(await count(tenant), isOk(answer) ? 1 : 0)
      assert.equal(await count(neighbour), 0)
    })
  }
})

test('D 41: the same delivery ten times in a row is 2xx and counted once', async () => {
  const tenant = await install(scene)
  const body = bodyFor(tenant.id)
  const token = await tokenOf(scene, tenant)
  for (let round = 0; round < 10; round += 1) assert.equal(isOk(await post(body, token)), true)
  assert.equal(await count(tenant), 1)
})

test('D 41: the same delivery twenty times at once is counted once', async () => {
  const tenant = await install(scene)
  const body = bodyFor(tenant.id)
  const token = await tokenOf(scene, tenant)
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(body, token)))
  for (const answer of answers) assert.equal(isOk(answer), true, answer.text)
  assert.equal(await count(tenant), 1)
})

test('D 41: a captured token does not carry a second, different body', async () => {
  const tenant = await install(scene)
  const token = await tokenOf(scene, tenant)
  await post(bodyFor(tenant.id), token)
  await post(bodyFor(tenant.id, '/hello aaa'), token)
  assert.equal(await count(tenant), 1)
})

test('D 41: a retry with a new token of the same jti is the same delivery', async () => {
  const tenant = await install(scene)
  const body = bodyFor(tenant.id)
  const jti = randomUUID()
  await deliver(tenant, body, { jti, exp: Math.floor(Date.now() / 1000) + 100 })
  assert.equal(isOk(await deliver(tenant, body, { jti, exp: Math.floor(Date.now() / 1000) + 200 })), true)
  assert.equal(await count(tenant), 1)
})

test('D 41: the same jti of two tenants is two deliveries', async () => {
  const tenant = await install(scene)
  const neighbour = await install(scene)
  const jti = randomUUID()
  await deliver(tenant, bodyFor(tenant.id), { jti })
  await deliver(neighbour, bodyFor(neighbour.id), { jti })
  assert.deepEqual([await count(tenant), await count(neighbour)], [1, 1])
})

test('D 41: jti of a wrong type or of 4 kB neither crash nor are counted twice', async () => {
  const tenant = await install(scene)
  for (const jti of [5, null, { a: 1 }, ['a'], '', 'x'.repeat(4000), '__proto__', 'a\u0000b', '\ud800']) {
    const body = bodyFor(tenant.id)
    const token = await tokenOf(scene, tenant, { jti })
    const before = await count(tenant)
    const answers = [await post(body, token), await post(body, token)]
    for (const answer of answers)
      assert.equal(isOk(answer) || (answer.status >= 400 && answer.status < 500), true, answer.text)
    assert.equal((await count(tenant)) - before <= 1, true, JSON.stringify(jti).slice(0, 40))
  }
})

test('D 41: 60 deliveries of three tenants, each sent three times at once, are counted exactly', async () => {
  const tenants = [await install(scene), await install(scene), await install(scene)]
  const sends = tenants.flatMap(tenant =>
    Array.from({ length: 20 }, async (_, index) => {
      const body = bodyFor(tenant.id, index % 2 === 0 ? '/hello' : '/hello aaa')
      const token = await tokenOf(scene, tenant)
      return Promise.all([post(body, token), post(body, token), post(body, token)])
    }),
  )
  const answers = (await Promise.all(sends)).flat()
  assert.deepEqual(
    answers.filter(answer => !isOk(answer)).map(answer => answer.text),
    [],
  )
  for (const tenant of tenants) await eventually('20 deliveries are processed', async () => (await count(tenant)) >= 20)
  for (const tenant of tenants) assert.equal(await count(tenant), 20)
})

test('D 42, D 43: a message made to burn time is acknowledged within 3 s and stalls nobody', async () => {
  const tenant = await install(scene)
  const neighbour = await install(scene)
  const evil = `/hello ${'a'.repeat(20_000)}!`
  const quiet = await slowest(neighbour, 20)
  const attacks = Array.from({ length: 10 }, () => deliver(tenant, bodyFor(tenant.id, evil)))
  const busy = await slowest(neighbour, 20)
  for (const answer of await Promise.all(attacks)) {
    assert.equal(answer.ms < 3000, true, `${answer.ms} ms`)
    assert.equal(isOk(answer) || answer.status < 500, true)
  }
  assert.equal(busy < Math.max(2000, quiet * 10), true, `quiet ${quiet} ms, busy ${busy} ms`)
  assert.equal(isOk(await deliver(tenant, bodyFor(tenant.id))), true)
  await expectWorks(scene, neighbour)
})

test('D 43: messages full of odd characters do no harm', async () => {
  const tenant = await install(scene)
  for (const text of [
    '',
    '/hello \u0000',
    '/hello \ud800',
    '\u202e/hello',
    '/hello\n/hello',
    '💥'.repeat(2000),
    "$&`$'",
  ]) {
    const answer = await deliver(tenant, bodyFor(tenant.id, text))
    assert.equal(
      isOk(answer) || (answer.status >= 400 && answer.status < 500),
      true,
      `${JSON.stringify(text)} ${answer.text}`,
    )
  }
  await expectWorks(scene, tenant)
})

test('D 40: a name that no webhook has, and other events, run nothing', async () => {
  const tenant = await install(scene)
  for (const name of ['nothing', '__proto__', 'constructor', '../x', '%00', 'x'.repeat(2000)]) {
    const token = await tokenOf(scene, tenant)
    const answer = await post(bodyFor(tenant.id), token, `/hipchat/webhook?name=${encodeURIComponent(name)}`)
    assert.equal(isOk(answer) || (answer.status >= 400 && answer.status < 500), true, answer.text)
  }
  for (const event of ['room_exit', 'room_made_up']) await deliver(tenant, bodyFor(tenant.id, '/hello', { event }))
  await expectWorks(scene, tenant)
})

function post(body: unknown, token?: string, target = '/hipchat/webhook'): Promise<Answer> {
  return token === undefined
    ? scene.http.send(target, { method: 'POST', body })
    : withToken(scene, token, target, { method: 'POST', body })
}

const deliverText = (tenant: Tenant, body: string | Buffer, type = 'application/json') =>
  tokenOf(scene, tenant).then(token =>
    withToken(scene, token, '/hipchat/webhook', { method: 'POST', body, headers: { 'content-type': type } }),
  )

async function slowest(tenant: Tenant, rounds: number): Promise<number> {
  let worst = 0
  for (let round = 0; round < rounds; round += 1) {
    const answer = await as(scene, tenant, '/hipchat/whoami')
    expectStatus(answer, [200])
    worst = Math.max(worst, answer.ms)
  }
  return worst
}

endScene(scene)
