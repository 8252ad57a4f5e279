// The two helpers of the porting guide, as they stand there, in an installation of a simulated host.
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { HipchatApp } from 'partywall'
import { type HipchatHost, type HostRoom, type HostUser, startHipchatHost } from 'partywall/host'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { guideFiles, root } from '../support/documents.ts'
import { type RunningApp, startHipchatApp } from '../support/hipchat-app.ts'
import { eventually } from '../support/processes.ts'

interface Fact {
  readonly event: string
  readonly tenantId: string
  readonly userName?: string
}

let database: TestDatabase
let host: HipchatHost
let folder: string
let running: RunningApp<HipchatApp>
const facts: Fact[] = []

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pw-helpers-'))
  await mkdir(path.join(folder, 'node_modules'))
  await symlink(root, path.join(folder, 'node_modules/partywall'))
  await writeFile(path.join(folder, 'package.json'), '{"type": "module"}')
  await writeFile(path.join(folder, 'hello.html'), '<b>{{name}}</b>{{nothing}}')
  for (const [name, code] of guideFiles('from-ac-koa-hipchat')) await writeFile(path.join(folder, name), code)
  const load = (name: string) => import(pathToFileURL(path.join(folder, name)).href)
  const [{ track }, { createNotifier }] = await Promise.all([load('track.ts'), load('notifier.ts')])
  database = await createTestDatabase()
  host = await startHipchatHost({ rateLimit: false })
  running = await startHipchatApp({ database, hosts: [host] }, app => {
    const addon = app.hipchat({ name: 'Helped', scopes: ['send_notification'] })
    track(addon, (fact: Fact) => facts.push(fact))
    const notifier = createNotifier({ folder })
    addon.onWebhook('room_message', ctx => notifier.sendTemplate(ctx, 'hello', { name: ctx.content }))
    return addon
  })
})
after(async () => {
  await running?.close()
  await host?.close()
  await database?.close()
  await rm(folder, { recursive: true, force: true })
})

/** One after the other, since some end what others need. */
async function doEverything(room: HostRoom, user: HostUser): Promise<void> {
  await room.setTopic(user, 'tea')
  await room.enter(user)
  await room.exit(user)
  await room.uploadFile(user, { name: 'a.png', size: 5, url: 'https://files.example/a.png' })
  await room.archive(user)
  await room.unarchive(user)
  room.group.createRoom({ name: 'Another' })
  await room.delete(user)
}

test('B8 keenio, notifier: every event is reported with its tenant, and a template shows what people wrote as text', async () => {
  const group = host.createGroup({ name: 'Acme' })
  const room = group.createRoom({ name: 'Lobby' })
  const ada = group.createUser({ name: 'Ada', mentionName: 'ada' })
  const installation = await host.install(`${running.url}/addon/capabilities`, { group })
  assert.equal(installation.webhooks.length, 10, 'all ten events')
  await room.say(ada, '<i>')
  await eventually('the notification', () => room.history.some(({ message }) => message === '<b>&#60;i&#62;</b>'))
  await doEverything(room, ada)
  const expected = ['install', 'room_message', 'room_topic_change', 'room_enter', 'room_exit', 'room_file_upload']
  expected.push('room_archived', 'room_unarchived', 'room_created', 'room_deleted')
  await eventually('every event', () => expected.every(event => facts.some(fact => fact.event === event)))
  assert.ok(facts.every(({ tenantId }) => tenantId === installation.oauthId))
  assert.equal(facts.find(({ event }) => event === 'room_message')?.userName, 'Ada')
  await installation.uninstall()
  assert.equal(facts.at(-1)?.event, 'uninstall')
})
