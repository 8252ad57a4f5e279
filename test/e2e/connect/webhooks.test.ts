// Webhooks of a Connect app: proved, durable, told apart, run bound to their tenant.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ConnectWorld, outcomeOf, startConnectWorld } from '../../support/connect-app.ts'
import type { FakeSite } from '../../support/fake-product.ts'

let world: ConnectWorld
let site: FakeSite
const heard: Record<string, unknown>[] = []
let failures = 0

before(async () => {
  world = await startConnectWorld(
    connect => {
      connect
        .webhook('jira:issue_created', ({ tenant, event, body, deliveryId, flow, userId }) => {
          heard.push({ tenant: tenant.id, event, body, deliveryId, flow, userId })
        })
        .webhook(
          'page_created',
          ({ params, query }) => heard.push({ params: { ...params }, query: query.toString() }),
          {
            path: '/hooks/{content.id}?space={space.key}',
            excludeBody: true,
          },
        )
        .webhook('comment_created', ({ attempt }) => {
          if (attempt === 1) {
            failures += 1
            throw new Error('not yet')
          }
          heard.push({ attempt })
        })
        .onWebhook('space_created', ({ event }) => heard.push({ event }))
        .onMigration(({ event, body }) => heard.push({ event, body }))
    },
    {
      descriptor: {
        modules: {
          webhooks: [
            { event: 'space_created', url: '/space' },
            { event: 'unheard', url: '/unheard' },
          ],
        },
      },
    },
  )
  site = world.product.createSite(world.url, 'one')
  assert.equal((await site.install()).status, 204)
})
after(() => world?.close())

async function send(path: string, body: string, headers: Record<string, string> = {}): Promise<string> {
  const init = { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } }
  const outcome = await outcomeOf(site.ask(path, init))
  await world.app.runAs({ dialect: 'connect', id: site.clientKey }, async ({ tenantUid }) =>
    world.app.deliveries.idle(tenantUid, 10_000),
  )
  return outcome
}
const take = () => heard.splice(0)

test('a delivery is answered with 204 and its handler runs with what the product sent', async () => {
  const body = '{"issue":{"key":"A-1"}}'
  assert.equal(await send('/webhook/jira-issue_created', body, { 'x-atlassian-webhook-flow': 'Primary' }), '204')
  const [first, ...more] = take()
  assert.deepEqual(more, [])
  const { deliveryId, ...rest } = first ?? {}
  assert.equal(typeof deliveryId, 'string')
  assert.deepEqual(rest, {
    tenant: site.clientKey,
    event: 'jira:issue_created',
    body: { issue: { key: 'A-1' } },
    flow: 'Primary',
    userId: 'ada',
  })
})

test('D 41: retries of one identifier, and without one of one body, run once', async () => {
  const identifier = { 'x-atlassian-webhook-identifier': 'abc' }
  for (const retry of ['0', '1']) {
    const headers = { ...identifier, 'x-atlassian-webhook-retry': retry }
    assert.equal(await send('/webhook/jira-issue_created', `{"retry":${retry}}`, headers), '204')
  }
  assert.equal(take().length, 1)
  for (let time = 0; time < 2; time += 1) await send('/webhook/jira-issue_created', '{"same":true}')
  assert.equal(take().length, 1)
})

/** Deliveries that carry one and the same token. @param named  headers of each */
async function sendWithOneToken(claims: object, named: readonly Readonly<Record<string, string>>[]): Promise<number> {
  const token = await site.sign({ ...site.claims('POST', '/webhook/jira-issue_created'), ...claims })
  for (const [index, headers] of named.entries()) {
    const response = await fetch(`${world.url}/webhook/jira-issue_created`, {
      method: 'POST',
      body: JSON.stringify({ index }),
      headers: { 'content-type': 'application/json', authorization: `JWT ${token}`, ...headers },
    })
    assert.equal(response.status, 204)
  }
  await send('/unheard', '{}')
  return take().length
}
const called = (name: string) => ['x', 'y'].map(value => ({ [name]: `${name}-${value}-${Math.random()}` }))

test('D 41: one token brings one delivery, where it has a name or the delivery has none', async () => {
  assert.equal(await sendWithOneToken({}, called('x-atlassian-webhook-identifier')), 1, 'a token with jti')
  assert.equal(await sendWithOneToken({ jti: undefined }, [{}, {}]), 1, 'no name at all')
})

test('deliveries of the same second carry the same token, and all of them arrive', async () => {
  for (const name of ['x-atlassian-webhook-identifier', 'x-request-uuid'])
    assert.equal(await sendWithOneToken({ jti: undefined }, called(name)), 2, name)
})

test('variables of the path and the query reach the handler, the token does not; a left-out body is null', async () => {
  const token = await site.sign(site.claims('POST', '/hooks/17?space=DS'))
  const response = await fetch(`${world.url}/hooks/17?space=DS&jwt=${token}`, { method: 'POST' })
  assert.equal(response.status, 204)
  await send('/unheard', '{}')
  assert.deepEqual(take(), [{ params: { content_id: '17' }, query: 'space=DS' }])
})

test('a handler that throws is tried again', async () => {
  assert.equal(await send('/webhook/comment_created', '{"id":1}'), '204')
  assert.equal(failures, 1)
  assert.deepEqual(take(), [{ attempt: 2 }])
})

test('webhooks of a given descriptor are answered, and listeners of their event run', async () => {
  assert.equal(await send('/space', '{}'), '204')
  assert.deepEqual(take(), [{ event: 'space_created' }])
  assert.equal(await send('/unheard', '{}'), '204')
})

test('the hooks of a move between realms are deliveries, at the address the descriptor names', async () => {
  assert.equal((world.connect.descriptor.lifecycle as Record<string, string>)['dare-migration'], '/dare-migration')
  assert.equal(await send('/dare-migration', '{"phase":"schedule"}'), '204')
  assert.deepEqual(take(), [{ event: 'dare-migration', body: { phase: 'schedule' } }])
})

test('D 40: a webhook takes no context token, no other content type, and no odd identifier', async () => {
  const path = '/webhook/jira-issue_created'
  const json = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }
  assert.equal(await outcomeOf(site.ask(path, json, { qsh: 'context-qsh' })), '401 ERR_QSH_MISMATCH')
  assert.equal(await send(path, '{}', { 'content-type': 'text/plain' }), '415 ERR_CONTENT_TYPE')
  assert.equal(await send(path, '{'), '400 ERR_BODY_INVALID')
  assert.equal(await send(path, '{}', { 'x-atlassian-webhook-identifier': 'x'.repeat(300) }), '400 ERR_WEBHOOK_INVALID')
  assert.deepEqual(take(), [])
})
