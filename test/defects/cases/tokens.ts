/** Tokens of requests, where they travel and what is kept of them: defects 7 to 11, 17. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { claimsOf, compactJson, nowSeconds, sign } from '../../e2e/attack/forge.ts'
import { eventually } from '../../support/processes.ts'
import type { DefectCase } from '../case.ts'
import { call, eventsOf, install, settle, type Tenant, whoami } from '../target.ts'
import { webhookPath } from './webhook-tools.ts'

const YEAR_SECONDS = 365 * 86_400
const TEN_MINUTES_MS = 600_000
const ONE_DAY_MS = 86_400_000

export const TOKEN_CASES: readonly DefectCase[] = [
  {
    defect: 7,
    name: 'a token a year old is refused in development too',
    async run(target) {
      const tenant = await install(target, { addon: await target.start({ NODE_ENV: 'development' }) })
      const iat = nowSeconds() - YEAR_SECONDS
      assertRefused(await whoami(tenant, tenant.installation.signRequest({ iat, exp: iat + 900 })))
    },
  },
  {
    defect: 7,
    name: 'a token from next year that never ends is refused',
    async run(target) {
      const tenant = await install(target)
      const iat = nowSeconds() + YEAR_SECONDS
      assertRefused(await whoami(tenant, tenant.installation.signRequest({ iat, exp: undefined })))
    },
  },
  {
    defect: 8,
    name: 'a chain of refreshed tokens ends within a day',
    async run(target) {
      const tenant = await install(target, { addon: await target.start({}) })
      let token = tenant.installation.signRequest()
      for (let aheadMs = 0; aheadMs < ONE_DAY_MS; aheadMs += TEN_MINUTES_MS) {
        await tenant.addon.moveClock(aheadMs)
        const answer = await whoami(tenant, token)
        if (answer.status === 401) return
        assert.equal(answer.status, 200, answer.text)
        token = (answer.json as { token: string }).token
      }
      assert.fail('still good after 144 refreshes and a day')
    },
  },
  {
    defect: 8,
    name: 'a refreshed token is not taken for one of the host’s',
    async run(target) {
      const tenant = await install(target)
      const refreshed = ((await whoami(tenant)).json as { token: string }).token
      const [header = ''] = refreshed.split('.')
      const { typ } = JSON.parse(Buffer.from(header, 'base64url').toString())
      assert.notEqual(typ, 'JWT', 'it looks like a token of the host in everything')
    },
  },
  ...(['sha384', 'sha512'] as const).map(
    (hash): DefectCase => ({
      defect: 9,
      name: `the token does not choose the algorithm: ${hash}`,
      async run(target) {
        const tenant = await install(target)
        const { oauthId, oauthSecret } = tenant.installation
        const header = { typ: 'JWT', alg: `HS${hash.slice(3)}` }
        assertRefused(await whoami(tenant, compactJson(header, claimsOf(oauthId), oauthSecret, hash)))
      },
    }),
  ),
  {
    defect: 9,
    name: 'a delivery that is sent again with the same token runs once',
    async run(target) {
      const tenant = await install(target)
      const { oauthId, oauthSecret } = tenant.installation
      const item = { room: { id: 1 }, message: { message: '/note twice', from: { id: 1, name: 'Ada' } } }
      const body = { event: 'room_message', oauth_client_id: oauthId, webhook_id: 1, item }
      const headers = { authorization: `JWT ${await sign(oauthId, oauthSecret)}` }
      const path = webhookPath(tenant, 'note')
      for (let times = 0; times < 2; times++) await tenant.addon.send(path, { method: 'POST', headers, body })
      await settle(tenant)
      const runs = (await eventsOf(tenant)).filter(({ text }) => text === '/note twice').length
      assert.equal(runs, 1, `the handler ran ${runs} times`)
    },
  },
  {
    defect: 10,
    name: 'the request log shows no token',
    async run(target) {
      const tenant = await install(target)
      const token = tenant.installation.signRequest()
      const before = tenant.addon.output.length
      await tenant.addon.send(`/whoami?signed_request=${token}`)
      // Lines are written in order: when a later request has its line, so has this one.
      await call(tenant, 'tenantStore', 'get', ['nothing'])
      await eventually('the later one is logged', () => tenant.addon.output.slice(before).includes('/call'), 5_000)
      assert.ok(!tenant.addon.output.includes(token), 'the line of the request has the whole token')
    },
  },
  {
    defect: 10,
    name: 'the token of dynamic webhooks does not follow from id and secret',
    async run(target) {
      const tenant = await install(target)
      const { oauthId, oauthSecret } = tenant.installation
      await call(tenant, 'tenantWebhooks', 'add', ['room_enter'])
      const [webhook] = [...tenant.room.webhooks.values()]
      assert.ok(webhook, 'no webhook was registered')
      const computed = createHash('sha1').update(oauthId).update(oauthSecret).digest('hex')
      assert.notEqual(new URL(webhook.url).searchParams.get('token'), computed, 'it is their SHA-1')
    },
  },
  {
    defect: 11,
    name: 'a disabled installation is refused',
    async run(target) {
      const tenant = await install(target)
      await tenant.addon.send(`/disable?id=${tenant.installation.oauthId}`)
      assertRefused(await whoami(tenant))
    },
  },
  {
    defect: 11,
    name: 'what is stored shows neither the secret nor a token',
    async run(target) {
      const tenant = await install(target)
      await call(tenant, 'roomClient', 'getRoom')
      const stored = await target.stored(tenant.addon)
      assert.ok(stored.includes(tenant.installation.oauthId), 'nothing is stored')
      assert.ok(!stored.includes(tenant.installation.oauthSecret), 'the secret is stored in clear')
      assert.doesNotMatch(stored, /access_token/, 'an access token is stored in clear')
    },
  },
  {
    defect: 17,
    name: 'the user is known where the host sends `sub` alone',
    async run(target) {
      const tenant = await install(target)
      const answer = await whoami(tenant, tenant.installation.signRequest({ sub: 42, prn: undefined }))
      assert.equal((answer.json as { user?: string }).user, '42')
    },
  },
  {
    defect: 17,
    name: '`Authorization: JWT <token>`, the documented form, is read',
    async run(target) {
      const tenant = await install(target)
      await assertReads(tenant, { authorization: `JWT ${tenant.installation.signRequest()}` })
    },
  },
  {
    defect: 17,
    name: '`X-acpt` is read',
    async run(target) {
      const tenant = await install(target)
      await assertReads(tenant, { 'x-acpt': tenant.installation.signRequest() })
    },
  },
]

const assertRefused = ({ status }: { readonly status: number }): void => assert.equal(status, 401, `answers ${status}`)

async function assertReads({ addon }: Tenant, headers: Readonly<Record<string, string>>): Promise<void> {
  const { status } = await addon.send('/whoami', { headers })
  assert.equal(status, 200, `answers ${status}`)
}
