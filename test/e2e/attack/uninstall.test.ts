/** Attacks on removal: forged requests, hosts that are down or unclear, work that goes on, data that should stay. */

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Reply } from './fake-host.ts'
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
  isRefusal,
  newSecret,
  postInstall,
  putValue,
  removeUrl,
  setScene,
  type Tenant,
  tokenOf,
  uninstall,
} from './support.ts'

const scene = setScene()
const remove = (id: string) => scene.http.send(removeUrl(id), { method: 'DELETE' })

test('A 16: a forged removal is refused while the host still honours the credentials', async () => {
  const tenant = await install(scene)
  await putValue(scene, tenant, 'note', 'mine')
  assert.equal(isRefusal(await remove(tenant.id)), true)
  assert.equal((await getValue(scene, tenant, 'note')).json?.value, 'mine')
})

test('A 16: a forged removal does not profit from a token that is cached', async () => {
  const tenant = await install(scene)
  await as(scene, tenant, '/hipchat/outbound')
  for (let round = 0; round < 3; round += 1) assert.equal(isRefusal(await remove(tenant.id)), true)
  await expectWorks(scene, tenant)
})

test("A 16: a removal signed with the tenant's own token is still the host's decision", async () => {
  const tenant = await install(scene)
  assert.equal(isRefusal(await as(scene, tenant, removeUrl(tenant.id), { method: 'DELETE' })), true)
  await expectWorks(scene, tenant)
})

test('A 11: a true removal ends requests, store, outbound calls and webhooks of that tenant', async () => {
  const tenant = await install(scene)
  await as(scene, tenant, '/hipchat/outbound')
  const probed = tenant.client.probeRequests
  expectStatus(await uninstall(scene, tenant), [200, 204])
  for (const target of [
    '/hipchat/whoami',
    '/hipchat/outbound',
    '/hipchat/events',
    '/hipchat/kv?key=a',
    '/hipchat/kv/list',
  ]) {
    expectStatus(await as(scene, tenant, target), [401, 403], target)
  }
  const body = {
    event: 'room_message',
    oauth_client_id: tenant.id,
    webhook_id: 1,
    item: { message: { message: '/hello' } },
  }
  const hook = await as(scene, tenant, '/hipchat/webhook', { method: 'POST', body })
  expectStatus(hook, [401, 403, 404])
  assert.equal(tenant.client.probeRequests, probed)
})

test('A 12: a second removal and a removal of an unknown id are 2xx or 404', async () => {
  const tenant = await install(scene)
  expectStatus(await uninstall(scene, tenant), [200, 204])
  expectStatus(await remove(tenant.id), [200, 204, 404])
  expectStatus(await remove('nobody-ever'), [200, 204, 404])
})

test('A 12: five removals at once are all 2xx or 404, or ask for patience', async () => {
  const tenant = await install(scene)
  tenant.client.secrets.clear()
  const answers = await Promise.all(Array.from({ length: 5 }, () => remove(tenant.id)))
  for (const answer of answers) expectStatus(answer, [200, 204, 404, 409, 503])
  assert.equal(answers.some(isOk), true)
  await expectRefused(scene, tenant)
})

test("A 11: a request that waits when its tenant is removed gives no tenant's answer afterwards", async () => {
  const tenant = await install(scene)
  const waiting = as(scene, tenant, '/hipchat/whoami?delay=4000')
  await as(scene, tenant, '/hipchat/whoami')
  expectStatus(await uninstall(scene, tenant), [200, 204])
  const removedAt = performance.now()
  const answer = await waiting
  assert.equal(answer.status !== 200 || performance.now() <= removedAt + 50, true, `${answer.status} ${answer.text}`)
})

test('A 11: an outbound call that hangs when its tenant is removed brings nothing back', async () => {
  const tenant = await install(scene)
  tenant.client.probeReply = () => ({ delayMs: 1500, body: { secretOfTheRoom: 1 } })
  const waiting = as(scene, tenant, '/hipchat/outbound')
  await eventually('the call is on its way', () => tenant.client.probeRequests > 0)
  expectStatus(await uninstall(scene, tenant), [200, 204])
  const answer = await waiting
  assert.equal(answer.text.includes('secretOfTheRoom'), false, `${answer.status} ${answer.text}`)
})

describe('A 16: hosts that give no clear answer', { concurrency: true }, () => {
  const unclear: Readonly<Record<string, Reply>> = {
    'answers 500': { status: 500 },
    'answers 502 with a page': { status: 502, body: '<html>' },
    'answers 429': { status: 429, headers: { 'x-ratelimit-reset': '9999999999' } },
    'cuts the connection': { mode: 'cut' },
    'never answers': { mode: 'hang' },
    'drips for ever': { mode: 'drip' },
    floods: { mode: 'flood' },
    'redirects to a page': { status: 302, headers: { location: '/login' } },
    'answers 200 without JSON': { status: 200, body: '<html>' },
    'answers 200 without a token': { status: 200, body: {} },
    'answers 404': { status: 404 },
  }
  for (const [name, reply] of Object.entries(unclear)) {
    test(`A 16: a removal while the host ${name} changes nothing`, async () => {
      const tenant = await install(scene)
      tenant.client.tokenReply = reply
      const answer = await remove(tenant.id)
      assert.equal(isOk(answer), false, `${answer.status}`)
      assert.equal(answer.ms < 15_000, true, `${answer.ms} ms`)
      await expectWorks(scene, tenant)
    })
  }
})

test('A 16: a removal while the host is down gives 503, changes nothing, and succeeds later', async () => {
  const tenant = await install(scene, { host: scene.other })
  tenant.client.secrets.clear()
  await scene.other.stop()
  try {
    expectStatus(await remove(tenant.id), [503])
    await expectWorks(scene, tenant)
  } finally {
    await scene.other.start()
  }
  expectStatus(await remove(tenant.id), [200, 204])
  await expectRefused(scene, tenant)
})

test('A 13: with retention, the same id from the same host finds its data again, and nobody else does', async () => {
  const tenant = await install(scene)
  await putValue(scene, tenant, 'note', 'kept for days', ['deep'])
  await uninstall(scene, tenant)
  const again = await install(scene, { id: tenant.id })
  assert.equal((await getValue(scene, again, 'note', ['deep'])).json?.value, 'kept for days')
  await expectRefused(scene, tenant, 'the secret of before the removal')
})

test('A 15: an id that was removed stays bound to its host while its data are kept', async () => {
  const tenant = await install(scene)
  await putValue(scene, tenant, 'note', 'mine')
  await uninstall(scene, tenant)
  const secret = newSecret()
  scene.other.client(tenant.id, secret)
  const body = { oauthId: tenant.id, oauthSecret: secret, capabilitiesUrl: scene.other.capabilitiesUrl }
  expectStatus(await postInstall(scene, installBody(scene, body)), [409])
})

test('A 11: removal, re-installation and removal again: each state is the last one asked for', async () => {
  let tenant: Tenant = await install(scene)
  for (let round = 0; round < 5; round += 1) {
    expectStatus(await uninstall(scene, tenant), [200, 204])
    await expectRefused(scene, tenant, `removed in round ${round}`)
    tenant = await install(scene, { id: tenant.id })
    await expectWorks(scene, tenant, `installed in round ${round}`)
  }
})

test('H 81: a removal cannot be dressed as another method', async () => {
  const tenant = await install(scene)
  tenant.client.secrets.clear()
  const overrides = ['x-http-method-override', 'x-http-method', 'x-method-override']
  for (const name of overrides) {
    const headers = { [name]: 'DELETE' }
    const answer = await scene.http.send(removeUrl(tenant.id), { method: 'POST', headers, body: {} })
    expectStatus(answer, [400, 404, 405], name)
  }
  expectStatus(
    await scene.http.send(`${removeUrl(tenant.id)}?_method=DELETE`, { method: 'POST', body: {} }),
    [400, 404, 405],
  )
  expectStatus(await scene.http.send(removeUrl(tenant.id)), [404, 405])
  await expectWorks(scene, tenant)
})

test('A 12: a removal without an id, or with more than an id, removes nobody', async () => {
  const tenant = await install(scene)
  tenant.client.secrets.clear()
  const id = encodeURIComponent(tenant.id)
  for (const target of [
    '',
    '/',
    `/${id}/`,
    `/${id}/x`,
    `//${id}`,
    `/x/../${id}`,
    `/${id}%2f`,
    `/${id}%00`,
    '/%',
    '/%ff',
    '/*',
  ]) {
    const answer = await scene.http.send(`/hipchat/installable${target}`, { method: 'DELETE' })
    expectStatus(answer, [204, 400, 404, 405], JSON.stringify(target))
    await expectWorks(scene, tenant, `after ${JSON.stringify(target)}`)
  }
  // The token of a request is proof for that request, so it proves nothing about a removal.
  expectStatus(
    await scene.http.send('/hipchat/installable', {
      method: 'DELETE',
      headers: { authorization: `JWT ${await tokenOf(scene, tenant)}` },
    }),
    [400, 404, 405],
  )
})

endScene(scene)
