/** SIGKILL directly after a 2xx, and in the middle of everything; SIGTERM under load. The database is the same one afterwards. */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import {
  as,
  endScene,
  eventually,
  expectRefused,
  expectStatus,
  expectWorks,
  getValue,
  install,
  installBody,
  isOk,
  newSecret,
  postInstall,
  putValue,
  setScene,
  type Tenant,
  tokenOf,
  uninstall,
  withToken,
} from './support.ts'

const scene = setScene()

async function killAndRestart(): Promise<void> {
  await scene.probe.kill('SIGKILL')
  await scene.probe.start()
}

const hookBody = (tenant: Tenant) => ({
  event: 'room_message',
  oauth_client_id: tenant.id,
  webhook_id: 1,
  item: {
    room: { id: 7, name: 'r' },
    message: { id: randomUUID(), from: { id: 1, name: 'U' }, message: '/hello', type: 'message' },
  },
})

const deliver = (token: string, body: unknown) => withToken(scene, token, '/hipchat/webhook', { method: 'POST', body })

async function expectCount(tenant: Tenant, expected: number): Promise<void> {
  let seen = -1
  await eventually(
    `${expected} deliveries of ${tenant.id} are processed`,
    async () => {
      seen = Number((await as(scene, tenant, '/hipchat/events')).json?.count)
      return seen >= expected
    },
    45_000,
  )
  assert.equal(seen, expected)
}

for (let round = 1; round <= 5; round += 1) {
  test(`A 9, D 41, H 87: nothing that was answered 2xx is lost by a kill, round ${round}`, async () => {
    const stays = await install(scene)
    const leaves = await install(scene)
    const renewed = await install(scene)
    await putValue(scene, stays, 'note', `round ${round}`)
    const used = await tokenOf(scene, stays)
    const body = hookBody(stays)
    // Each round kills after another kind of 2xx.
    let old: Tenant | undefined
    let late: Tenant | undefined
    const lastSteps = [
      async () => {
        late = await install(scene)
      },
      async () => expectStatus(await uninstall(scene, leaves), [200, 204]),
      async () => assert.equal(isOk(await deliver(used, body)), true),
      async () => {
        old = { ...renewed }
        renewed.client.secrets.clear()
        Object.assign(renewed, await install(scene, { id: renewed.id }))
      },
      async () => assert.equal(isOk(await putValue(scene, stays, 'last', 'words')), true),
    ]
    // The one of this round comes last, directly before the kill.
    for (const step of [...lastSteps.slice(round), ...lastSteps.slice(0, round)]) await step()
    await killAndRestart()
    await expectWorks(scene, stays)
    await expectWorks(scene, renewed)
    assert.ok(late && old)
    await expectWorks(scene, late)
    await expectRefused(scene, leaves, 'the removed tenant')
    await expectRefused(scene, old, 'the old secret')
    assert.equal((await getValue(scene, stays, 'note')).json?.value, `round ${round}`)
    assert.equal((await getValue(scene, stays, 'last')).json?.value, 'words')
    assert.equal(isOk(await deliver(used, body)), true)
    await expectCount(stays, 1)
  })
}

test('A 9, E 54: killed in the middle of writes, installations and deliveries: all that was 2xx is there, and no half of anything', async () => {
  const tenant = await install(scene)
  const confirmed = { keys: new Map<string, string>(), tenants: [] as Tenant[], deliveries: 0 }
  let sent = 0
  let isOver = false
  const worker = async (kind: number): Promise<void> => {
    for (let index = 0; !isOver; index += 1) {
      try {
        if (kind === 0) {
          const value = `${index}:${'x'.repeat(200)}`
          if (isOk(await putValue(scene, tenant, `k${index}`, value))) confirmed.keys.set(`k${index}`, value)
        } else if (kind === 1) {
          confirmed.tenants.push(await install(scene))
        } else {
          sent += 1
          if (isOk(await deliver(await tokenOf(scene, tenant), hookBody(tenant)))) confirmed.deliveries += 1
        }
      } catch (error) {
        // The kill cuts whatever is on its way; only what was confirmed before counts.
        if (!isOver) throw error
      }
    }
  }
  const workers = [worker(0), worker(1), worker(2)]
  await eventually(
    'some of each is done',
    () => confirmed.keys.size > 10 && confirmed.tenants.length > 3 && confirmed.deliveries > 5,
    60_000,
  )
  isOver = true
  await scene.probe.kill('SIGKILL')
  await Promise.all(workers)
  await scene.probe.start()
  for (const [key, value] of confirmed.keys) assert.equal((await getValue(scene, tenant, key)).json?.value, value)
  for (const one of confirmed.tenants) await expectWorks(scene, one)
  await eventually(
    'every confirmed delivery is processed',
    async () => {
      const count = Number((await as(scene, tenant, '/hipchat/events')).json?.count)
      assert.equal(count <= sent, true, `${count} of ${sent}`)
      return count >= confirmed.deliveries
    },
    45_000,
  )
})

test('A 9, A 14: an installation that a kill interrupted can simply be repeated', async () => {
  const secret = newSecret()
  const client = scene.host.client('interrupted', secret)
  client.tokenReply = { mode: 'hang' }
  const body = installBody(scene, { oauthId: 'interrupted', oauthSecret: secret })
  const cut = postInstall(scene, body).then(
    answer => answer.status,
    () => 0,
  )
  await eventually('the host was asked', () => client.tokenRequests > 0)
  await killAndRestart()
  assert.equal(await cut, 0)
  client.tokenReply = undefined
  assert.equal(isOk(await postInstall(scene, body)), true)
  await expectWorks(scene, { id: 'interrupted', secret, host: scene.host, client })
})

for (const how of ['full', 'closed'] as const) {
  test(`H 88: with its database ${how}, requests get 503 and no false 2xx; it recovers without a restart`, async () => {
    const tenant = await install(scene)
    await putValue(scene, tenant, 'note', 'before')
    const body = hookBody(tenant)
    const fresh = installBody(scene)
    scene.host.client(String(fresh.oauthId), String(fresh.oauthSecret))
    await scene.probe.cutDatabase(how)
    const answers = {
      read: await getValue(scene, tenant, 'note'),
      write: await putValue(scene, tenant, 'note', 'meanwhile'),
      list: await as(scene, tenant, '/hipchat/kv/list'),
      delivery: await deliver(await tokenOf(scene, tenant), body),
      installation: await postInstall(scene, fresh),
    }
    await scene.probe.healDatabase()
    await eventually('reads work again', async () => (await getValue(scene, tenant, 'note')).status === 200, 20_000)
    assert.equal((await getValue(scene, tenant, 'note')).json?.value, 'before')
    assert.equal(isOk(await putValue(scene, tenant, 'note', 'after')), true)
    assert.equal(isOk(await postInstall(scene, fresh)), true)
    assert.equal(isOk(await deliver(await tokenOf(scene, tenant), body)), true)
    await expectCount(tenant, 1)
    const wrong = Object.entries(answers).filter(([, answer]) => answer.status !== 503)
    assert.deepEqual(
      wrong.map(([name, answer]) => `${name}: ${answer.status} ${answer.text}`),
      [],
    )
  })
}

test('H 87: SIGTERM ends the process within 8 s, and a running request is answered', async () => {
  const tenant = await install(scene)
  const running = as(scene, tenant, '/hipchat/whoami?delay=1500')
  await as(scene, tenant, '/hipchat/whoami')
  const started = performance.now()
  await scene.probe.kill('SIGTERM')
  assert.equal(performance.now() - started < 8500, true, `${performance.now() - started} ms`)
  assert.equal((await running).status, 200)
  await scene.probe.start()
  await expectWorks(scene, tenant)
})

endScene(scene)
