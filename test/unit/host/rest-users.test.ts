// Users and emoticons over REST.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { items, type Json, names, startWorld, type World } from './world.ts'

let world: World
before(async () => {
  world = await startWorld()
})
after(() => world.close())

let count = 0
const person = (change: Json = {}) => ({ name: `Edsger ${++count}`, email: `edsger${count}@example.com`, ...change })
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

test('a user is made, read, changed and deleted', async () => {
  const body = person({ mention_name: 'Edsger', title: 'Dr', timezone: 'Europe/Amsterdam', is_group_admin: true })
  const { id } = await world.json(201, 'POST', '/user', { ...body, password: 'secret', presence: { show: 'dnd' } })
  const path = `/user/${id}`
  const made = await world.json(200, 'GET', `/user/${encodeURIComponent('@Edsger')}`)
  assert.deepEqual(
    [made.id, made.email, made.title, made.timezone, made.is_group_admin, made.presence, made.photo_url],
    [id, body.email, 'Dr', 'Europe/Amsterdam', true, { show: 'dnd' }, null],
  )
  const fields =
    'created email group id is_deleted is_group_admin is_guest last_active links mention_name name photo_url'
  assert.deepEqual(Object.keys(made).sort(), [
    ...fields.split(' '),
    'presence',
    'timezone',
    'title',
    'version',
    'xmpp_jid',
  ])
  assert.equal(await world.status('PUT', path, { name: 'E. W. D.', email: 'ewd@example.com' }), 204)
  const changed = await world.json(200, 'GET', '/user/ewd@example.com')
  assert.deepEqual([changed.name, changed.mention_name, changed.title], ['E. W. D.', 'Edsger', 'Dr'])
  assert.notEqual(changed.version, made.version)
  const room = world.group.createRoom({ name: 'For members', privacy: 'private' })
  assert.equal(await world.status('PUT', `/room/${room.id}/member/${id}`), 204)
  assert.equal(await world.status('DELETE', path), 204)
  assert.equal(await world.status('DELETE', path), 404)
  assert.equal((await world.json(200, 'GET', path)).is_deleted, true)
  assert.equal(await world.status('GET', '/user/ewd@example.com'), 404)
  assert.equal(await world.status('POST', `${path}/message`, { message: 'hi' }), 404)
  assert.deepEqual(names(await world.json(200, 'GET', `/room/${room.id}/member`)), ['Owner of Acme'])
})

test('without a mention name, one is made of the name', async () => {
  const { id } = await world.json(201, 'POST', '/user', person({ name: 'Alan Mathison' }))
  assert.equal((await world.json(200, 'GET', `/user/${id}`)).mention_name, 'AlanMathison')
})

for (const [what, change] of [
  ['without a name', { name: undefined }],
  ['without an email address', { email: undefined }],
  ['with an address that is none', { email: 'nowhere' }],
  ['with an address that is taken', { email: 'ann@example.com' }],
  ['with a mention name that is taken', { mention_name: 'ann' }],
  ['with a mention name with a space', { mention_name: 'a b' }],
  ['in an unknown zone', { timezone: 'Mars/Base' }],
  ['who is perhaps an administrator', { is_group_admin: 1 }],
  ['with an unknown presence', { presence: { show: 'asleep' } }],
] as const) {
  test(`a user ${what} is neither made nor changed so`, async () => {
    const before = world.group.users.length
    assert.equal(await world.status('POST', '/user', person(change)), 400)
    const { id, email } = world.group.owner
    assert.equal(await world.status('PUT', `/user/${id}`, person(change)), 400)
    assert.deepEqual([world.group.users.length, world.group.owner.email], [before, email])
  })
}

test('the owner of the group stays', async () => {
  assert.equal(await world.status('DELETE', `/user/${world.group.owner.id}`), 403)
})

test('guests and deleted users are listed when asked for', async () => {
  world.group.createUser({ name: 'A guest', mentionName: 'guest', isGuest: true })
  const { id } = await world.json(201, 'POST', '/user', person({ name: 'Was here' }))
  await world.status('DELETE', `/user/${id}`)
  const listed = async (query: string) => names(await world.json(200, 'GET', `/user?${query}`))
  const has = async (query: string) => ['A guest', 'Was here'].map(async name => (await listed(query)).includes(name))
  assert.deepEqual(await Promise.all(await has('')), [false, false])
  assert.deepEqual(await Promise.all(await has('include-guests=true')), [true, false])
  assert.deepEqual(await Promise.all(await has('include-deleted=true')), [false, true])
})

test('a photo is put and taken away', async () => {
  const path = `/user/${world.user.id}/photo`
  assert.equal(await world.status('PUT', path, { photo: PIXEL }), 204)
  const { photo_url: url } = await world.json(200, 'GET', `/user/${world.user.id}`)
  const bytes = Buffer.from(await (await fetch(String(url))).arrayBuffer())
  assert.equal(bytes.toString('base64'), PIXEL)
  assert.equal((await fetch(String(url).replace('photo.png', 'other.png'))).status, 404)
  for (const photo of [undefined, '', 'not base64!', `${PIXEL}\n`, Buffer.from('<svg>').toString('base64')]) {
    assert.equal(await world.status('PUT', path, { photo }), 400)
  }
  assert.equal(await world.status('DELETE', path), 204)
  assert.equal(world.user.photoUrl, undefined)
})

test('emoticons are listed by type and found by id and shortcut, those of the own group only', async () => {
  const own = world.group.createEmoticon({ shortcut: 'partywall', url: 'https://example.com/p.png' })
  world.host.createGroup({ name: 'Other' }).createEmoticon({ shortcut: 'theirs', url: 'https://example.com/t.png' })
  const shortcuts = async (type: string) =>
    items(await world.json(200, 'GET', `/emoticon?type=${type}`)).map(one => one.shortcut)
  assert.deepEqual(await shortcuts('group'), ['partywall'])
  assert.equal((await shortcuts('global')).includes('partywall'), false)
  assert.equal((await shortcuts('all')).length, (await shortcuts('global')).length + 1)
  assert.equal((await world.json(200, 'GET', '/emoticon/partywall')).id, own.id)
  assert.equal((await world.json(200, 'GET', `/emoticon/${own.id}`)).type, 'group')
  assert.equal(await world.status('GET', '/emoticon/theirs'), 404)
  assert.equal(await world.status('GET', '/emoticon?type=all-of-them'), 400)
})
