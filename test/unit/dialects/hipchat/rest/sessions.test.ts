// Tokens in the add-on's own hands: which are given, how they end, and whether the host would take them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HipchatScope } from '../../../../../src/dialects/hipchat/options.ts'
import { apiCalls, ready, tokenCalls } from '../client-world.ts'
import { answer, HOST } from '../world.ts'

const bearerOf = (call: { headers?: Readonly<Record<string, string>> } | undefined) =>
  call?.headers?.authorization?.replace('Bearer ', '')

test('a token is given for the scopes asked for, once, and is the one that the calls use', async () => {
  const { world, run } = await ready()
  await run(async ({ tenantClient }) => {
    const token = await tenantClient.getToken('view_group')
    assert.equal(await tenantClient.getToken('view_group'), token)
    await tenantClient.getRooms()
    assert.equal(bearerOf(apiCalls(world)[0]), token)
  })
  assert.deepEqual(
    tokenCalls(world).map(call => String(call.body)),
    ['grant_type=client_credentials&scope=view_group'],
  )
})

test('no token without a scope, and none for a scope that the descriptor does not declare', async () => {
  const { world, run } = await ready()
  await assert.rejects(
    run(ctx => ctx.tenantClient.getToken()),
    { code: 'ERR_CALL_INVALID', details: { field: 'scopes' } },
  )
  await assert.rejects(
    run(ctx => ctx.tenantClient.getToken('view_group', 'admin_group')),
    { code: 'ERR_SCOPE_UNDECLARED', details: { scope: 'admin_group' } },
  )
  assert.equal(world.calls.length, 0)
})

test('without a token named, a session is the installation’s own with all declared scopes', async () => {
  const { world, run } = await ready()
  await run(ctx => ctx.tenantClient.getSession())
  assert.equal(
    String(tokenCalls(world)[0]?.body),
    'grant_type=client_credentials&scope=admin_room+send_notification+view_group',
  )
  const [call] = apiCalls(world)
  assert.equal(call?.url, `${HOST}/v2/oauth/token/${bearerOf(call)}`)
})

test('a session that is deleted is forgotten here as well', async () => {
  const { world, run } = await ready()
  await run(async ({ tenantClient }) => {
    await tenantClient.deleteSession(await tenantClient.getToken('view_group'))
    await tenantClient.getRooms()
    await tenantClient.deleteSession()
    await tenantClient.deleteSession('somebody-elses')
    await tenantClient.getSession()
  })
  assert.equal(tokenCalls(world).length, 4)
  assert.equal(bearerOf(apiCalls(world)[3]), 'somebody-elses')
})

test('`authTest` asks once per scope, sends nothing else, and takes 202 for yes and 401 for no', async () => {
  const scopes: HipchatScope[] = ['admin_room', 'send_notification', 'view_group']
  const { world, run } = await ready()
  let refused: string | undefined
  world.intercept = ({ url }) => {
    if (url.endsWith('/oauth/token')) return undefined
    return refused !== undefined && url.includes(refused) ? answer(401) : answer(202)
  }
  await run(async ctx => assert.equal(await ctx.tenantClient.authTest(scopes), true))
  assert.deepEqual(
    apiCalls(world).map(({ method, url, body }) => [method, url.replace(`${HOST}/v2`, ''), body]),
    [
      ['GET', '/room/5/webhook?auth_test=true', undefined],
      ['POST', '/room/5/notification?auth_test=true', undefined],
      ['GET', '/room?auth_test=true', undefined],
    ],
  )
  refused = '/notification'
  await run(async ctx => assert.equal(await ctx.tenantClient.authTest(scopes), false))
})

test('`authTest` does not take trouble for an answer', async () => {
  const { world, run } = await ready({ scopes: ['view_group', 'import_data'] })
  world.intercept = ({ url }) => (url.endsWith('/oauth/token') ? undefined : answer(503))
  await assert.rejects(
    run(ctx => ctx.tenantClient.authTest(['view_group'])),
    { code: 'ERR_HOST_RESPONSE' },
  )
  for (const scopes of [[], ['import_data']] as HipchatScope[][]) {
    await assert.rejects(
      run(ctx => ctx.tenantClient.authTest(scopes)),
      { code: 'ERR_CALL_INVALID' },
    )
  }
})

test('errors about a token do not contain it', async () => {
  const { world, run } = await ready()
  world.intercept = ({ url }) =>
    url.includes('/oauth/token/')
      ? answer(404, { error: { message: 'no ada@example.com here', type: 'Not Found' } })
      : undefined
  for (const token of ['abcDEF1234', 'x'.repeat(40)]) {
    const error = await run(ctx => ctx.tenantClient.getSession(token)).catch(caught => caught)
    assert.equal(error.message, 'unexpected status 404 of GET /v2/oauth/token/...: no [removed] here')
    assert.equal(error.details.type, 'Not Found')
  }
})
