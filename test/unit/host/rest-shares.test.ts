// Sharing links and files with rooms and users; the multipart body is read strictly.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import type { HostUser } from '../../../src/host/index.ts'
import { startWorld, type World } from './world.ts'

let world: World
let user: HostUser
let count = 0
before(async () => {
  world = await startWorld({}, { floodControl: false })
})
beforeEach(() => {
  user = world.group.createUser({ name: 'Grace', mentionName: `grace${++count}` })
})
after(() => world.close())

const share = async (path: string, body: string | Buffer, contentType = 'multipart/related; boundary=cut') => {
  const headers = { authorization: `Bearer ${world.token}`, 'content-type': contentType }
  const response = await fetch(`${world.host.url}/v2${path}/share/file`, { method: 'POST', headers, body })
  await response.text()
  return response.status
}
const lines = (...all: string[]) => all.join('\r\n')
const JSON_PART = ['--cut', 'Content-Type: application/json; charset=UTF-8', '', '{"message": "look"}']
const FILE_PART = ['--cut', 'Content-Disposition: attachment; name="file"; filename="a b.txt"', '', 'line\r\n--cu']
const good = lines(...JSON_PART, ...FILE_PART, '--cut--', '')

for (const method of ['POST', 'PUT']) {
  test(`a link is shared by ${method}, with a room and with a user`, async () => {
    const body = { link: 'https://example.com/page', message: 'read' }
    assert.equal(await world.status(method, `/room/${world.room.id}/share/link`, body), 204)
    assert.equal(await world.status(method, `/user/${user.id}/share/link`, { link: body.link }), 204)
    const links = [{ type: 'link', url: body.link }]
    const shared = world.room.history.at(-1)
    assert.deepEqual([shared?.message, shared?.message_links], [`read ${body.link}`, links])
    assert.deepEqual([user.messages[0]?.message, user.messages[0]?.message_links], [body.link, links])
    for (const link of [undefined, '', 'example.com', 'javascript:alert(1)']) {
      assert.equal(await world.status(method, `/room/${world.room.id}/share/link`, { link }), 400)
    }
  })
}

test('a file reaches the room with its message and both events, and can be fetched as a download', async () => {
  const webhook = ['room_file_upload', 'room_message'].map(event => ({ event, url: `${world.addon.url}/${event}` }))
  const capabilities = { ...(world.addon.descriptor.capabilities as object), webhook }
  const listener = await world.host.install({ ...world.addon.descriptor, capabilities }, { group: world.group })
  assert.equal(await share(`/room/${world.room.id}`, good), 204)
  await world.host.idle()
  const shared = world.room.history.at(-1)
  assert.deepEqual([shared?.message, shared?.file?.name, shared?.file?.size], ['look', 'a b.txt', 10])
  const paths: string[] = []
  const stop = world.host.on('request', ({ path }) => paths.push(path))
  const response = await fetch(shared?.file?.url ?? '')
  stop()
  assert.deepEqual(paths, ['/files/:id/:name'])
  assert.equal(await response.text(), 'line\r\n--cu')
  assert.deepEqual(
    [response.headers.get('content-disposition'), response.headers.get('x-content-type-options')],
    ['attachment', 'nosniff'],
  )
  const heard = world.addon.received('POST', '/room_file_upload')[0]?.body.item as Record<string, unknown>
  assert.deepEqual(heard.file, shared?.file)
  assert.equal(world.addon.received('POST', '/room_message').length, 1)
  await listener.uninstall({ tellAddon: false })
})

test('a file without a JSON part reaches a user', async () => {
  assert.equal(await share(`/user/${user.id}`, lines(...FILE_PART, '--cut--')), 204)
  assert.deepEqual([user.messages[0]?.message, user.messages[0]?.file?.name], ['', 'a b.txt'])
})

test('a folder in a file’s name is left out', async () => {
  const part = ['--cut', 'Content-Disposition: attachment; filename="../../etc/passwd"', '', 'x', '--cut--']
  assert.equal(await share(`/user/${user.id}`, lines(...part)), 204)
  assert.equal(user.messages[0]?.file?.name, 'passwd')
})

for (const [what, body, contentType] of [
  ['is empty', ''],
  ['has no end', lines(...JSON_PART, ...FILE_PART)],
  ['has a preamble', `hello\r\n${good}`],
  ['has something behind its end', `${good}more`],
  ['ends its lines without carriage returns', good.replaceAll('\r\n', '\n')],
  ['has no file', lines(...JSON_PART, '--cut--')],
  ['has two files', lines(...FILE_PART, ...FILE_PART, '--cut--')],
  ['has two JSON parts', lines(...JSON_PART, ...JSON_PART, ...FILE_PART, '--cut--')],
  ['has a file without a name', lines('--cut', 'Content-Disposition: attachment', '', 'x', '--cut--')],
  ['repeats a header', good.replace('Content-Disposition', 'content-disposition: attachment\r\nContent-Disposition')],
  ['has a header over two lines', good.replace('attachment;', 'attachment;\r\n ')],
  ['is encoded', good.replace('Content-Disposition', 'Content-Transfer-Encoding: base64\r\nContent-Disposition')],
  ['has very long headers', good.replace('Content-Disposition', `X-Long: ${'x'.repeat(3_000)}\r\nContent-Disposition`)],
  ['has a JSON part that is none', good.replace('{"message"', '{message')],
  ['has a JSON part with a wrong field', good.replace('"look"', '7')],
  ['has words behind a boundary', good.replace('--cut\r\n', '--cut x\r\n')],
  ['names no boundary', good, 'multipart/related'],
  ['names two boundaries', good, 'multipart/related; boundary=cut; boundary=other'],
  ['names a boundary of 71 characters', good, `multipart/related; boundary=${'x'.repeat(71)}`],
] as const) {
  test(`a file is refused and not shared when the body ${what}`, async () => {
    const before = world.room.history.length
    assert.equal(await share(`/room/${world.room.id}`, body, contentType), 400)
    assert.equal(world.room.history.length, before)
  })
}

test('a file in another content type, or too large, is refused', async () => {
  assert.equal(await share(`/user/${user.id}`, good, 'multipart/form-data; boundary=cut'), 415)
  assert.equal(await share(`/user/${user.id}`, good.replace('line', 'x'.repeat(1_100_000))), 413)
  assert.deepEqual(user.messages, [])
})
