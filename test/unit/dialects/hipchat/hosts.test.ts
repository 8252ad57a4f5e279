// Hosts besides the cloud: every address of a tenant comes from the document of its own host.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, capabilitiesOf, createWorld, installBody, view, type World } from './world.ts'

const CLOUD = 'https://api.cloud.example'
const SERVER = 'https://chat.corp.example:8443'
const serverDocument = {
  links: { self: `${SERVER}/hipchat/v2/capabilities`, homepage: `${SERVER}/hipchat/` },
  capabilities: {
    oauth2Provider: { tokenUrl: `${SERVER}/hipchat/v2/oauth/token` },
    hipchatApiProvider: { url: `${SERVER}/hipchat/v2/` },
  },
}

function createTwoHosts(): World {
  const world = createWorld({ hosts: ['api.cloud.example', 'chat.corp.example:8443'] })
  world.intercept = ({ url, method }) => {
    if (url === `${CLOUD}/v2/capabilities`) return answer(200, capabilitiesOf(CLOUD))
    if (url === `${SERVER}/hipchat/v2/capabilities`) return answer(200, serverDocument)
    const isToken = method === 'POST' && url.endsWith('/oauth/token')
    return isToken
      ? answer(200, { access_token: `of-${new URL(url).hostname}`, expires_in: 3600 })
      : answer(200, { id: 5, name: 'Room' })
  }
  return world
}

const install = (world: World, id: string, capabilitiesUrl: string) => {
  const body = { ...installBody(id, { secret: `secret-of-${id}`, group: 7 }), capabilitiesUrl }
  return world.request(view('POST', '/addon/installable', { body }))
}
async function callRoom(world: World, id: string) {
  const identity = await world.identity(id)
  assert.ok(identity)
  world.calls.length = 0
  await world.deps.binder.run(identity, context => world.addon.services(context).tenantClient.getRoom(5))
  return world.calls.map(({ url, headers }) => [url, headers?.authorization?.replace(/^Basic .*/, 'Basic')])
}

test('C 37: a tenant of the cloud and one of a server are each called at their own host, path and port, with its token', async () => {
  const world = createTwoHosts()
  assert.equal((await install(world, 'cloud', `${CLOUD}/v2/capabilities`)).status, 204)
  assert.equal((await install(world, 'server', `${SERVER}/hipchat/v2/capabilities`)).status, 204)
  assert.deepEqual((await world.identity('server'))?.attributes.links, {
    capabilities: `${SERVER}/hipchat/v2/capabilities`,
    base: `${SERVER}/hipchat`,
    api: `${SERVER}/hipchat/v2`,
    token: `${SERVER}/hipchat/v2/oauth/token`,
  })
  assert.deepEqual(await callRoom(world, 'cloud'), [
    [`${CLOUD}/v2/oauth/token`, 'Basic'],
    [`${CLOUD}/v2/room/5`, 'Bearer of-api.cloud.example'],
  ])
  assert.deepEqual(await callRoom(world, 'server'), [
    [`${SERVER}/hipchat/v2/oauth/token`, 'Basic'],
    [`${SERVER}/hipchat/v2/room/5`, 'Bearer of-chat.corp.example'],
  ])
})

test('C 39: a call of a server’s tenant stays below the path of its API, on its port', async () => {
  const world = createTwoHosts()
  await install(world, 'server', `${SERVER}/hipchat/v2/capabilities`)
  const identity = await world.identity('server')
  assert.ok(identity)
  world.calls.length = 0
  for (const path of [
    '/../../admin',
    `${SERVER}/other`,
    'https://chat.corp.example/hipchat/v2/room',
    `${CLOUD}/v2/room`,
  ]) {
    const call = world.deps.binder.run(identity, context =>
      world.addon.services(context).tenantClient.request('GET', path, { scopes: ['view_group'] }),
    )
    await assert.rejects(call, { code: 'ERR_OUTBOUND_REFUSED' }, path)
  }
  assert.equal(world.calls.length, 0)
})

test('C 36: a server’s document speaks for its own path and port alone, and its API needs an address', async () => {
  const { links, capabilities } = serverDocument
  const { hipchatApiProvider: _, ...withoutApi } = capabilities
  for (const document of [
    { links, capabilities: withoutApi },
    { links: { ...links, api: 'https://chat.corp.example/hipchat/v2' }, capabilities },
    { links: { ...links, self: `${SERVER}/v2/capabilities` }, capabilities },
  ]) {
    const world = createTwoHosts()
    world.intercept = () => answer(200, document)
    assert.equal((await install(world, 'server', `${SERVER}/hipchat/v2/capabilities`)).status, 400)
    assert.deepEqual([world.calls.length, world.registry.records.size], [1, 0])
  }
})
