// Reports of accounts: whose turn it is, what the product may ask for, and what happens when something fails in between.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createPersonalData,
  type PersonalDataCallbacks,
  reportAccounts,
} from '../../../../src/dialects/connect/personal-data.ts'
import { type ClientWorld, createClientWorld } from './client-world.ts'

const DAY_MS = 86_400_000

const note = (world: ClientWorld, name: string, ...accounts: readonly string[]) =>
  world.run(name, async context => {
    for (const account of accounts) await createPersonalData(context, world.deps).note(account)
  })

function createCallbacks() {
  const asked: string[] = []
  const callbacks: PersonalDataCallbacks = {
    erase: async account => void asked.push(`erase ${account}`),
    refresh: async account => void asked.push(`refresh ${account}`),
  }
  return { asked, callbacks }
}

const report = (world: ClientWorld, callbacks: PersonalDataCallbacks) =>
  world.run('ada', context => reportAccounts(context, callbacks, world.deps))

const reported = (world: ClientWorld): string[][] =>
  world.product.calls.map(call => JSON.parse(call.body).accounts.map((one: { accountId: string }) => one.accountId))

test('accounts are reported once a cycle, 90 a call, with the time of their data', async t => {
  const world = await createClientWorld(t, { scopes: [] })
  await world.install('ada')
  await world.install('grace')
  const names = Array.from({ length: 200 }, (_, index) => `user-${index}`)
  await note(world, 'ada', ...names)
  await note(world, 'grace', 'edsger')
  assert.equal(world.scheduled.length, 2, 'one schedule for each tenant')
  const notedAt = new Date(world.time.now).toISOString()
  const { callbacks } = createCallbacks()
  world.product.reply = () => ({ status: 204 })
  await report(world, callbacks)
  assert.equal(world.product.calls.length, 0, 'not before their turn')
  world.time.now += 7 * DAY_MS
  await report(world, callbacks)
  assert.deepEqual(
    reported(world).map(batch => batch.length),
    [90, 90, 20],
  )
  assert.deepEqual(reported(world).flat().sort(), names.sort())
  assert.equal(JSON.parse(world.product.calls[0]?.body ?? '').accounts[0].updatedAt, notedAt)
  assert.equal(world.product.calls[0]?.target, '/wiki/rest/atlassian-connect/latest/report-accounts')
  await report(world, callbacks)
  assert.equal(world.product.calls.length, 3, 'their next turn is a cycle later')
})

test('closed accounts are erased and forgotten, updated ones refreshed; others are not believed', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await note(world, 'ada', 'ada', 'grace', 'edsger')
  world.time.now += 7 * DAY_MS
  world.product.reply = () => ({
    status: 200,
    body: {
      accounts: [
        { accountId: 'ada', status: 'closed' },
        { accountId: 'grace', status: 'updated' },
        { accountId: 'somebody-else', status: 'closed' },
        { accountId: 'edsger', status: 'odd' },
      ],
    },
  })
  const { asked, callbacks } = createCallbacks()
  await report(world, callbacks)
  assert.deepEqual(asked.sort(), ['erase ada', 'refresh grace'])
  world.time.now += 7 * DAY_MS
  world.product.reply = () => ({ status: 204 })
  await report(world, callbacks)
  assert.deepEqual(reported(world)[1]?.sort(), ['edsger', 'grace'])
})

test('the product sets the cycle; nonsense does not', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await note(world, 'ada', 'grace')
  const { callbacks } = createCallbacks()
  const calls: number[] = []
  for (const cycle of ['30', '-1', 'x', '0']) {
    world.product.reply = () => ({ status: 204, headers: { 'cycle-period': cycle } })
    world.time.now += 30 * DAY_MS
    await report(world, callbacks)
    world.time.now += 29 * DAY_MS
    await report(world, callbacks)
    calls.push(world.product.calls.length)
    world.time.now -= 29 * DAY_MS
  }
  assert.deepEqual(calls, [1, 2, 3, 4])
})

test('a report or callback that fails is made up for by the next one', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await note(world, 'ada', 'grace')
  world.time.now += 7 * DAY_MS
  const { asked, callbacks } = createCallbacks()
  world.product.reply = () => ({ status: 429, headers: { 'retry-after': '3600' } })
  await assert.rejects(report(world, callbacks), { code: 'ERR_HOST_RATE_LIMITED', retryAfterSeconds: 3600 })
  world.product.reply = () => ({ status: 200, body: { accounts: [{ accountId: 'grace', status: 'closed' }] } })
  const failing = { ...callbacks, erase: async () => Promise.reject(new Error('disk')) }
  await assert.rejects(report(world, failing), /disk/)
  await report(world, callbacks)
  assert.deepEqual(asked, ['erase grace'])
  assert.equal(world.kv.rows.size, 0)
})

test('what a refresh forgets stays forgotten, and an odd account is refused', async t => {
  const world = await createClientWorld(t)
  await world.install('ada')
  await note(world, 'ada', 'grace')
  world.time.now += 7 * DAY_MS
  world.product.reply = () => ({ status: 200, body: { accounts: [{ accountId: 'grace', status: 'updated' }] } })
  await report(world, {
    erase: async () => undefined,
    refresh: async (account, context) => void (await createPersonalData(context, world.deps).forget(account)),
  })
  assert.equal(world.kv.rows.size, 0)
  for (const account of ['', 'a b', 'x'.repeat(129)]) {
    await assert.rejects(note(world, 'ada', account), { code: 'ERR_CALL_INVALID' })
  }
})
