/**
 * The 47 edges at which atlassian-connect-express was looked at, in the order of the study, and what must be answered at each. The
 * same list runs against both; data and requests alone.
 */

import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import type { JWTPayload } from 'jose'
import { type FakeSite, now, post, queryHash } from '../support/fake-product.ts'
import { answers, type Edge, isPageOf, isRefused, isSaved } from './edge.ts'
import { createSite, installBody, installedSite, sendInstall, sendLifecycle, type Target } from './target.ts'

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const hs256 = (claims: object, secret: string) => {
  const input = `${encode({ typ: 'JWT', alg: 'HS256' })}.${encode(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}
const withToken = (target: Target, path: string, token: string) =>
  fetch(target.url + path, { headers: { authorization: `JWT ${token}` } })
/** The page, with a token in which something is changed. */
const ask = async (target: Target, claims: JWTPayload, path = '/page') => {
  const site = await installedSite(target)
  return { site, response: site.ask(path, {}, claims) }
}
const refusesPage = (claims: JWTPayload) => async (target: Target) =>
  void (await isRefused((await ask(target, claims)).response))
const refusesApi = (claims: JWTPayload) => async (target: Target) =>
  void (await isRefused((await ask(target, claims, '/api')).response))
const refusesInstall = (claims: JWTPayload) => async (target: Target) => {
  const site = await installedSite(target)
  await isRefused(sendInstall(target, site, { claims, body: { sharedSecret: 'x'.repeat(48) } }))
  await isPageOf(site.ask('/page'), site.clientKey)
}
/** A page whose hash was made by the written rule. */
const ruleSigned = (path: string, canonical: string) => async (target: Target) => {
  const qsh = createHash('sha256').update(canonical).digest('hex')
  const { site, response } = await ask(target, { qsh }, path)
  await isPageOf(response, site.clientKey)
}
const sessionOf = async (site: FakeSite) => (await isPageOf(site.ask('/page'), site.clientKey)).token

export const EDGES: readonly Edge[] = [
  {
    name: 'a first install',
    peer: 'right',
    run: async target => void (await isSaved(sendInstall(target, createSite(target)))),
  },
  {
    name: 'the install of a second tenant',
    peer: 'right',
    async run(target) {
      const [one, other] = [await installedSite(target), await installedSite(target)]
      await isPageOf(one.ask('/page'), one.clientKey)
      await isPageOf(other.ask('/page'), other.clientKey)
    },
  },
  {
    name: 'the same payload once more, with a token of its own',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      await isSaved(sendInstall(target, site))
      await isPageOf(site.ask('/page'), site.clientKey)
    },
  },
  {
    name: 'an install whose body names another tenant than its token',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      const body = { clientKey: site.clientKey, sharedSecret: 'x'.repeat(48) }
      await isRefused(sendInstall(target, createSite(target), { body }))
      await isPageOf(site.ask('/page'), site.clientKey)
    },
  },
  { name: 'an install for another audience', peer: 'right', run: refusesInstall({ aud: ['https://evil.example'] }) },
  { name: 'an install without exp', peer: 'wrong', run: refusesInstall({ exp: undefined }) },
  { name: 'an install whose token has expired', peer: 'right', run: refusesInstall({ exp: now() - 60 }) },
  {
    name: 'an install with the hash of another path',
    peer: 'right',
    run: refusesInstall({ qsh: queryHash('POST', '/other') }),
  },
  { name: 'an install with a context token', peer: 'right', run: refusesInstall({ qsh: 'context-qsh' }) },
  {
    name: 'an install without a token',
    peer: 'right',
    run: async target =>
      void (await isRefused(post(`${target.url}/installed`, undefined, installBody(createSite(target))))),
  },
  {
    name: 'an install whose token is none',
    peer: 'wrong',
    run: async target =>
      void (await isRefused(post(`${target.url}/installed`, 'nonsense', installBody(createSite(target))))),
  },
  {
    name: 'an install signed with the current secret instead of the key',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      const claims = target.product.lifecycleClaims(target.url, '/installed', site.clientKey)
      const body = installBody(site, 'installed', { sharedSecret: 'x'.repeat(48) })
      await isRefused(post(`${target.url}/installed`, hs256(claims, site.secret), body))
      await isPageOf(site.ask('/page'), site.clientKey)
    },
  },
  {
    name: 'an install with a key id that the key server does not know',
    peer: 'wrong',
    run: async target => void (await isRefused(sendInstall(target, createSite(target), { kid: 'unknown-kid' }))),
  },
  {
    name: 'a re-install with a token of its own',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      site.secret = 'y'.repeat(48)
      await isSaved(sendInstall(target, site))
      await isPageOf(site.ask('/page'), site.clientKey)
    },
  },
  {
    name: 'the token of an install once more, with another secret in the body',
    peer: 'wrong',
    async run(target) {
      const { site, token } = await installWithKnownToken(target)
      const body = installBody(site, 'installed', { sharedSecret: 'replayed-secret-of-a-stranger' })
      await isRefused(post(`${target.url}/installed`, token, body))
      await isPageOf(site.ask('/page'), site.clientKey)
    },
  },
  {
    name: 'the token of an install once more, with the same body',
    peer: 'right',
    async run(target) {
      const { site, token } = await installWithKnownToken(target)
      await isSaved(post(`${target.url}/installed`, token, installBody(site)))
      await isPageOf(site.ask('/page'), site.clientKey)
    },
  },
  {
    name: 'an install from a host that is not on the list',
    peer: 'right',
    async run(target) {
      const response = await sendInstall(target, createSite(target), { body: { baseUrl: 'https://evil.example' } })
      assert.ok([401, 403].includes(response.status), `${response.status}`)
    },
  },
  {
    name: 'a page with the right hash',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      await isPageOf(site.ask('/page?a=1'), site.clientKey)
    },
  },
  {
    name: 'a page with the hash of another address',
    peer: 'right',
    run: refusesPage({ qsh: queryHash('GET', '/other') }),
  },
  { name: 'a page without a hash', peer: 'right', run: refusesPage({ qsh: undefined }) },
  { name: 'a page with a context token', peer: 'right', run: refusesPage({ qsh: 'context-qsh' }) },
  {
    name: 'the app’s API with a context token',
    peer: 'right',
    async run(target) {
      const { site, response } = await ask(target, { qsh: 'context-qsh' }, '/api')
      await isPageOf(response, site.clientKey)
    },
  },
  {
    name: 'the app’s API with a token made for another address',
    peer: 'wrong',
    run: refusesApi({ qsh: queryHash('GET', '/other') }),
  },
  {
    name: 'a page one second after its token has expired',
    peer: 'wrong',
    async run(target) {
      const { site, response } = await ask(target, { exp: now() - 1 })
      await isPageOf(response, site.clientKey)
    },
  },
  { name: 'a page without exp', peer: 'wrong', run: refusesPage({ exp: undefined }) },
  {
    name: 'a page whose token was issued in the future',
    peer: 'wrong',
    run: refusesPage({ iat: now() + 3_600, exp: now() + 7_200 }),
  },
  { name: 'a page whose token is not yet valid', peer: 'wrong', run: refusesPage({ nbf: now() + 3_600 }) },
  {
    name: 'a page of one tenant, signed with another’s secret',
    peer: 'wrong',
    async run(target) {
      const [site, other] = [await installedSite(target), await installedSite(target)]
      const text = await isRefused(withToken(target, '/page', hs256(site.claims('GET', '/page'), other.secret)))
      assert.ok(!text.includes('eyJ'), 'the answer shows a token')
    },
  },
  {
    name: 'a page that names one tenant as issuer, another as audience, signed by the other',
    peer: 'wrong',
    async run(target) {
      const [site, other] = [await installedSite(target), await installedSite(target)]
      const claims = { ...site.claims('GET', '/page'), aud: [other.clientKey] }
      await isRefused(withToken(target, '/page', hs256(claims, other.secret)))
    },
  },
  {
    name: 'a page whose issuer is nobody and whose audience is a tenant',
    peer: 'wrong',
    async run(target) {
      const site = await installedSite(target)
      const claims = { ...site.claims('GET', '/page'), iss: 'nobody', aud: [site.clientKey] }
      await isRefused(withToken(target, '/page', hs256(claims, site.secret)))
    },
  },
  {
    name: 'a page with the algorithm none',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      const token = `${encode({ typ: 'JWT', alg: 'none' })}.${encode(site.claims('GET', '/page'))}.`
      await isRefused(withToken(target, '/page', token))
    },
  },
  {
    name: 'a page with the token parameter twice',
    peer: 'right',
    run: async target => void (await isRefused(fetch(`${target.url}/page?jwt=a.b.c&jwt=d.e.f`))),
  },
  {
    name: 'a page with the token parameter as an object',
    peer: 'right',
    run: async target => void (await isRefused(fetch(`${target.url}/page?jwt[x]=1`))),
  },
  {
    name: 'a page whose token is none',
    peer: 'right',
    run: async target => void (await isRefused(withToken(target, '/page', 'nonsense'))),
  },
  {
    name: 'a page whose claims are null',
    peer: 'right',
    run: async target =>
      void (await isRefused(withToken(target, '/page', `${encode({ alg: 'HS256' })}.${encode(null)}.x`))),
  },
  {
    name: 'a page with brackets in a name, hashed by the written rule',
    peer: 'wrong',
    run: ruleSigned('/page?a%5Bb%5D=1', 'GET&/page&a%5Bb%5D=1'),
  },
  {
    name: 'a page with a name that is not ASCII, ordered by the written rule',
    peer: 'wrong',
    run: ruleSigned('/page?z=1&%C3%A9=2', 'GET&/page&%C3%A9=2&z=1'),
  },
  {
    name: 'a page with a repeated name, hashed by the written rule',
    peer: 'right',
    run: ruleSigned('/page?a=2&a=1', 'GET&/page&a=1,2'),
  },
  {
    name: 'a page with a repeated name in brackets, hashed by the written rule',
    peer: 'wrong',
    run: ruleSigned('/page?x%5B%5D=2&x%5B%5D=1', 'GET&/page&x%5B%5D=1,2'),
  },
  {
    name: 'what a session token says: who, for how long, and nothing that a product’s token says',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      const [, payload = ''] = (await sessionOf(site)).split('.')
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
      assert.equal(claims.sub, 'ada')
      assert.equal(claims.qsh, undefined)
      const seconds = Number(claims.exp) - now()
      assert.ok(seconds > 0 && seconds <= 15 * 60, `${seconds} s`)
    },
  },
  {
    name: 'the app’s API with a session token',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      await isPageOf(withToken(target, '/api', await sessionOf(site)), site.clientKey)
    },
  },
  {
    name: 'a page with a session token',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      await isRefused(withToken(target, '/page', await sessionOf(site)))
    },
  },
  {
    name: 'a session token in an address',
    peer: 'wrong',
    note: 'addresses are logged and sent as referrers: a session token travels in headers',
    async run(target) {
      const site = await installedSite(target)
      await isRefused(fetch(`${target.url}/api?acpt=${await sessionOf(site)}`))
    },
  },
  {
    name: 'an uninstall',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      await isSaved(sendLifecycle(target, 'uninstalled', site, { claims: {}, body: {} }))
    },
  },
  {
    name: 'a page of a tenant after its uninstall',
    peer: 'wrong',
    async run(target) {
      const site = await installedSite(target)
      await isSaved(sendLifecycle(target, 'uninstalled', site, { claims: {}, body: {} }))
      await isRefused(site.ask('/page'))
    },
  },
  {
    name: '20 installs at once on the default store',
    peer: 'wrong',
    async run(target) {
      const sites = Array.from({ length: 20 }, () => createSite(target))
      const statuses = await Promise.all(sites.map(async site => (await sendInstall(target, site)).status))
      assert.deepEqual(
        new Set(statuses),
        new Set([204]),
        `${statuses.filter(status => status === 204).length} of 20 saved`,
      )
    },
  },
  {
    name: 'a tenant’s page after all that',
    peer: 'right',
    async run(target) {
      const site = await installedSite(target)
      const page = await isPageOf(site.ask('/page'), site.clientKey)
      assert.ok(page.token)
    },
  },
]

async function installWithKnownToken(target: Target): Promise<{ readonly site: FakeSite; readonly token: string }> {
  const site = createSite(target)
  const claims = target.product.lifecycleClaims(target.url, '/installed', site.clientKey)
  const token = await target.product.signLifecycle(claims)
  await answers(post(`${target.url}/installed`, token, installBody(site)), 204)
  return { site, token }
}
