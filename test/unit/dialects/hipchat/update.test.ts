// Updates (C 5, and "HipChat re-install with another secret"): the same id, the same document, and the bound host's word again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartywallError } from '../../../../src/core/errors.ts'
import {
  answer,
  CAPABILITIES,
  capabilitiesOf,
  createWorld,
  errorCode,
  HOST,
  installBody,
  view,
  type World,
} from './world.ts'

const post = (world: World, changes: object = {}, client = { secret: 'secret-of-a', group: 7 }) =>
  world.request(view('POST', '/addon/installable', { body: { ...installBody('a', client), ...changes } }))

async function installed() {
  const world = createWorld()
  await world.install('a')
  const before = await world.identity('a')
  world.calls.length = 0
  const isUnchanged = async () => assert.equal(await world.identity('a'), before)
  return { world, before, isUnchanged }
}

test('an update arrives where an install arrives, and the descriptor always says so', () => {
  const { capabilities } = JSON.parse(JSON.stringify(createWorld().addon.descriptor))
  assert.equal(capabilities.installable.updateCallbackUrl, capabilities.installable.callbackUrl)
})

test('C 5: another document of the bound host is refused with 409 and not fetched, also with the true secret', async () => {
  const { world, isUnchanged } = await installed()
  for (const capabilitiesUrl of [`${HOST}/v3/capabilities`, `${CAPABILITIES}/`, `${CAPABILITIES}?a`]) {
    const made = await post(world, { capabilitiesUrl })
    assert.deepEqual([made.status, errorCode(made)], [409, 'ERR_INSTALL_CONFLICT'], capabilitiesUrl)
  }
  assert.equal(world.calls.length, 0)
  await isUnchanged()
})

test('C 5: an update needs a token too, where the secret stays the same', async () => {
  const { world, isUnchanged } = await installed()
  world.clients.delete('a')
  const made = await post(world, { roomId: 6 })
  assert.deepEqual([made.status, errorCode(made)], [403, 'ERR_INSTALL_TOKEN_REFUSED'])
  await isUnchanged()
})

test('C 5: an update that names another group than the token, or whose host cannot answer, changes nothing', async () => {
  const { world, isUnchanged } = await installed()
  const moved = await post(world, { groupId: 8 })
  assert.deepEqual([moved.status, errorCode(moved)], [403, 'ERR_INSTALL_GROUP_MISMATCH'])
  world.intercept = request => (request.method === 'POST' ? answer(500) : undefined)
  assert.equal((await post(world, { roomId: 6 })).status, 503)
  world.intercept = () => {
    throw new PartywallError('ERR_OUTBOUND_UNREACHABLE')
  }
  assert.equal((await post(world, { roomId: 6 })).status, 503)
  await isUnchanged()
})

test('C 5: an update takes the addresses that the document names now', async () => {
  const { world } = await installed()
  const document = capabilitiesOf(HOST)
  world.intercept = ({ method }) =>
    method === 'GET' ? answer(200, { ...document, links: { ...document.links, api: `${HOST}/v2.1` } }) : undefined
  assert.equal((await post(world)).status, 204)
  assert.deepEqual((await world.identity('a'))?.attributes.links, {
    capabilities: CAPABILITIES,
    base: HOST,
    api: `${HOST}/v2.1`,
    token: `${HOST}/v2/oauth/token`,
  })
})

test('A 15: an id that was removed stays with its host and document when it comes back', async () => {
  const { world } = await installed()
  world.clients.delete('a')
  await world.uninstall('a')
  world.calls.length = 0
  for (const capabilitiesUrl of ['https://other.example/v2/capabilities', `${HOST}/v3/capabilities`]) {
    assert.equal(errorCode(await post(world, { capabilitiesUrl })), 'ERR_INSTALL_CONFLICT')
  }
  assert.equal(world.calls.length, 0)
  assert.equal((await world.install('a', { secret: 'another-secret' })).status, 204)
  assert.equal((await world.identity('a'))?.secrets.get('secret'), 'another-secret')
})
