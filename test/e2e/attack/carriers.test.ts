/** Where a token may stand, that there may be one only, session tokens, and tenants that must not mix in one process. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compactJson, nowSeconds, sign } from './forge.ts'
import { as, endScene, expectStatus, install, judge, newSecret, setScene, type Tenant, tokenOf } from './support.ts'

let tenant: Tenant
let neighbour: Tenant
const SESSION = { alg: 'HS256', typ: 'pw-session+jwt' }
const scene = setScene({}, async at => {
  tenant = await install(at)
  neighbour = await install(at)
})

type Carrier = (token: string) => { readonly target?: string; readonly headers?: Readonly<Record<string, string>> }

const CARRIERS: Readonly<Record<string, Carrier>> = {
  'the query': token => ({ target: `signed_request=${token}` }),
  'the header JWT': token => ({ headers: { authorization: `JWT ${token}` } }),
  'the header JWT token=': token => ({ headers: { authorization: `JWT token=${token}` } }),
  'the header X-acpt': token => ({ headers: { 'x-acpt': token } }),
}

const send = (query: string | undefined, headers: Readonly<Record<string, string>>) =>
  scene.http.send(query === undefined ? '/hipchat/whoami' : `/hipchat/whoami?${query}`, { headers })

describe('B 23: each documented place works', () => {
  for (const [name, carrier] of Object.entries(CARRIERS)) {
    test(`B 23: a token in ${name} is accepted`, async () => {
      const { target, headers } = carrier(await tokenOf(scene, tenant))
      const answer = await send(target, headers ?? {})
      expectStatus(answer, [200])
      assert.deepEqual(answer.json, { tenant: tenant.id })
    })
  }
})

describe('B 29: more than one token is refused', () => {
  const names = Object.keys(CARRIERS)
  for (const [index, first] of names.entries()) {
    for (const second of names.slice(index + 1)) {
      for (const kind of ['equal', 'different', 'good and foreign'] as const) {
        test(`B 29: ${kind} tokens in ${first} and ${second} are refused`, async () => {
          const one = await tokenOf(scene, tenant)
          const other = kind === 'equal' ? one : await tokenOf(scene, kind === 'different' ? tenant : neighbour)
          const a = CARRIERS[first]?.(one)
          const b = CARRIERS[second]?.(other)
          // Both stand in one header here: only the comma can carry them.
          const authorization = `${a?.headers?.authorization}, ${b?.headers?.authorization}`
          const bothInOne = a?.headers?.authorization !== undefined && b?.headers?.authorization !== undefined
          const headers = { ...a?.headers, ...b?.headers, ...(bothInOne ? { authorization } : {}) }
          expectStatus(await send(a?.target ?? b?.target, headers), [400, 401, 403])
        })
      }
    }
  }

  test('B 29: two signed_request parameters are refused, in every spelling', async () => {
    const token = await tokenOf(scene, tenant)
    for (const second of ['signed_request', 'signed%5Frequest', '%73igned_request']) {
      const answer = await send(`signed_request=${token}&${second}=${token}`, {})
      expectStatus(answer, [400, 401, 403], second)
    }
  })

  test('B 29: two Authorization headers are refused, in either order', async () => {
    const own = await tokenOf(scene, tenant)
    const foreign = await tokenOf(scene, neighbour)
    for (const [first, second] of [
      [own, foreign],
      [foreign, own],
      [own, own],
    ]) {
      const lines = [`Authorization: JWT ${first}`, `Authorization: JWT ${second}`]
      const { text } = await scene.http.raw(
        `GET /hipchat/whoami HTTP/1.1\r\nHost: x\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`,
      )
      assert.match(text, /^HTTP\/1\.1 4(00|01|03)/)
    }
  })

  test('B 29: an empty second place does not hide the first, and grants nothing by itself', async () => {
    const token = await tokenOf(scene, tenant)
    expectStatus(await send('signed_request=', {}), [400, 401])
    expectStatus(await send('signed_request=', { authorization: `JWT ${token}` }), [200, 400, 401])
  })
})

test('B 23: a token in a cookie, another parameter, another header or another scheme is no token', async () => {
  const token = await tokenOf(scene, tenant)
  const attempts = [
    () => send(undefined, { cookie: `signed_request=${token}; jwt=${token}` }),
    () => send(`jwt=${token}`, {}),
    () => send(`access_token=${token}`, {}),
    () => send(`auth_token=${token}`, {}),
    () => send(undefined, { 'x-jwt': token }),
    () => send(undefined, { authorization: `Bearer ${token}` }),
    () => send(undefined, { authorization: token }),
    () => send(undefined, { 'proxy-authorization': `JWT ${token}` }),
  ]
  for (const attempt of attempts) expectStatus(await attempt(), [401])
})

test('B 23: the tenant never comes from a header, a parameter or a body', async () => {
  const headers = {
    'x-tenant': neighbour.id,
    'x-tenant-id': neighbour.id,
    'x-forwarded-user': neighbour.id,
    iss: neighbour.id,
  }
  const query = `tenant=${neighbour.id}&oauth_client_id=${neighbour.id}&iss=${neighbour.id}&oauthId=${neighbour.id}`
  assert.deepEqual((await as(scene, tenant, `/hipchat/whoami?${query}`, { headers })).json, { tenant: tenant.id })
  await as(scene, tenant, `/hipchat/kv?key=k&${query}`, {
    method: 'PUT',
    headers,
    body: { value: 1, tenant: neighbour.id, tenantId: neighbour.id, oauth_client_id: neighbour.id },
  })
  expectStatus(await as(scene, neighbour, '/hipchat/kv?key=k'), [404])
})

describe('B 30: tokens dressed as session tokens', () => {
  const sessionClaims = (id: string) => {
    const now = nowSeconds()
    const end = { exp: now + 600, end: now + 3600, session_end: now + 3600, auth_time: now }
    return { iss: id, aud: `${scene.probe.baseUrl}/#session`, sub: '42', iat: now, ...end }
  }
  const dresses: Readonly<Record<string, (tenant: Tenant) => string>> = {
    'the shared secret': one => compactJson(SESSION, sessionClaims(one.id), one.secret),
    'no secret': one => compactJson(SESSION, sessionClaims(one.id), ''),
    'a secret of its own': one => compactJson(SESSION, sessionClaims(one.id), newSecret()),
    "the neighbour's secret": one => compactJson(SESSION, sessionClaims(one.id), neighbour.secret),
    'alg none': one => compactJson({ ...SESSION, alg: 'none' }, sessionClaims(one.id), ''),
  }
  for (const [name, dress] of Object.entries(dresses)) {
    for (const carrier of ['the header JWT', 'the header X-acpt'] as const) {
      test(`B 30: a session token made with ${name} is refused in ${carrier}`, async () => {
        const token = dress(tenant)
        const headers = CARRIERS[carrier]?.(token).headers ?? {}
        expectStatus(await judge(scene, '', '/hipchat/whoami', { headers: { authorization: [], ...headers } }), [401])
      })
    }
  }
})

test('E 45, E 46: 200 interleaved requests of 20 tenants over kept connections see their own tenant', async () => {
  const tenants = await Promise.all(Array.from({ length: 20 }, () => install(scene)))
  const calls = Array.from({ length: 200 }, async (_, index) => {
    const one = tenants[(index * 7) % 20] ?? tenant
    const answer = await as(scene, one, `/hipchat/whoami?delay=${(index * 37) % 120}`)
    return [answer.status, answer.json?.tenant, one.id] as const
  })
  const wrong = (await Promise.all(calls)).filter(([status, seen, expected]) => status !== 200 || seen !== expected)
  assert.deepEqual(wrong, [])
})

test('E 46: pipelined requests of two tenants on one connection are answered in order, each its own', async () => {
  const order = [tenant, neighbour, tenant, neighbour, neighbour, tenant]
  const delays = [120, 0, 60, 10, 0, 0]
  const requests = await Promise.all(
    order.map(async (one, index) => {
      const close = index === order.length - 1 ? 'Connection: close\r\n' : ''
      const token = await tokenOf(scene, one)
      return `GET /hipchat/whoami?delay=${delays[index]} HTTP/1.1\r\nHost: x\r\nAuthorization: JWT ${token}\r\n${close}\r\n`
    }),
  )
  const { text } = await scene.http.raw(requests.join(''), 5000)
  const seen = [...text.matchAll(/\{"tenant":"([^"]+)"\}/g)].map(match => match[1])
  assert.deepEqual(
    seen,
    order.map(one => one.id),
  )
})

test('E 46: a refused request between good ones on a kept connection inherits nothing', async () => {
  const good = `GET /hipchat/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: JWT ${await tokenOf(scene, tenant)}\r\n\r\n`
  const bare = 'GET /hipchat/whoami HTTP/1.1\r\nHost: x\r\n\r\n'
  const forged = `GET /hipchat/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: JWT ${await sign(tenant.id, newSecret())}\r\n\r\n`
  const { text } = await scene.http.raw(good + bare + forged, 5000)
  assert.deepEqual(
    [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(match => match[1]),
    ['200', '401', '401'],
  )
})

endScene(scene)
