/** Forged, broken, old and foreign request tokens: each gets 401, and the answer says nothing about the reason. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { CompactEncrypt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { base64url, type Claims, claimsOf, compact, compactJson, mac, nowSeconds, sign } from './forge.ts'
import {
  as,
  endScene,
  expectStatus,
  expectWorks,
  install,
  judge,
  newSecret,
  setScene,
  type Tenant,
  tokenOf,
  withToken,
} from './support.ts'

const HEADER = { alg: 'HS256', typ: 'JWT' }
let tenant: Tenant
let neighbour: Tenant
const scene = setScene({}, async at => {
  tenant = await install(at)
  neighbour = await install(at)
})

type Forgery = () => string | Promise<string>
const changed =
  (changes: Claims): Forgery =>
  () =>
    sign(tenant.id, tenant.secret, changes)
const headed =
  (header: unknown, hash?: string): Forgery =>
  () =>
    compactJson(header, claimsOf(tenant.id), tenant.secret, hash)
const spelled =
  (change: (parts: readonly [string, string, string]) => string): Forgery =>
  async () => {
    const [header = '', payload = '', signature = ''] = (await sign(tenant.id, tenant.secret)).split('.')
    return change([header, payload, signature])
  }
/** Signs `header.payload` exactly as spelled, so that only the spelling is wrong. */
const resigned =
  (change: (header: string, payload: string) => string): Forgery =>
  () => {
    const input = change(base64url(JSON.stringify(HEADER)), base64url(JSON.stringify(claimsOf(tenant.id))))
    return `${input}.${mac(input, tenant.secret)}`
  }
const payloadText =
  (change: (text: string) => string | Buffer): Forgery =>
  () =>
    compact(JSON.stringify(HEADER), change(JSON.stringify(claimsOf(tenant.id))), tenant.secret)

/** Another last character with the same decoded bytes. */
function loosen(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(text.at(-1) ?? '')
  return text.slice(0, -1) + alphabet[last ^ 1]
}

const SHAPES: Readonly<Record<string, Forgery>> = {
  'no signature': spelled(([header, payload]) => `${header}.${payload}.`),
  'two parts': spelled(([header, payload]) => `${header}.${payload}`),
  'four parts': spelled(parts => `${parts.join('.')}.`),
  'five parts': spelled(parts => `${parts.join('.')}..`),
  'an empty header': resigned((_, payload) => `.${payload}`),
  'an empty payload': resigned(header => `${header}.`),
  'one dot': () => '.',
  'two dots': () => '..',
  'padding after the signature': spelled(parts => `${parts.join('.')}=`),
  'padding after the header, signed': resigned((header, payload) => `${header}=.${payload}`),
  'a blank inside the payload, signed': resigned(
    (header, payload) => `${header}.${payload.slice(0, 9)} ${payload.slice(9)}`,
  ),
  'a loose last character of the signature': spelled(([h, p, signature]) => `${h}.${p}.${loosen(signature)}`),
  'standard base64 in the signature': spelled(
    ([h, p, s]) => `${h}.${p}.${s.replaceAll('-', '+').replaceAll('_', '/')}+`,
  ),
  'a stray character in the signature': spelled(([h, p, s]) => `${h}.${p}.${s.slice(0, 20)}*${s.slice(20)}`),
  'a cut signature': spelled(([h, p, s]) => `${h}.${p}.${s.slice(0, 20)}`),
  'a doubled signature': spelled(([h, p, s]) => `${h}.${p}.${s}${s}`),
  'another payload under the old signature': spelled(
    ([h, , s]) => `${h}.${base64url(JSON.stringify(claimsOf(neighbour.id)))}.${s}`,
  ),
  '9 kB': changed({ filler: 'x'.repeat(9000) }),
  'a payload that is a list': payloadText(() => '[]'),
  'a payload that is null': payloadText(() => 'null'),
  'a payload that is a text': payloadText(text => JSON.stringify(text)),
  'a payload that is half JSON': payloadText(text => text.slice(0, -1)),
  'a payload with a byte order mark': payloadText(text => `\ufeff${text}`),
  'a payload that is no UTF-8': payloadText(text =>
    Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from([0xff, 0x22, 0x7d])]),
  ),
  'a payload with a comment': payloadText(text => `${text}//`),
  'a header that is a list': () => compact('[]', JSON.stringify(claimsOf(tenant.id)), tenant.secret),
  'a header that is null': () => compact('null', JSON.stringify(claimsOf(tenant.id)), tenant.secret),
  'a deeply nested payload': payloadText(() => '['.repeat(3000)),
  'an encrypted token': () =>
    new CompactEncrypt(new TextEncoder().encode('{}'))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(createHash('sha256').update(tenant.secret).digest()),
}

const HEADERS: Readonly<Record<string, Forgery>> = {
  'alg none, no signature': () => `${base64url('{"alg":"none"}')}.${base64url(JSON.stringify(claimsOf(tenant.id)))}.`,
  'alg none, signed': headed({ alg: 'none', typ: 'JWT' }),
  'alg None': headed({ alg: 'None', typ: 'JWT' }),
  'alg hs256': headed({ alg: 'hs256', typ: 'JWT' }),
  'alg HS384': headed({ alg: 'HS384', typ: 'JWT' }, 'sha384'),
  'alg HS512': headed({ alg: 'HS512', typ: 'JWT' }, 'sha512'),
  'alg HS1': headed({ alg: 'HS1', typ: 'JWT' }, 'sha1'),
  'no alg': headed({ typ: 'JWT' }),
  'alg null': headed({ alg: null }),
  'alg a list': headed({ alg: ['HS256'] }),
  'alg twice': () =>
    compact('{"alg":"none","alg":"HS384"}', JSON.stringify(claimsOf(tenant.id)), tenant.secret, 'sha384'),
  'alg in a prototype': () =>
    compact('{"__proto__":{"alg":"HS256"}}', JSON.stringify(claimsOf(tenant.id)), tenant.secret),
  'an unknown crit': headed({ ...HEADER, crit: ['x'], x: 1 }),
  'an empty crit': headed({ ...HEADER, crit: [] }),
  'a crit b64': headed({ ...HEADER, crit: ['b64'], b64: false }),
  'RS256 with a key of its own': async () => {
    const { publicKey, privateKey } = await generateKeyPair('RS256')
    return new SignJWT({ ...claimsOf(tenant.id) })
      .setProtectedHeader({ alg: 'RS256', jwk: await exportJWK(publicKey), kid: 'a' })
      .sign(privateKey)
  },
  'a key of its own in jwk': () =>
    compactJson({ ...HEADER, jwk: { kty: 'oct', k: base64url('attacker') } }, claimsOf(tenant.id), 'attacker'),
  'a key address in jku': () =>
    compactJson({ ...HEADER, jku: `${scene.trap.origin}/k` }, claimsOf(tenant.id), 'attacker'),
  'a key address in x5u': () =>
    compactJson({ ...HEADER, x5u: `${scene.trap.origin}/k` }, claimsOf(tenant.id), 'attacker'),
  'a path in kid': () => compactJson({ ...HEADER, kid: '../../dev/null' }, claimsOf(tenant.id), ''),
}

const TIMES: Readonly<Record<string, () => Claims>> = {
  'no exp': () => ({ exp: undefined }),
  'exp two minutes ago': () => ({ iat: nowSeconds() - 600, exp: nowSeconds() - 120 }),
  'exp a year ago': () => ({ iat: nowSeconds() - 31_600_000, exp: nowSeconds() - 31_536_000 }),
  'exp zero': () => ({ exp: 0 }),
  'exp negative': () => ({ exp: -1 }),
  'exp a text': () => ({ exp: String(nowSeconds() + 600) }),
  'exp null': () => ({ exp: null }),
  'exp a list': () => ({ exp: [nowSeconds() + 600] }),
  'exp true': () => ({ exp: true }),
  'iat two minutes ahead': () => ({ iat: nowSeconds() + 120 }),
  'iat a year ahead': () => ({ iat: nowSeconds() + 31_536_000, exp: nowSeconds() + 31_540_000 }),
  'iat 30 days ago, exp ahead': () => ({ iat: nowSeconds() - 2_592_000, exp: nowSeconds() + 600 }),
  'iat a text': () => ({ iat: String(nowSeconds()) }),
  'iat an object': () => ({ iat: {} }),
  'nbf an hour ahead': () => ({ nbf: nowSeconds() + 3600 }),
  'nbf a text': () => ({ nbf: 'now' }),
}

const ISSUERS: Readonly<Record<string, () => Claims>> = {
  missing: () => ({ iss: undefined }),
  null: () => ({ iss: null }),
  'a number': () => ({ iss: 5 }),
  'a list with the id': () => ({ iss: [tenant.id] }),
  'an object': () => ({ iss: { id: tenant.id } }),
  true: () => ({ iss: true }),
  empty: () => ({ iss: '' }),
  'the id with a blank': () => ({ iss: `${tenant.id} ` }),
  'the id in upper case': () => ({ iss: tenant.id.toUpperCase() }),
  'the id and a NUL': () => ({ iss: `${tenant.id}\u0000` }),
  'a lone surrogate': () => ({ iss: `${tenant.id}\ud800` }),
  'a star': () => ({ iss: '*' }),
  'the name __proto__': () => ({ iss: '__proto__' }),
  'the name constructor': () => ({ iss: 'constructor' }),
  'the app itself': () => ({ iss: 'com.example.app' }),
  '4 kB': () => ({ iss: 'x'.repeat(4096) }),
  'the neighbour': () => ({ iss: neighbour.id }),
}

const SECRETS: Readonly<Record<string, () => string | Buffer>> = {
  "the neighbour's secret": () => neighbour.secret,
  'no bytes': () => '',
  undefined: () => 'undefined',
  null: () => 'null',
  'the id': () => tenant.id,
  'a NUL': () => '\u0000',
  '32 zero bytes': () => Buffer.alloc(32),
  'the secret in another case': () => tenant.secret.toUpperCase(),
  'the secret and a blank': () => `${tenant.secret} `,
  'the decoded secret': () => Buffer.from(tenant.secret, 'base64url'),
  'the hash of the secret': () => createHash('sha256').update(tenant.secret).digest(),
}

test('B 24: the control: a correct token works', async () => expectWorks(scene, tenant))

const titled: readonly (readonly [string, Readonly<Record<string, Forgery>>])[] = [
  ['B 18: refuses a token with', SHAPES],
  ['B 19: refuses a token with header', HEADERS],
  ['A 5, B 32: refuses a token with', inClaims(TIMES)],
  ['B 23, B 32: refuses a token whose issuer is', inClaims(ISSUERS)],
  ['B 24, B 26: refuses a token signed with', inSecrets()],
]
for (const [title, forgeries] of titled) {
  describe(title, () => {
    for (const [name, forge] of Object.entries(forgeries)) {
      test(`${title} ${name}`, async () => {
        const token = await forge()
        expectStatus(await judge(scene, token), [401])
      })
    }
  })
}

describe('A 5: clocks that are a little off', () => {
  const tolerated: Readonly<Record<string, () => Claims>> = {
    'iat 30 s ahead': () => ({ iat: nowSeconds() + 30 }),
    'nbf now': () => ({ nbf: nowSeconds() }),
    'exp with a fraction': () => ({ exp: nowSeconds() + 60.5 }),
    'an audience that nobody asked for': () => ({ aud: neighbour.id }),
    'a neighbour everywhere but in iss': () => ({
      tenant: neighbour.id,
      oauth_client_id: neighbour.id,
      clientKey: neighbour.id,
    }),
    'prn instead of sub': () => ({ sub: undefined, prn: '42' }),
  }
  for (const [name, claims] of Object.entries(tolerated)) {
    test(`A 5, B 23: accepts ${name}, for the tenant that iss names`, async () => {
      const answer = await withToken(scene, await tokenOf(scene, tenant, claims()))
      expectStatus(answer, [200])
      assert.deepEqual(answer.json, { tenant: tenant.id })
    })
  }
})

test('B 25: unknown tenant, wrong signature and wrong secret give the very same answer', async () => {
  const answers = [
    await judge(scene, await sign('nobody-here', newSecret())),
    await judge(scene, await sign(tenant.id, newSecret())),
    await judge(scene, await sign(tenant.id, neighbour.secret)),
    await judge(scene, await sign('__proto__', newSecret())),
  ]
  const seen = answers.map(({ status, text, headers: { date: _date, ...headers } }) =>
    JSON.stringify([status, text, headers]),
  )
  assert.equal(new Set(seen).size, 1, seen.join('\n'))
})

test('B 25: an unknown tenant costs about what a wrong signature costs', async () => {
  const median = async (id: () => string): Promise<number> => {
    const times: number[] = []
    for (let round = 0; round < 25; round += 1) times.push((await judge(scene, await sign(id(), newSecret()))).ms)
    return times.sort((a, b) => a - b)[12] ?? 0
  }
  const unknown = await median(() => `nobody-${newSecret()}`)
  const wrong = await median(() => tenant.id)
  assert.equal(Math.max(unknown, wrong) / Math.min(unknown, wrong) < 20, true, `${unknown} ms and ${wrong} ms`)
})

test('B 24: a wrong signature again and again does not lock the tenant out', async () => {
  const forged = await Promise.all(Array.from({ length: 60 }, () => sign(tenant.id, newSecret())))
  const answers = await Promise.all(forged.map(token => withToken(scene, token)))
  for (const answer of answers) expectStatus(answer, [401, 429])
  await expectWorks(scene, tenant)
})

test('B 24: an access token, a Basic pair and a bare secret are no request tokens', async () => {
  await as(scene, tenant, '/hipchat/outbound')
  const access = tenant.client.issued.at(-1) ?? ''
  const pair = Buffer.from(`${tenant.id}:${tenant.secret}`).toString('base64')
  for (const authorization of [
    `JWT ${access}`,
    `Bearer ${access}`,
    `Basic ${pair}`,
    `JWT ${tenant.secret}`,
    'JWT',
    'JWT ',
    '',
  ]) {
    expectStatus(await judge(scene, '', '/hipchat/whoami', { headers: { authorization } }), [401])
  }
})

function inClaims(table: Readonly<Record<string, () => Claims>>): Readonly<Record<string, Forgery>> {
  return Object.fromEntries(Object.entries(table).map(([name, claims]) => [name, () => changed(claims())()]))
}

function inSecrets(): Readonly<Record<string, Forgery>> {
  const signWith = (secret: string | Buffer) =>
    compact(JSON.stringify(HEADER), JSON.stringify(claimsOf(tenant.id)), secret)
  return Object.fromEntries(Object.entries(SECRETS).map(([name, secret]) => [name, () => signWith(secret())]))
}

endScene(scene)
