// Webhooks that a tenant registers at run time, and the two jobs that look after a tenant: refresh and liveness.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handlerOf } from '../../../../src/dialects/connect/client-jobs.ts'
import { checkLiveness, registerLiveness, scheduleLiveness } from '../../../../src/dialects/connect/liveness.ts'
import {
  createTenantWebhooks,
  registerWebhookRefresh,
  type TenantWebhooks,
} from '../../../../src/dialects/connect/tenant-webhooks.ts'
import { type ClientWorld, createClientWorld } from './client-world.ts'

const WEBHOOK = { event: 'jira:issue_updated', jqlFilter: 'project = AB' }
const KEPT = { events: ['jira:issue_updated'], jqlFilter: 'project = AB' }
const DAY_MS = 86_400_000

const withWebhooks = <T>(world: ClientWorld, name: string, work: (webhooks: TenantWebhooks) => Promise<T>) =>
  world.call(name, (client, context) => work(createTenantWebhooks(context, client, world.deps)))

/** Runs what a schedule of a tenant would run. */
const runJob = (world: ClientWorld, name: string, handler: string) =>
  world.run(name, async context =>
    world.deps.handlers.get(handler)?.({ id: '1', payload: null, attempt: 1, signal: context.signal }, context),
  )

/** A Jira that keeps registrations of one tenant. */
function keepWebhooks(world: ClientWorld) {
  const rows = new Map<number, { id: number; expirationDate: string }>()
  world.product.reply = ({ method, target, body }) => {
    const sent = body === '' ? {} : JSON.parse(body)
    if (target.startsWith('/rest/api/3/webhook/failed')) {
      return {
        status: 200,
        body: { values: [{ id: 'f1', url: 'https://x', failureTime: 1_700_000_000_000, body: '{}' }] },
      }
    }
    if (method === 'POST') {
      const id = rows.size + 1
      rows.set(id, { id, expirationDate: '2023-12-14T00:00:00.000+0000', ...sent.webhooks[0] })
      return { status: 200, body: { webhookRegistrationResult: [{ createdWebhookId: id }] } }
    }
    if (method === 'GET') return { status: 200, body: { values: [...rows.values()], isLast: true } }
    if (method === 'DELETE') for (const id of sent.webhookIds) rows.delete(id)
    return { status: method === 'DELETE' ? 202 : 200, body: {} }
  }
  return rows
}

test('a tenant’s webhook comes to the app’s own route, and is refreshed each week', async t => {
  const world = await createClientWorld(t, { scopes: ['READ'] })
  await world.install('ada', { baseUrl: world.product.origin })
  keepWebhooks(world)
  assert.deepEqual(await withWebhooks(world, 'ada', webhooks => webhooks.add(WEBHOOK)), { id: 1 })
  const [call] = world.product.calls
  assert.deepEqual(JSON.parse(call?.body ?? ''), {
    url: 'https://notes.example/webhook/jira-issue_updated',
    webhooks: [KEPT],
  })
  const [schedule] = world.scheduled
  assert.equal(schedule?.handler, handlerOf(world.settings, 'webhooks-refresh'))
  assert.match(schedule?.cron ?? '', /^\d{1,2} \d{1,2} \* \* [0-6]$/)
  const [listed] = await withWebhooks(world, 'ada', webhooks => webhooks.list())
  assert.deepEqual(listed, { id: 1, ...KEPT, expiresAt: new Date('2023-12-14T00:00:00Z') })
})

test('the weekly job refreshes what there is, and ends itself when nothing is left', async t => {
  const world = await createClientWorld(t)
  await world.install('ada', { baseUrl: world.product.origin })
  registerWebhookRefresh(world.deps)
  const rows = keepWebhooks(world)
  await withWebhooks(world, 'ada', webhooks => webhooks.add(WEBHOOK))
  await withWebhooks(world, 'ada', webhooks => webhooks.add(WEBHOOK))
  const job = handlerOf(world.settings, 'webhooks-refresh')
  await runJob(world, 'ada', job)
  const last = world.product.calls.at(-1)
  assert.deepEqual(
    [last?.method, last?.target, last?.body],
    ['PUT', '/rest/api/3/webhook/refresh', '{"webhookIds":[1,2]}'],
  )
  await withWebhooks(world, 'ada', webhooks => webhooks.remove(1, 2))
  assert.equal(rows.size, 0)
  await runJob(world, 'ada', job)
  assert.deepEqual(world.scheduled, [])
})

test('deliveries that the product gave up are told', async t => {
  const world = await createClientWorld(t)
  await world.install('ada', { baseUrl: world.product.origin })
  keepWebhooks(world)
  const after = new Date(1_690_000_000_000)
  const failed = await withWebhooks(world, 'ada', webhooks => webhooks.failed({ after }))
  assert.deepEqual(failed, [{ id: 'f1', url: 'https://x', failedAt: new Date(1_700_000_000_000), body: '{}' }])
  assert.equal(world.product.calls[0]?.target, '/rest/api/3/webhook/failed?maxResults=1000&after=1690000000000')
})

test('a webhook that cannot be meant, or that the product refuses, has a code and no schedule', async t => {
  const world = await createClientWorld(t)
  await world.install('ada', { baseUrl: world.product.origin })
  const wrong: unknown[] = [
    {},
    null,
    { ...WEBHOOK, event: '' },
    { ...WEBHOOK, event: '../x' },
    { ...WEBHOOK, events: ['a'] },
    { ...WEBHOOK, url: 'https://evil.example' },
    { ...WEBHOOK, jqlFilter: undefined },
  ]
  for (const webhook of wrong) {
    await assert.rejects(
      withWebhooks(world, 'ada', webhooks => webhooks.add(webhook as typeof WEBHOOK)),
      { code: 'ERR_WEBHOOK_INVALID' },
    )
  }
  assert.equal(world.product.calls.length, 0)
  world.product.reply = () => ({ status: 200, body: { webhookRegistrationResult: [{ errors: ['no'] }] } })
  await assert.rejects(
    withWebhooks(world, 'ada', webhooks => webhooks.add(WEBHOOK)),
    { code: 'ERR_WEBHOOK_INVALID' },
  )
  world.product.reply = () => ({ status: 200, body: { webhookRegistrationResult: 'x' } })
  await assert.rejects(
    withWebhooks(world, 'ada', webhooks => webhooks.add(WEBHOOK)),
    { code: 'ERR_HOST_RESPONSE' },
  )
  assert.deepEqual(world.scheduled, [])
})

test('a site that is gone is reported after some days of refusal, and a word of it ends the count', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  const reports: number[] = []
  registerLiveness(world.deps, async (_, { refusedDays }) => void reports.push(refusedDays), 3)
  await world.run('ada', context => scheduleLiveness(context, world.deps))
  assert.match(world.scheduled[0]?.cron ?? '', /^\d{1,2} \d{1,2} \* \* \*$/)
  const job = handlerOf(world.settings, 'liveness')
  for (const status of [401, 403, 404, 404, 404]) {
    world.product.reply = () => ({ status })
    await runJob(world, 'ada', job)
    world.time.now += DAY_MS
  }
  assert.deepEqual(reports, [3, 4])
  world.product.reply = () => ({ status: 200, body: { key: 'com.example.notes' } })
  await runJob(world, 'ada', job)
  world.product.reply = () => ({ status: 404 })
  const again = await world.run('ada', context => checkLiveness(context, world.deps))
  assert.deepEqual(again, { isAlive: false, refusedDays: 0 })
})

test('a product that fails says nothing about the tenant', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  for (const status of [500, 302, 429]) {
    world.product.reply = () => ({ status })
    await assert.rejects(world.run('ada', context => checkLiveness(context, world.deps)))
  }
  assert.equal(world.kv.rows.size, 0)
})

test('the product tells state and licence of the app', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  world.product.reply = () => ({
    status: 200,
    body: { key: 'com.example.notes', version: '1.0', state: 'ENABLED', license: { active: true } },
  })
  assert.deepEqual(await world.call('ada', client => client.addonState()), {
    key: 'com.example.notes',
    version: '1.0',
    state: 'ENABLED',
    isLicensed: true,
  })
})
