// examples/karma.ts: votes of many people at once, through two apps on one database, on a simulated host.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HipchatApp } from 'partywall'
import { FAULTS, type HipchatHost, type HostGroup, type Installation, startHipchatHost } from 'partywall/host'
import { addKarma } from '../../examples/karma.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type RunningApp, startHipchatApp } from '../support/hipchat-app.ts'
import { eventually } from '../support/processes.ts'

/** 25 in each room: the host takes 30 notifications a minute there. */
const ROOMS = 9
const VOTES = 25 * ROOMS

let database: TestDatabase
let host: HipchatHost
let running: readonly RunningApp<HipchatApp>[]
before(async () => {
  database = await createTestDatabase()
  host = await startHipchatHost({ rateLimit: false, webhookTimeoutMs: 60_000 })
  const start = () =>
    startHipchatApp({ database, hosts: [host], key: 'com.example.karma' }, app =>
      addKarma(app, { hosts: [new URL(host.url).host] }),
    )
  running = [await start(), await start()]
})
after(async () => {
  await Promise.all((running ?? []).map(one => one.close()))
  await host?.close()
  await database?.close()
})

async function install(name: string): Promise<{ group: HostGroup; installation: Installation }> {
  const group = host.createGroup({ name })
  const installation = await host.install(`${running[0]?.url}/addon/capabilities`, { group })
  assert.equal(installation.state, 'installed', JSON.stringify(installation.result))
  return { group, installation }
}

test('B8 karma: of hundreds of votes at once, in several rooms and through two apps, each counts once', async () => {
  const { group, installation } = await install('Acme')
  const rooms = Array.from({ length: ROOMS }, (_, n) => group.createRoom({ name: `Room ${n}` }))
  const voice = async (n: number): Promise<void> => {
    const room = rooms[n % rooms.length] ?? assert.fail()
    const text = n % 3 === 0 ? 'coffee-- @Ada++' : 'coffee++'
    if (n % 2 === 0) await room.say(group.owner, text)
    else assert.equal(await deliver(running[1]?.url ?? '', installation, room, text), 204)
  }
  await Promise.all(Array.from({ length: VOTES }, (_, n) => voice(n)))
  await eventually('every vote has been answered', () => answersIn(rooms).length === VOTES, 60_000)

  const [room = assert.fail()] = rooms
  assert.equal(await ask(room, group, '/karma coffee'), `coffee: ${VOTES / 3}`)
  assert.equal(await ask(room, group, '/karma @Ada'), `@ada: ${VOTES / 3}`)
})

test('B8 karma: the best of things and users are listed apart, and only those of the own group', async () => {
  const { group } = await install('Globex')
  const room = group.createRoom({ name: 'Lobby' })
  assert.equal(await ask(room, group, '/karma :top things'), 'No things have points yet')
  await ask(room, group, 'tea++ c++++ __proto__-- @grace++')
  await ask(room, group, 'tea++ and more words--ignored')
  assert.equal(await ask(room, group, '/karma :top things'), '1. tea: 2\n2. c++: 1\n3. __proto__: -1')
  assert.equal(await ask(room, group, '/karma :top users'), '1. @grace: 1')
  assert.equal(await ask(room, group, '/karma :top cats'), 'Try /karma :top things or /karma :top users')
})

test('a vote whose answer fails at the host is counted once, though its handler runs again', async () => {
  const { group, installation } = await install('Initech')
  const room = group.createRoom({ name: 'Lobby' })
  host.faults.inject({ ...FAULTS.restDown, oauthId: installation.oauthId, times: 1 })
  assert.equal(await ask(room, group, 'tea++'), 'tea: 1')
})

type Room = ReturnType<HostGroup['createRoom']>

const answersIn = (rooms: readonly Room[]) =>
  rooms.flatMap(room => room.history).filter(item => item.type === 'notification')

/** Says it, and gives the add-on's next answer in the room. */
async function ask(room: Room, group: HostGroup, text: string): Promise<string> {
  const before = answersIn([room]).length
  await room.say(group.owner, text)
  await eventually(`an answer to ${text}`, () => answersIn([room]).length > before)
  return answersIn([room])[before]?.message ?? ''
}

/** A delivery of the host's, to another process of the app than the one the descriptor names. */
async function deliver(url: string, installation: Installation, { id, name }: Room, text: string): Promise<number> {
  const response = await fetch(`${url}/addon/webhook`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `JWT ${installation.signRequest()}` },
    body: JSON.stringify({
      event: 'room_message',
      oauth_client_id: installation.oauthId,
      webhook_id: 1,
      item: { room: { id, name }, message: { message: text, from: { id: 1, name: 'Ada' } } },
    }),
  })
  return response.status
}
