/** The embedded database of an app that runs as root: below private folders, with and without user namespaces. */

import assert from 'node:assert/strict'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { homeOf } from '../../src/postgres/embedded/home.ts'
import { type Cleanup, startProcess } from '../support/processes.ts'

const APP = new URL('./embedded-app.ts', import.meta.url)
const skip = process.platform === 'linux' && process.getuid?.() === 0 ? false : 'needs Linux and root: NOT TESTED HERE'
let scratch = ''
let withoutNamespaces = ''

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pwr-'))
  const tools = join(scratch, 'tools')
  await mkdir(tools)
  await writeFile(join(tools, 'unshare'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  withoutNamespaces = `${tools}:${process.env.PATH}`
})
after(() => rm(scratch, { recursive: true, force: true }))

test('root: one folder goes from namespace to account and back, with its data', { skip }, async t => {
  // Inside a 0700 folder of root's; the account may walk through it only later.
  const folder = join(scratch, 'app')
  const { data } = homeOf(folder)
  await runApp(t, folder, "create table note as select 'kept' as text")
  assert.equal((await stat(data)).uid, 0, 'in a namespace the files stay ours')

  const refused = startProcess(t, APP, { arguments: [folder], environment: { PATH: withoutNamespaces } })
  assert.equal((await refused.ended).code, 1)
  assert.match(refused.errors, /ERR_EMBEDDED_UNAVAILABLE/)
  assert.match(refused.errors, /chmod o\+x/)

  for (const path of [scratch, folder]) await chmod(path, 0o711)
  assert.match(await runApp(t, folder, 'select text from note', withoutNamespaces), /kept/)
  assert.notEqual((await stat(data)).uid, 0)
  assert.match(await runApp(t, folder, 'select text from note'), /kept/)
  assert.notEqual((await stat(data)).uid, 0, 'an account keeps what it owns')
})

test('root: what an account cannot reach lies under /var/lib/partywall, and never looks empty', { skip }, async t => {
  const folder = join(scratch, 'closed', 'app')
  await mkdir(dirname(folder), { mode: 0o700 })
  await runApp(t, folder, "create table note as select 'kept' as text", withoutNamespaces)
  const { data } = JSON.parse(await readFile(homeOf(folder).place, 'utf8'))
  const place = dirname(data)
  t.after(() => rm(place, { recursive: true, force: true }))
  assert.match(data, /^\/var\/lib\/partywall\/[0-9a-f]{16}\/data$/)
  assert.match(await runApp(t, folder, 'select text from note', withoutNamespaces), /kept/)

  await writeFile(join(place, 'folder'), '/another')
  assert.match(await failApp(t, folder), /the data of \/another/)
  await rm(place, { recursive: true })
  assert.match(await failApp(t, folder), /which is gone/)
})

test('a socket folder that somebody else put in the place of ours is not used', { skip }, async t => {
  const folder = join(scratch, 'y'.repeat(120))
  await runApp(t, folder, 'select 1')
  const recorded = JSON.parse(await readFile(homeOf(folder).place, 'utf8')).sockets
  await chown(recorded, 65534, 65534)
  await runApp(t, folder, 'select 1')
  const next = JSON.parse(await readFile(homeOf(folder).place, 'utf8')).sockets
  t.after(() =>
    Promise.all([recorded, next].map(path => rm(path, { recursive: true, force: true }))).then(() => undefined),
  )
  assert.notEqual(next, recorded)
})

/** One start, one statement, one orderly end. */
async function runApp(t: Cleanup, folder: string, statement: string, path = process.env.PATH): Promise<string> {
  const app = startProcess(t, APP, { arguments: [folder], environment: { PATH: path } })
  assert.equal(await app.line(60_000), 'ready')
  const answer = await app.ask(statement)
  assert.equal(await app.ask('close'), 'closed')
  return answer
}

async function failApp(t: Cleanup, folder: string): Promise<string> {
  const app = startProcess(t, APP, { arguments: [folder], environment: { PATH: withoutNamespaces } })
  assert.equal((await app.ended).code, 1)
  return app.errors
}
