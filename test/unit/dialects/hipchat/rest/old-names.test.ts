// The names of the old library's client: all there, with the arguments it documents. What each sends, `rest-calls.test.ts` shows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPartywallError } from '../../../../../src/core/errors.ts'
import { ready } from '../client-world.ts'
import { answer } from '../world.ts'

/** The names that a title tells: `B6 getRoom, getRooms: ...`. */
const namesOf = (title: string): string[] => title.replace(/^B6 |:.*$/g, '').split(', ')

const methodsOf = (client: object, names: readonly string[]): string[] => {
  const members = new Map<string, unknown>(Object.entries(client))
  return names.filter(name => typeof members.get(name) === 'function')
}

test('B6 getEmoticons, getEmoticon, getRooms, createRoom, getUsers, createUser, glancePushGroup, glancePushUser, getToken, getSession, deleteSession, forRoom, forUser: of the tenant', async t => {
  const { run } = await ready()
  await run(({ tenantClient }) => assert.deepEqual(methodsOf(tenantClient, namesOf(t.name)), namesOf(t.name)))
})

test('B6 getRoom, updateRoom, deleteRoom, getRoomMessage, getRoomHistory, getRecentRoomHistory, getRoomStatistics, getRoomMembers, addRoomMember, removeRoomMember, setRoomTopic, replyToMessage, sendNotification, shareLinkWithRoom, glancePushRoom: of a room, bound or not', async t => {
  const { run } = await ready()
  await run(({ tenantClient, roomClient }) => {
    assert.deepEqual(methodsOf(tenantClient, namesOf(t.name)), namesOf(t.name))
    assert.deepEqual(methodsOf(roomClient ?? {}, namesOf(t.name)), namesOf(t.name))
  })
})

test('B6 getRoomWebhooks, getWebhooks, createRoomWebhook, createWebhook, getRoomWebhook, getWebhook, deleteRoomWebhook, deleteWebhook: two names of one call, bound or not', async t => {
  const { run } = await ready()
  await run(({ tenantClient, roomClient }) => {
    assert.deepEqual(methodsOf(tenantClient, namesOf(t.name)), namesOf(t.name))
    assert.deepEqual(methodsOf(roomClient ?? {}, namesOf(t.name)), namesOf(t.name))
  })
})

test('B6 getUser, updateUser, deleteUser, updateUserPhoto, deleteUserPhoto, getPrivateChatMessage, getRecentPrivateChatHistory, shareLinkWithUser: of a person, bound or not', async t => {
  const { run } = await ready()
  await run(({ tenantClient }) => {
    assert.deepEqual(methodsOf(tenantClient, namesOf(t.name)), namesOf(t.name))
    assert.deepEqual(methodsOf(tenantClient.forUser('@ada'), namesOf(t.name)), namesOf(t.name))
  })
})

test('B6 response, body: an error has the status, the type and the message of the host', async () => {
  const { world, run } = await ready()
  const body = { error: { code: 404, type: 'Not Found', message: 'Room not found.' } }
  world.intercept = ({ url }) => (url.endsWith('/token') ? undefined : answer(404, body))
  const error = await run(ctx => ctx.tenantClient.getRoom('Den')).catch(caught => caught)
  assert.ok(isPartywallError(error, 'ERR_HOST_RESPONSE'))
  assert.deepEqual(error.details, { status: 404, method: 'GET', hostMessage: 'Room not found.', type: 'Not Found' })
})
