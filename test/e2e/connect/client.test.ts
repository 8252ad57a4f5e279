// Calls to the product from an app's own handlers, with everything real but the product, which checks each token by a second
// implementation.
import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import { decodeSymmetric, SymmetricAlgorithm } from 'atlassian-jwt'
import { type ConnectWorld, outcomeOf, readAnswer, startConnectWorld } from '../../support/connect-app.ts'
import { type FakeSite, queryHash } from '../../support/fake-product.ts'

let world: ConnectWorld
let site: FakeSite
let other: FakeSite
const delivered: unknown[] = []

before(async () => {
  world = await startConnectWorld(
    connect => {
      connect
        .page('/me', async ctx => ({
          said: await ctx.tenantClient.get('/rest/api/3/myself', { query: { expand: 'a b' } }),
        }))
        .page('/edit', async ctx => {
          await ctx.authorizeJira({ project: ['EDIT_ISSUES'] })
          return { done: true }
        })
        .page('/watch', async ctx => {
          await ctx.personalData.note('ada')
          return ctx.tenantWebhooks.add({ event: 'jira:issue_updated', jqlFilter: 'project = AB' })
        })
        .onWebhook('jira:issue_updated', ctx => delivered.push([ctx.tenant.id, ctx.body]))
        .onPersonalData({ erase: async () => undefined, refresh: async () => undefined })
        .onSilent(() => undefined)
    },
    { scopes: ['WRITE'] },
  )
  site = world.product.createSite(world.url, 'one')
  other = world.product.createSite(world.url, 'two')
  assert.equal((await site.install()).status, 204)
  assert.equal((await other.install()).status, 204)
})
after(() => world?.close())

/** The product's side of a call: whose site, and that the token is right for it. */
function checkCall({ method = '', url = '', headers }: IncomingMessage): FakeSite {
  const called = [site, other].find(one => url.startsWith(`${new URL(one.baseUrl).pathname}/`))
  assert.ok(called, url)
  const token = headers.authorization?.replace('JWT ', '') ?? ''
  const claims = decodeSymmetric(token, called.secret, SymmetricAlgorithm.HS256)
  assert.equal(claims.iss, 'com.example.connect')
  assert.equal(claims.qsh, queryHash(method, url.slice(new URL(called.baseUrl).pathname.length)))
  return called
}

function answerCalls(body: (called: FakeSite) => unknown): void {
  world.product.answer = (request: IncomingMessage, response: ServerResponse) => {
    const called = checkCall(request)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body(called)))
  }
}

test('C 39: each page calls its own tenant’s site, with a token the product verifies', async () => {
  answerCalls(called => called.clientKey)
  const asked = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? site : other))
  const answers = await Promise.all(asked.map(async one => readAnswer(await one.ask('/me'))))
  assert.deepEqual(
    answers,
    asked.map(one => ({ status: 200, body: { said: one.clientKey } })),
  )
})

test('a permission is asked about the issue of the signed context, and its lack is 403', async () => {
  const granted = { permission: 'EDIT_ISSUES', issues: [10], projects: [] }
  answerCalls(called => ({ projectPermissions: called === site ? [granted] : [] }))
  const claims = { context: { jira: { issue: { id: '10' } } } }
  assert.equal(await outcomeOf(site.ask('/edit', {}, claims)), '200')
  assert.equal(await outcomeOf(other.ask('/edit', {}, claims)), '403 ERR_PERMISSION_MISSING')
  assert.equal(await outcomeOf(site.ask('/edit?issue=10')), '403 ERR_PERMISSION_MISSING')
})

test('a tenant’s own webhook arrives where it was registered for, and runs the listener of its event', async () => {
  answerCalls(() => ({ webhookRegistrationResult: [{ createdWebhookId: 7 }] }))
  assert.deepEqual(await readAnswer(await site.ask('/watch')), { status: 200, body: { id: 7 } })
  const init = { method: 'POST', body: '{"issue":1}', headers: { 'content-type': 'application/json' } }
  assert.equal(await outcomeOf(site.ask('/webhook/jira-issue_updated', init)), '204')
  await world.app.runAs({ dialect: 'connect', id: site.clientKey, addon: world.connect.key }, context =>
    world.app.deliveries.idle(context.tenantUid, 5_000),
  )
  assert.deepEqual(delivered, [[site.clientKey, { issue: 1 }]])
  assert.equal('webhooks' in ((world.connect.descriptor.modules ?? {}) as object), false)
})

test('a redirect of the product is an answer nobody expected: 503, and nothing is followed', async () => {
  world.product.asked.length = 0
  world.product.answer = (_, response) => void response.writeHead(302, { location: `${world.product.url}/else` }).end()
  assert.equal(await outcomeOf(site.ask('/me')), '503 ERR_HOST_RESPONSE')
  assert.equal(world.product.asked.length, 1)
})
