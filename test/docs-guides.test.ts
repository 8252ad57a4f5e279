// The code of the guides runs as it stands and prints what its comments say, on a real database and a simulated host.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect, promisify } from 'node:util'
import { type App, createApp, type HipchatApp, type Listening, listen } from 'partywall'
import { memoryStoreSource } from 'partywall/hipchat'
import { type HipchatHost, type HostRoom, type HostUser, type Installation, startHipchatHost } from 'partywall/host'
import { migrateApp } from '../src/postgres/migrate-app.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { GUIDES, guideFiles, root } from './support/documents.ts'
import { dumpOf, startOldAddon } from './support/old-addon.ts'
import { eventually } from './support/processes.ts'

const keys = `guides:${randomBytes(32).toString('base64')}`

let folder: string
let database: TestDatabase
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pw-guides-'))
  for (const guide of GUIDES) {
    for (const [name, code] of guideFiles(guide)) {
      // The migrations of all guides are one app's.
      const file = name.endsWith('.sql') ? path.join(folder, name) : path.join(folder, guide, name)
      await mkdir(path.dirname(file), { recursive: true })
      await writeFile(file, code)
    }
  }
  await writeFile(path.join(folder, 'package.json'), '{"type": "module"}')
  await mkdir(path.join(folder, 'node_modules'))
  await symlink(root, path.join(folder, 'node_modules/partywall'))
  for (const name of ['koa', 'express', 'fastify', 'hono', '@hono', 'kysely']) {
    await symlink(path.join(root, 'node_modules', name), path.join(folder, 'node_modules', name))
  }
  database = await createTestDatabase()
  const migrations = path.join(folder, 'migrations')
  assert.equal(await migrateApp({ adminUrl: database.urls.admin, folder: migrations }), 2)
})
after(async () => {
  await database?.close()
  await rm(folder, { recursive: true, force: true })
})

for (const file of ['try.ts', 'try-jira.ts']) {
  test(`getting started: ${file} counts the votes of each tenant apart`, async () => {
    const { app, system, jobs } = database.urls
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=partywall-source', '--import', import.meta.resolve('tsx'), file],
      {
        cwd: path.join(folder, 'getting-started'),
        timeout: 60_000,
        env: {
          PATH: process.env.PATH,
          PORT: String(await freePort()),
          PARTYWALL_KEYS: keys,
          DATABASE_URL: app,
          DATABASE_SYSTEM_URL: system,
          DATABASE_JOBS_URL: jobs,
        },
      },
    )
    assert.deepEqual(stdout.trim().split('\n'), promises('getting-started', file))
  })
}

for (const framework of ['express', 'fastify', 'hono', 'fetch', 'node']) {
  test(`frameworks: ${framework} serves the add-on and a route behind its guard`, async () => {
    const { serve } = await load('frameworks', `${framework}.ts`)
    await withWorld(async ({ app, install }) => {
      const { installation, read, status } = await install((_, addon) => addon.page('/page', () => 'hello'))
      assert.equal(await read('/page'), 'hello')
      assert.equal(JSON.parse(await read('/mine/me')).tenant, installation.oauthId)
      assert.equal(await status('/elsewhere'), 404)
      assert.equal((await fetch(`${app.baseUrl}/mine/me`)).status, 401)
    }, serve)
  })
}

test('storage: the tour prints what it says', async () => {
  const said: string[] = []
  await withWorld(async ({ install }) => {
    const { tour } = await load('storage', 'storage.ts')
    const { read } = await install((_, addon) =>
      addon.page('/tour', ctx => captured(said, () => tour(ctx.tenantStore))),
    )
    await read('/tour')
  })
  assert.deepEqual(said, promises('storage', 'storage.ts'))
})

test('jobs: a job and a schedule of the guide run bound; a dead letter is found and put back', async () => {
  const said: string[] = []
  await withWorld(async ({ app, install }) => {
    const { addReminders } = await load('deliveries-and-jobs', 'jobs.ts')
    const { remindNow } = await load('deliveries-and-jobs', 'nightly.ts')
    const { retryAll } = await load('deliveries-and-jobs', 'dead-letters.ts')
    const tenant = await install((_, addon) => addReminders(app, addon))
    const { installation, say } = tenant
    await captured(said, async () => {
      await say('/remind tea')
      await eventually('the reminder', async () => (await texts()).includes('tea'))
    })
    await eventually('the schedule', async () => (await database.admin('select from pw.schedule')).length === 1)
    await remindNow(app, installation.oauthId)
    await eventually('the job of tonight', async () => (await texts()).includes('tonight'))
    await eventually('the end of both', async () => {
      return (await database.admin("select from pw.job where state = 'done'")).length === 2
    })
    await database.admin("update pw.job set state = 'dead', payload = '\"tea\"' where key = 'reminder'")
    await database.admin('delete from app.reminder')
    await captured([], async () => {
      assert.equal(await retryAll(app, installation.oauthId), 1)
      await eventually('the reminder again', async () => (await texts()).includes('tea'))
    })
  })
  assert.deepEqual(said, promises('deliveries-and-jobs', 'jobs.ts'))

  async function texts(): Promise<unknown[]> {
    return (await database.admin('select text from app.reminder')).map(row => row.text)
  }
})

test('your own tables: notes of two tenants stay apart, by SQL and by Kysely', async () => {
  const { openNotes } = await load('your-own-tables', 'kysely-notes.ts')
  const { app: appUrl, system, jobs } = database.urls
  const notes = await openNotes({ urls: { app: appUrl, system, jobs } })
  try {
    await withWorld(async ({ app, install }) => {
      const { addNotes } = await load('your-own-tables', 'notes.ts')
      const build = (_: App, addon: HipchatApp) => {
        addNotes(app, addon)
        addon.page('/kysely', () => notes.list())
      }
      const [one, other] = [await install(build), await install()]
      await one.say('/note first')
      await other.say('/note second')
      for (const [tenant, text] of [
        [one, 'first'],
        [other, 'second'],
      ] as const) {
        await eventually('the note', async () => (await tenant.read('/notes')) === JSON.stringify([{ text }]))
        assert.equal(await tenant.read('/kysely'), JSON.stringify([{ text }]))
      }
      assert.equal(await one.read('/notes', 'DELETE'), '{"deleted":1}')
      assert.equal(await one.read('/notes'), '[]')
      assert.equal(await other.read('/notes'), '[{"text":"second"}]')
    })
  } finally {
    await notes.close()
  }
})

test('operating: suspend, resume, health and shutdown do what they say', async () => {
  await withWorld(async ({ app, server, install }) => {
    const { suspend, resume } = await load('operating', 'operator.ts')
    const { health } = await load('operating', 'health.ts')
    const { closeOnSignal } = await load('operating', 'shutdown.ts')
    const { installation, status } = await install((_, addon) => addon.page('/page', () => 'hello'))
    assert.equal(await status('/page'), 200)
    await suspend(app, installation.oauthId)
    assert.equal(await status('/page'), 401)
    await resume(app, installation.oauthId)
    assert.equal(await status('/page'), 200)

    const ctx = { path: '/healthz', status: 0, set: () => undefined }
    await health(app)(ctx, () => assert.fail('the health check went on'))
    assert.equal(ctx.status, 200)

    const before = process.listenerCount('SIGTERM')
    closeOnSignal(server, app)
    assert.equal(process.listenerCount('SIGTERM'), before + 1)
    for (const signal of ['SIGTERM', 'SIGINT'])
      process.removeListener(signal, process.listeners(signal as 'SIGTERM').at(-1) as never)
  })
})

test('importing old data: the script says what could not be moved, moves the rest and reports', async t => {
  const { moveIn } = await load('importing-old-data', 'import.ts')
  const old = await startOldAddon()
  t.after(() => old.close())
  await withWorld(async ({ app, addon, host }) => {
    const { record } = await old.install(host, host.createGroup({ name: 'Old' }), 'Old room')
    const dump = dumpOf(record, { 'data:greeting': 'Hello', 'data:': 'no name' })
    const said: string[] = []
    await captured(said, () => moveIn(addon, memoryStoreSource(dump)))
    assert.deepEqual(said, [
      `cannot be moved: ${record.id} data: ERR_KEY_INVALID`,
      '1 tenants, 3 keys',
      `${record.id} created 1 `,
    ])
    const greeting = await app.runAs({ dialect: 'hipchat', id: record.id }, context =>
      addon.services(context).tenantStore.get('greeting'),
    )
    assert.equal(greeting, 'Hello')
  })
})

interface World {
  readonly app: App
  readonly addon: HipchatApp
  readonly server: Listening
  readonly host: HipchatHost
  /** Builds on the add-on, at the first call alone; installs it in a new room. */
  install(build?: (app: App, addon: HipchatApp) => unknown): Promise<Tenant>
}
interface Tenant {
  readonly installation: Installation
  say(text: string): Promise<unknown>
  read(path: string, method?: string): Promise<string>
  status(path: string): Promise<number>
}

type Serve = (app: App, addon: HipchatApp, port: number) => Promise<Listening>

async function withWorld(
  work: (world: World) => Promise<void>,
  serve: Serve = (app, _addon, port) => listen(app, { port }),
): Promise<void> {
  const host = await startHipchatHost()
  const port = await freePort()
  const { app: appUrl, system, jobs } = database.urls
  const app = await createApp({
    key: `com.example.guide${randomBytes(4).toString('hex')}`,
    baseUrl: `http://127.0.0.1:${port}`,
    developmentHosts: [new URL(host.url).host],
    database: { urls: { app: appUrl, system, jobs } },
    keys: { current: { id: 'guides', key: Buffer.alloc(32, 7) }, find: () => Buffer.alloc(32, 7) },
    logLevel: 'silent',
    requestLog: false,
  })
  const addon = app.hipchat({ name: 'Guide', scopes: ['send_notification'] })
  const server = await serve(app, addon, port)
  const install: World['install'] = async build => {
    build?.(app, addon)
    const group = host.createGroup({ name: 'Acme' })
    const room = group.createRoom({ name: 'Lobby' })
    const user = group.createUser({ name: 'Ann', mentionName: 'ann' })
    const installation = await host.install(`${app.baseUrl}/addon/capabilities`, { group, room })
    assert.equal(installation.state, 'installed')
    return tenantOf(installation, room, user)
  }
  try {
    await work({ app, addon, server, host, install })
  } finally {
    await server.close()
    await app.close()
    await host.close()
  }
}

function tenantOf(installation: Installation, room: HostRoom, user: HostUser): Tenant {
  const open = (to: string, method = 'GET') => fetch(installation.pageUrl(to, { user }), { method })
  return {
    installation,
    say: text => room.say(user, text),
    read: async (to, method) => (await open(to, method)).text(),
    status: async to => (await open(to)).status,
  }
}

// biome-ignore lint/suspicious/noExplicitAny: code of a guide, whose types are checked with the package
const load = (guide: string, file: string): Promise<any> => import(pathToFileURL(path.join(folder, guide, file)).href)

/** What the comments behind `console.log` say, line by line. */
const promises = (guide: string, file: string): string[] =>
  [...(guideFiles(guide).get(file) ?? '').matchAll(/console\.log\(.*\) +\/\/ (.*)/g)].map(match => match[1] ?? '')

async function captured(said: string[], work: () => Promise<unknown>): Promise<void> {
  const log = console.log
  console.log = (...values: unknown[]) => {
    said.push(values.map(value => (typeof value === 'string' ? value : inspect(value, { breakLength: 200 }))).join(' '))
  }
  try {
    await work()
  } finally {
    console.log = log
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
