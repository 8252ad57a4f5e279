// The probe's Connect half under attack: who may install, whose word a token is, what one tenant reaches of another.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { JWTPayload } from 'jose'
import { type FakeProduct, type FakeSite, now, post, queryHash, startFakeProduct } from '../../support/fake-product.ts'
import { createProbe, type Probe } from './probe.ts'

let product: FakeProduct
let probe: Probe
let a: FakeSite
let b: FakeSite
before(async () => {
  product = await startFakeProduct()
  probe = await createProbe({
    hosts: [],
    environment: { APP_KEY: 'com.example.connect', CONNECT_KEY_SERVER: product.url },
  })
  a = await installed('a')
  b = await installed('b')
})
after(async () => {
  await probe.dispose()
  await product.close()
})

const pathOf = (event: string) => `/connect/${event}`

async function send(
  site: FakeSite,
  event: 'installed' | 'uninstalled',
  { claims = {}, body = {}, kid }: { claims?: JWTPayload; body?: object; kid?: string } = {},
): Promise<Response> {
  const own = product.lifecycleClaims(probe.baseUrl, pathOf(event), site.clientKey)
  const token = await product.signLifecycle({ ...own, ...claims }, kid === undefined ? {} : { kid })
  return post(probe.baseUrl + pathOf(event), token, site.body(event, body))
}

async function installed(name: string): Promise<FakeSite> {
  const site = product.createSite(probe.baseUrl, name)
  assert.equal((await send(site, 'installed')).status, 204)
  assert.equal((await site.ask(pathOf('whoami'))).status, 200)
  return site
}

const read = async <T>(response: Response): Promise<T> => (await response.json()) as T
const tenantOf = async (response: Response) => (await read<{ tenant: string }>(response)).tenant
const isRefused = async (response: Response, what: string) => {
  const text = await response.text()
  assert.equal(response.status, 401, `${what}: ${response.status} ${text}`)
  assert.deepEqual(Object.keys(JSON.parse(text).error), ['code', 'message'])
}

test('B 23, 27: a page knows the tenant of a token made for it, and no route takes the other kind of token', async () => {
  for (const site of [a, b]) {
    assert.equal(await tenantOf(await site.ask(pathOf('whoami'))), site.clientKey)
    const token = await site.contextToken()
    const headers = { authorization: `JWT ${token}` }
    assert.equal(await tenantOf(await fetch(`${probe.baseUrl}/connect/context`, { headers })), site.clientKey)
    await isRefused(await fetch(`${probe.baseUrl}/connect/whoami`, { headers }), 'a context token on a page')
    await isRefused(await site.ask(pathOf('context')), 'a page’s token on the API')
  }
})

test('B 24, 25, 28: a token with one thing changed is refused, and nothing tells why', async () => {
  const claims = a.claims('GET', pathOf('whoami'))
  const wrong: [string, JWTPayload][] = [
    ['another issuer', { ...claims, iss: b.clientKey }],
    ['an unknown issuer', { ...claims, iss: 'nobody', aud: a.clientKey }],
    ['the app as issuer', { ...claims, iss: 'com.example.connect', aud: [a.clientKey] }],
    ['another path', { ...claims, qsh: queryHash('GET', '/connect/events') }],
    ['another method', { ...claims, qsh: queryHash('POST', pathOf('whoami')) }],
    ['another query', { ...claims, qsh: queryHash('GET', `${pathOf('whoami')}?delay=1`) }],
    ['no hash', { ...claims, qsh: undefined }],
    ['a hash in capitals', { ...claims, qsh: String(claims.qsh).toUpperCase() }],
    ['no expiry', { ...claims, exp: undefined }],
    ['an old one', { ...claims, iat: now() - 900, exp: now() - 120 }],
    ['no time of issue', { ...claims, iat: undefined }],
    ['from the future', { ...claims, iat: now() + 600, exp: now() + 900 }],
    ['not before tomorrow', { ...claims, nbf: now() + 86_400 }],
  ]
  const answers = new Set<string>()
  for (const [what, changed] of wrong) {
    const response = await fetch(probe.baseUrl + pathOf('whoami'), {
      headers: { authorization: `JWT ${await a.sign(changed)}` },
    })
    answers.add((await read<{ error: { message: string } }>(response.clone())).error.message)
    await isRefused(response, what)
  }
  await isRefused(
    await fetch(probe.baseUrl + pathOf('whoami'), {
      headers: { authorization: `JWT ${await a.sign(claims, b.secret)}` },
    }),
    'another tenant’s secret',
  )
  assert.equal(answers.size, 1)
})

test('B 29: two tokens, or one in a form beside one in a header, are refused', async () => {
  const token = await a.sign(a.claims('GET', pathOf('whoami')))
  await isRefused(
    await fetch(`${probe.baseUrl}${pathOf('whoami')}?jwt=${token}`, { headers: { authorization: `JWT ${token}` } }),
    'query and header',
  )
  await isRefused(await fetch(`${probe.baseUrl}${pathOf('whoami')}?jwt=${token}&jwt=${token}`), 'twice in the query')
  const hook = await a.sign(a.claims('POST', pathOf('webhook')))
  const form = { method: 'POST', body: new URLSearchParams({ jwt: hook }), headers: { authorization: `JWT ${hook}` } }
  await isRefused(await fetch(probe.baseUrl + pathOf('webhook'), form), 'form and header')
})

test('A 1, 2, 3, 4, 5: an install that is not signed by the vendor for this app, address and tenant changes nothing', async () => {
  const path = pathOf('installed')
  const stolen = { sharedSecret: randomBytes(24).toString('hex') }
  const refused: [string, Promise<Response>][] = [
    ['unsigned', post(probe.baseUrl + path, undefined, a.body('installed', stolen))],
    [
      'signed by the tenant',
      a.sign(a.claims('POST', path)).then(token => post(probe.baseUrl + path, token, a.body('installed', stolen))),
    ],
    ['a context token', a.contextToken().then(token => post(probe.baseUrl + path, token, a.body('installed', stolen)))],
    ['another app’s audience', send(a, 'installed', { claims: { aud: 'https://other.example' }, body: stolen })],
    ['no audience', send(a, 'installed', { claims: { aud: [] }, body: stolen })],
    ['another issuer than the body', send(a, 'installed', { claims: { iss: b.clientKey }, body: stolen })],
    ['another tenant in the body', send(a, 'installed', { body: { ...stolen, clientKey: b.clientKey } })],
    ['the hash of context tokens', send(a, 'installed', { claims: { qsh: 'context-qsh' }, body: stolen })],
    [
      'the hash of another address',
      send(a, 'installed', { claims: { qsh: queryHash('POST', pathOf('uninstalled')) }, body: stolen }),
    ],
    ['no expiry', send(a, 'installed', { claims: { exp: undefined }, body: stolen })],
    ['expiry as text', send(a, 'installed', { claims: { exp: String(now() + 180) as never }, body: stolen })],
    ['from the future', send(a, 'installed', { claims: { iat: now() + 600 }, body: stolen })],
    ['an unknown key', send(a, 'installed', { kid: 'keys/none', body: stolen })],
    ['another app in the body', send(a, 'installed', { body: { ...stolen, key: 'com.example.other' } })],
    ['another event in the body', send(a, 'installed', { body: { ...stolen, eventType: 'uninstalled' } })],
  ]
  for (const [what, response] of refused) await isRefused(await response, what)
  for (const site of [a, b]) assert.equal(await tenantOf(await site.ask(pathOf('whoami'))), site.clientKey)
})

test('B 20: no key id of an odd spelling is asked for', async () => {
  const before = product.asked.length
  for (const kid of ['../x', '//evil', 'http://evil/x', 'a?b', 'a#b', '', 'x'.repeat(10_000), 'a%2fb', '.', 'a//b']) {
    await isRefused(await send(a, 'installed', { kid }), kid.slice(0, 20))
  }
  assert.equal(product.asked.length, before)
})

test('A 8: sites that are not on the list, however they are spelled, cannot install', async () => {
  const urls = [
    'https://a.atlassian.net.evil.example',
    'https://evil.example#.atlassian.net',
    'https://user@a.atlassian.net',
    'https://a.b.atlassian.net',
    'https://a.atlassian.net:8443',
    'http://a.atlassian.net',
    'https://atlassian.net',
    'javascript:alert(1)',
    '',
  ]
  for (const baseUrl of urls) {
    const site = product.createSite(probe.baseUrl, 'odd')
    const response = await send(site, 'installed', { body: { baseUrl } })
    assert.ok(response.status === 400 || response.status === 403, `${baseUrl}: ${response.status}`)
    await isRefused(await site.ask(pathOf('whoami')), baseUrl)
  }
})

test('A 6, 7, 10: a token is good for one body, an older event changes nothing, and the new secret is the only one', async () => {
  const site = await installed('moves')
  const old = site.secret
  const claims = product.lifecycleClaims(probe.baseUrl, pathOf('installed'), site.clientKey)
  const token = await product.signLifecycle({ ...claims, iat: now() + 1 })
  const fresh = site.body('installed', { sharedSecret: 'x'.repeat(40) })
  assert.equal((await post(probe.baseUrl + pathOf('installed'), token, fresh)).status, 204)
  site.secret = 'x'.repeat(40)
  assert.equal((await site.ask(pathOf('whoami'))).status, 200)
  assert.equal((await post(probe.baseUrl + pathOf('installed'), token, fresh)).status, 204, 'the same again')
  await isRefused(
    await post(probe.baseUrl + pathOf('installed'), token, site.body('installed', { sharedSecret: 'y'.repeat(40) })),
    'the same token with another body',
  )
  const late = await send(site, 'installed', { claims: { iat: now() - 60 }, body: { sharedSecret: 'z'.repeat(40) } })
  assert.ok(late.status === 409 || late.status === 401, `an older event: ${late.status}`)
  assert.equal((await site.ask(pathOf('whoami'))).status, 200)
  site.secret = old
  await isRefused(await site.ask(pathOf('whoami')), 'the old secret')
})

test('E 45, 47: what one tenant stores, another neither reads, lists nor changes', async () => {
  const put = (site: FakeSite, key: string, value: unknown) =>
    site.ask(`/kv?key=${key}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ value }),
    })
  assert.equal((await put(a, 'note', 'of a')).status, 200)
  assert.equal((await b.ask('/kv?key=note')).status, 404)
  assert.equal((await put(b, 'note', 'of b')).status, 200)
  assert.deepEqual(await (await a.ask('/kv?key=note')).json(), { value: 'of a' })
  const listed = await read<{ items: object }>(await b.ask('/kv/list'))
  assert.deepEqual(listed.items, { note: 'of b' })
  assert.equal((await a.ask('/kv?key=note', { method: 'DELETE' })).status, 200)
  assert.deepEqual(await (await b.ask('/kv?key=note')).json(), { value: 'of b' })
})

test('D 40, 41: a delivery counts with its tenant’s token alone, and once', async () => {
  const body = JSON.stringify({ webhookEvent: 'jira:issue_created', issue: { id: randomBytes(4).toString('hex') } })
  const headers = {
    'content-type': 'application/json',
    'x-atlassian-webhook-identifier': randomBytes(8).toString('hex'),
  }
  const deliver = (site: FakeSite) => site.ask(pathOf('webhook'), { method: 'POST', headers, body })
  for (let retry = 0; retry < 3; retry++) assert.equal((await deliver(a)).status, 204)
  await isRefused(await fetch(probe.baseUrl + pathOf('webhook'), { method: 'POST', headers, body }), 'no token')
  assert.deepEqual(await (await a.ask(pathOf('events'))).json(), { count: 1 })
  assert.deepEqual(await (await b.ask(pathOf('events'))).json(), { count: 0 })
})

test('A 9, 11, 12: installs and uninstalls survive a kill; after an uninstall the tenant is refused', async () => {
  const site = await installed('leaves')
  await probe.kill('SIGKILL')
  await probe.start()
  assert.equal((await site.ask(pathOf('whoami'))).status, 200)
  await isRefused(await post(probe.baseUrl + pathOf('disabled'), undefined, site.body('disabled')), 'unsigned disabled')
  assert.equal((await site.ask(pathOf('whoami'))).status, 200)
  const leave = { claims: { iat: now() + 2 } }
  assert.equal((await send(site, 'uninstalled', leave)).status, 204)
  await probe.kill('SIGKILL')
  await probe.start()
  await isRefused(await site.ask(pathOf('whoami')), 'after the uninstall')
  const again = await send(site, 'uninstalled', { claims: { iat: now() + 3 } })
  assert.ok(again.status === 204 || again.status === 404)
  const unknown = await send(product.createSite(probe.baseUrl, 'never'), 'uninstalled')
  assert.ok(unknown.status === 204 || unknown.status === 404)
  assert.equal(await tenantOf(await a.ask(pathOf('whoami'))), a.clientKey)
})

test('H 83: nothing the probe has written shows a secret or a whole token', () => {
  for (const site of [a, b]) assert.ok(!probe.output.includes(site.secret))
  assert.doesNotMatch(probe.output, /eyJ[\w-]+\.[\w-]+\.[\w-]{20,}/)
})
