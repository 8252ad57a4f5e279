/** The embedded database as processes see it: shared, stopped by the last, whole again after any kill. */

import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import pg from 'pg'
import { homeOf } from '../../src/postgres/embedded/home.ts'
import { type EmbeddedDatabase, startEmbedded } from '../../src/postgres/embedded/index.ts'
import { processesIn, signal } from '../../src/postgres/embedded/processes.ts'
import { type Cleanup, eventually, type ProcessOptions, startProcess, type TestProcess } from '../support/processes.ts'

const APP = new URL('./embedded-app.ts', import.meta.url)
const ignore = () => undefined
const quiet = { debug: ignore, info: ignore, warn: ignore, error: ignore }

let scratch = ''
let folder = ''
const apps: TestProcess[] = []

before(async () => {
  // One folder goes through it all, one test after the other, as a folder on a developer's machine does.
  scratch = await mkdtemp(join(tmpdir(), 'pwt-'))
  folder = join(scratch, 'app')
  await using(await start(folder), async database => {
    await ask(database, "create table note as select 'kept' as text")
  })
})
afterEach(async () => {
  // Apps first: a living one would start the server again.
  await Promise.all(apps.splice(0).map(app => app.kill()))
  await killAll(folder)
})
after(() => rm(scratch, { recursive: true, force: true }))

test('two processes share one server, and the last orderly close stops it', async t => {
  const app = await startApp(t, folder)
  const database = await start(folder)
  assert.equal(await ask(database, STARTED), await app.ask(STARTED))
  assert.equal(await app.ask('close'), 'closed')
  assert.equal(await ask(database, NOTES), KEPT)
  await Promise.all([database.close(), database.close()])
  assert.deepEqual(await serverOf(folder), [], 'close returns when the server has stopped')
})

test('a start while the server stops waits and starts anew', async () => {
  const first = await start(folder)
  const started = await ask(first, STARTED)
  const [, second] = await Promise.all([first.close(), start(folder)])
  await using(second, async database => {
    assert.notEqual(await ask(database, STARTED), started)
    assert.equal(await ask(database, NOTES), KEPT)
  })
})

test('H 87: after SIGKILL of all apps the server ends when the grace has passed, not before', async t => {
  const both = await Promise.all([startApp(t, folder), startApp(t, folder)])
  await Promise.all(both.map(app => app.kill()))
  assert.notDeepEqual(await serverOf(folder), [])
  await eventually('the server ends', async () => (await serverOf(folder)).length === 0)
})

test('an app that comes within the grace keeps the server alive', async t => {
  const app = await startApp(t, folder, { graceMs: '1500' })
  const started = await app.ask(STARTED)
  await app.kill()
  await using(await start(folder), async database => {
    await new Promise(resolve => setTimeout(resolve, 2000))
    assert.equal(await ask(database, STARTED), started)
  })
})

test('H 87: SIGKILL of the keeper ends the server, and a living app gets another with its data', async () => {
  await using(await start(folder), async database => {
    const started = await ask(database, STARTED)
    signal(await keeperOf(folder), 'SIGKILL')
    await eventually(
      'the server is another',
      async () => ![started, undefined].includes(await tryAsk(database, STARTED)),
    )
    assert.equal(await ask(database, NOTES), KEPT)
  })
  assert.deepEqual(await serverOf(folder), [])
})

test('H 87: SIGKILL of keeper and app leaves no server behind', async t => {
  const app = await startApp(t, folder, { graceMs: '60000' })
  signal(await keeperOf(folder), 'SIGKILL')
  await app.kill()
  await eventually('the server ends', async () => (await serverOf(folder)).length === 0)
  await worksAgain(folder)
})

test('H 87: SIGKILL of the server: a living app gets another with its data', async () => {
  await using(await start(folder), async database => {
    const postmaster = await postmasterOf(folder)
    signal(postmaster, 'SIGKILL')
    await eventually('the app works again', async () => (await tryAsk(database, NOTES)) === KEPT)
    assert.notEqual(await postmasterOf(folder), postmaster)
  })
})

test('H 87: SIGKILL of everything at once: the next start needs no hand, what was committed is there', async t => {
  const app = await startApp(t, folder)
  await app.ask("insert into note values ('at the last moment')")
  const keeper = await keeperOf(folder)
  for (const pid of [...(await guardsOf(keeper)), keeper, ...(await serverOf(folder)), app.pid]) signal(pid, 'SIGKILL')
  await using(await start(folder), async database => {
    assert.match(await ask(database, 'select text from note'), /at the last moment/)
  })
})

test('H 87: an orphaned server, which nobody guards any more, is stopped and replaced', async t => {
  const app = await startApp(t, folder)
  const orphan = await postmasterOf(folder)
  const keeper = await keeperOf(folder)
  for (const pid of [...(await guardsOf(keeper)), keeper, app.pid]) signal(pid, 'SIGKILL')
  await app.ended
  assert.ok((await serverOf(folder)).includes(orphan))
  await worksAgain(folder)
})

test('H 87: a pid file that names a living stranger, and stale sockets, do not stop a start', async () => {
  const home = homeOf(folder)
  const lines = `${process.pid}\n${home.data}\n1\n5432\n${home.run}\n\n  1234567         0\nready   \n`
  await writeFile(join(home.data, 'postmaster.pid'), lines)
  for (const name of ['.s.PGSQL.5432', '.s.PGSQL.5432.lock', 'keeper.sock'])
    await writeFile(join(home.run, name), lines)
  await worksAgain(folder)
})

test('Ctrl-C in the terminal of an app reaches neither keeper nor server', async t => {
  const app = await startApp(t, folder, { graceMs: '60000', ownGroup: true })
  const started = await app.ask(STARTED)
  process.kill(-app.pid, 'SIGINT')
  await app.ended
  await using(await start(folder), async database => {
    assert.equal(await ask(database, STARTED), started)
  })
})

test('when everyone is asked to end, the server may be first, and nobody starts another', async t => {
  const app = await startApp(t, folder)
  const keeper = await keeperOf(folder)
  for (const pid of [keeper, await postmasterOf(folder)]) signal(pid, 'SIGTERM')
  await eventually('the server ends', async () => (await serverOf(folder)).length === 0)
  assert.equal(await app.ask('close'), 'closed')
  assert.doesNotMatch(app.errors, /keeper-lost/)
  await eventually('the keeper ends', async () => !(await keepersOf(folder)).includes(keeper))
})

test('neither keeper nor server sees the environment of the app', async t => {
  await startApp(t, folder, { environment: { PARTYWALL_KEYS: 'first:secret' } })
  for (const pid of [await keeperOf(folder), await postmasterOf(folder)]) {
    assert.doesNotMatch(await readFile(`/proc/${pid}/environ`, 'utf8'), /secret/)
  }
})

test('a folder copied elsewhere, with a path too long for sockets, works and is another database', async t => {
  const copy = join(scratch, 'x'.repeat(120))
  await cp(folder, copy, { recursive: true, filter: path => !path.endsWith('/run') })
  t.after(() => killAll(copy))
  const app = await startApp(t, copy)
  const { sockets } = JSON.parse(await readFile(homeOf(copy).place, 'utf8'))
  t.after(() => rm(sockets, { recursive: true, force: true }))
  assert.equal((await stat(sockets)).mode & 0o777, 0o700)
  await using(await start(folder), async original => {
    await using(await start(copy), async database => {
      assert.equal(await ask(database, STARTED), await app.ask(STARTED))
      assert.notEqual(await ask(database, STARTED), await ask(original, STARTED))
      assert.equal(await ask(database, NOTES), KEPT)
    })
  })
})

test('H 87: SIGKILL while the data are being made; then four processes at once make one server', async t => {
  const empty = join(scratch, 'empty')
  t.after(() => killAll(empty))
  const home = homeOf(empty)
  const app = startProcess(t, APP, { arguments: [empty, '60000'] })
  await eventually('initdb has begun', () => exists(`${home.data}.new/base`))
  signal(-(await keeperOf(empty)), 'SIGKILL')
  await app.kill()
  assert.equal(await exists(home.data), false)
  const databases = await Promise.all([start(empty), start(empty), start(empty), startApp(t, empty)])
  const [first = '', ...others] = await Promise.all(databases.map(database => ask(database, STARTED)))
  assert.deepEqual(others, [first, first, first])
  await Promise.all(databases.map(database => ('close' in database ? database.close() : database.ask('close'))))
  assert.deepEqual(await serverOf(empty), [])
})

const STARTED = 'select pg_postmaster_start_time()::text as started'
const NOTES = "select text from note where text = 'kept'"
const KEPT = '[{"text":"kept"}]'

const start = (path: string): Promise<EmbeddedDatabase> => startEmbedded({ folder: path, logger: quiet, graceMs: 1000 })

async function using(database: EmbeddedDatabase, work: (database: EmbeddedDatabase) => Promise<void>): Promise<void> {
  try {
    await work(database)
  } finally {
    await database.close()
  }
}

async function worksAgain(path: string): Promise<void> {
  await using(await start(path), async database => assert.equal(await ask(database, NOTES), KEPT))
}

/** The rows as JSON, whether asked here or in another process. */
async function ask(database: EmbeddedDatabase | TestProcess, statement: string): Promise<string> {
  if ('ask' in database) return database.ask(statement)
  const client = new pg.Client(database.connection)
  client.on('error', ignore)
  await client.connect()
  try {
    return JSON.stringify((await client.query(statement)).rows)
  } finally {
    await client.end()
  }
}

const tryAsk = (database: EmbeddedDatabase, statement: string): Promise<string | undefined> =>
  ask(database, statement).catch(ignore)

interface AppOptions extends ProcessOptions {
  readonly graceMs?: string
}

async function startApp(t: Cleanup, path: string, options: AppOptions = {}): Promise<TestProcess> {
  const app = startProcess(t, APP, { ...options, arguments: [path, options.graceMs ?? '1000'] })
  apps.push(app)
  assert.equal(await app.line(60_000), 'ready')
  return app
}

/** What still runs in the folder when a test has ended, or failed. */
async function killAll(path: string): Promise<void> {
  for (const pid of await keepersOf(path)) signal(pid, 'SIGKILL')
  await eventually('nothing is left', async () => {
    const left = await serverOf(path)
    for (const pid of left) signal(pid, 'SIGKILL')
    return left.length === 0
  })
}

const serverOf = (path: string): Promise<number[]> => processesIn(homeOf(path).data, undefined)

async function postmasterOf(path: string): Promise<number> {
  return Number.parseInt(await readFile(join(homeOf(path).data, 'postmaster.pid'), 'utf8'), 10)
}

async function keeperOf(path: string): Promise<number> {
  const [keeper] = await keepersOf(path)
  if (keeper === undefined) throw new Error('no keeper runs')
  return keeper
}

/** Keepers carry their folder in their command line. */
async function keepersOf(path: string): Promise<number[]> {
  const found: number[] = []
  for (const pid of await processesIn('/', undefined)) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (command.includes('keeper.') && command.includes(JSON.stringify(path))) found.push(pid)
  }
  return found
}

async function guardsOf(keeper: number): Promise<number[]> {
  const guards: number[] = []
  for (const pid of await processesIn('/', undefined)) if ((await parentOf(pid)) === keeper) guards.push(pid)
  return guards
}

async function parentOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
