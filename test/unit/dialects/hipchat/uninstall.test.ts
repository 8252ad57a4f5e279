// Removal: what the host must have said, what listeners may do, in which order things happen.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartywallError } from '../../../../src/core/errors.ts'
import { answer, createWorld, errorCode, HOST } from './world.ts'

test('A 12: removal of an unknown installation is 404, of a removed one 204', async () => {
  const world = createWorld()
  assert.equal((await world.uninstall('nobody')).status, 404)
  assert.equal((await world.uninstall('a'.repeat(300))).status, 404)
  await world.install('a')
  world.clients.delete('a')
  assert.equal((await world.uninstall('a')).status, 204)
  assert.equal((await world.uninstall('a')).status, 204)
})

test('A 16: a removal is refused as long as the host issues tokens, and waits while the host cannot say', async () => {
  const world = createWorld()
  await world.install('a')
  const forged = await world.uninstall('a')
  assert.deepEqual([forged.status, errorCode(forged)], [403, 'ERR_UNINSTALL_REFUSED'])
  const unclear = [
    answer(500),
    answer(429),
    answer(403),
    answer(404),
    answer(200),
    answer(400, { error: 'invalid_scope' }),
    answer(400, { error: 'invalid_request' }),
  ]
  for (const reply of unclear) {
    world.intercept = () => reply
    assert.equal((await world.uninstall('a')).status, 503)
  }
  world.intercept = () => {
    throw new PartywallError('ERR_OUTBOUND_UNREACHABLE')
  }
  assert.equal((await world.uninstall('a')).status, 503)
  assert.equal((await world.identity('a'))?.state, 'installed')
  for (const reply of [answer(401), answer(400, { error: { code: 400 } }), answer(400, { error: 'invalid_client' })]) {
    world.intercept = undefined
    await world.install('a')
    world.intercept = () => reply
    assert.equal((await world.uninstall('a')).status, 204)
    assert.equal((await world.identity('a'))?.state, 'uninstalled')
  }
})

test('B1 DELETE /addon/installable: a removal asks with the stored credentials at the bound host', async () => {
  const world = createWorld()
  await world.install('a')
  world.calls.length = 0
  await world.uninstall('a')
  assert.equal(world.calls[0]?.url, `${HOST}/v2/oauth/token`)
  assert.equal(world.calls[0]?.headers?.authorization, `Basic ${Buffer.from('a:secret-of-a').toString('base64')}`)
})

test('a removal that meets a re-install asks again about the new credentials', async () => {
  const world = createWorld()
  await world.install('a')
  world.clients.delete('a')
  let isFirst = true
  world.registry.hooks.beforeApply = async change => {
    if (change.kind !== 'uninstall' || !isFirst) return
    isFirst = false
    await world.install('a', { secret: 'another-secret' })
  }
  assert.equal((await world.uninstall('a')).status, 403)
  assert.equal((await world.identity('a'))?.state, 'installed')
})

test('uninstall listeners run once, after the commit and before the answer, and may read but not write or call', async () => {
  const seen: unknown[] = []
  const world = createWorld({}, addon =>
    addon.onUninstalled(async ctx => {
      seen.push(ctx.tenant.id, [...world.registry.log], await ctx.tenantStore.get('x'))
      await assert.rejects(ctx.tenantClient.getRoom(5), { code: 'ERR_TENANT_READ_ONLY' })
    }),
  )
  await world.install('a')
  world.clients.delete('a')
  world.registry.log.length = 0
  assert.equal((await world.uninstall('a')).status, 204)
  await world.uninstall('a')
  assert.deepEqual(seen, ['a', ['uninstall uninstall committed'], undefined])
  assert.deepEqual(world.registry.log, ['uninstall uninstall committed', 'settled', 'settled'])
  assert.deepEqual(world.erased, ['a', 'a'])
  assert.deepEqual(world.inbox.buried, [])
})

test('an uninstall listener that fails goes to the dead letters; the uninstall stands', async () => {
  const world = createWorld({}, addon => addon.onUninstalled(() => Promise.reject(new Error('no'))))
  await world.install('a')
  world.clients.delete('a')
  assert.equal((await world.uninstall('a')).status, 204)
  assert.deepEqual(world.inbox.buried, ['hipchat:com.example.greeter:test:uninstalled'])
  assert.equal((await world.identity('a'))?.state, 'uninstalled')
})
