/** Parts of the embedded database that need no server: programs, places, passwords, messages. */

import assert from 'node:assert/strict'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isPartywallError } from '../../../src/core/errors.ts'
import { locateBinaries, prepareBinaries } from '../../../src/postgres/embedded/binaries.ts'
import { createCredentials, readSuperuserPassword } from '../../../src/postgres/embedded/credentials.ts'
import { openHome, readPlace } from '../../../src/postgres/embedded/home.ts'
import { startEmbedded } from '../../../src/postgres/embedded/index.ts'
import { hasData } from '../../../src/postgres/embedded/initialise.ts'
import { decodeGreeting, decodeMessage, decodeOrder } from '../../../src/postgres/embedded/protocol.ts'
import { repairLeftovers } from '../../../src/postgres/embedded/repair.ts'
import { runProgram } from '../../../src/postgres/embedded/run-as.ts'

const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const unavailable = (error: unknown) => isPartywallError(error, 'ERR_EMBEDDED_UNAVAILABLE')
let scratch = ''
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pwu-'))
})
after(() => rm(scratch, { recursive: true, force: true }))

test('PARTYWALL_PG_BIN names the programs, and must name real ones', async () => {
  const { bin } = await locateBinaries({})
  assert.deepEqual(await locateBinaries({ PARTYWALL_PG_BIN: bin }), { bin, native: undefined })
  await assert.rejects(locateBinaries({ PARTYWALL_PG_BIN: scratch }), unavailable)
})

test('programs that do not run here are refused with the way out', async () => {
  const bin = await folder('broken')
  await writeFile(join(bin, 'postgres'), '#!/nowhere/loader\n', { mode: 0o755 })
  await assert.rejects(
    prepareBinaries({ bin, native: undefined }, { kind: 'self' }, scratch),
    (error: unknown) => unavailable(error) && /DATABASE_URL/.test(String(error)),
  )
})

test('library links that npm left out are made beside the data, not in the package', async () => {
  const native = await nativeWithoutLinks('linkless')
  const initdb = { file: join(native, 'bin/initdb'), arguments: ['--version'], folder: '/', environment: {} }
  assert.notEqual((await runProgram({ kind: 'self' }, initdb)).status, 0, 'without links it cannot run')
  const before = await readdir(join(native, 'lib'))
  const place = await folder('linkless-place')
  const prepared = await prepareBinaries({ bin: join(native, 'bin'), native }, { kind: 'self' }, place)
  const { environment } = prepared
  assert.equal((await runProgram({ kind: 'self' }, { ...initdb, environment })).status, 0)
  assert.match(prepared.version, new RegExp(`^${prepared.major}\\.\\d+$`))
  assert.deepEqual(await readdir(join(native, 'lib')), before)
})

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
test('programs that the account cannot read are copied once', {
  skip: isRoot ? false : 'needs Linux and root: NOT TESTED HERE',
}, async () => {
  const native = await nativeWithoutLinks('private/package')
  await writeFile(join(native, '../package.json'), '{"version":"1.2.3"}')
  for (const path of ['', 'place']) await chmod(await folder(path), 0o711)
  await chmod(join(scratch, 'private'), 0o700)
  const account = { kind: 'account', uid: 65534, gid: 65534 } as const
  const place = join(scratch, 'place')
  const prepared = await prepareBinaries({ bin: join(native, 'bin'), native }, account, place)
  assert.equal(prepared.bin, join(place, 'binaries-1.2.3/bin'))
  const initdb = { file: join(prepared.bin, 'initdb'), arguments: ['--version'], folder: '/', environment: {} }
  assert.equal((await runProgram(account, initdb)).status, 0)
  const made = (await stat(prepared.bin)).mtimeMs
  await prepareBinaries({ bin: join(native, 'bin'), native }, account, place)
  assert.equal((await stat(prepared.bin)).mtimeMs, made)
})

test('data of another major version are refused', async () => {
  const data = await folder('other/postgres/data')
  await writeFile(join(data, 'PG_VERSION'), '17\n')
  const programs = { bin: '', environment: {}, version: '18.4', major: 18 }
  await assert.rejects(hasData(data, programs), error => isPartywallError(error, 'ERR_EMBEDDED_MAJOR'))
  assert.equal(await hasData(data, { ...programs, major: 17 }), true)
  await assert.rejects(startEmbedded({ folder: join(scratch, 'other'), logger }), (error: unknown) => {
    return isPartywallError(error, 'ERR_EMBEDDED_MAJOR') && /PARTYWALL_PG_BIN/.test(error.message)
  })
})

test('a data folder with files that are no database is not overwritten', async () => {
  const data = await folder('foreign')
  const programs = { bin: '', environment: {}, version: '18.4', major: 18 }
  assert.equal(await hasData(data, programs), false)
  await writeFile(join(data, 'diary.txt'), 'mine')
  await assert.rejects(hasData(data, programs), unavailable)
})

test('repairing writes through no link that somebody planted in the data', async () => {
  const data = await folder('planted')
  const victim = join(scratch, 'victim')
  await writeFile(victim, '123456\nprecious')
  await symlink(victim, join(data, 'postmaster.pid'))
  await assert.rejects(repairLeftovers({ data, sockets: scratch, port: 5432 }), { code: 'ELOOP' })
  assert.equal(await readFile(victim, 'utf8'), '123456\nprecious')
})

test('role passwords come back as written, from a file only we can read', async () => {
  const home = await openHome(join(scratch, 'passwords'))
  const credentials = createCredentials(home)
  assert.deepEqual(await credentials.read(), {})
  await credentials.write({ pw_app: 'one' })
  await credentials.write({ pw_app: 'two', pw_jobs: 'three' })
  assert.deepEqual(await credentials.read(), { pw_app: 'two', pw_jobs: 'three' })
  assert.equal((await stat(home.credentials)).mode & 0o777, 0o600)
  await assert.rejects(readSuperuserPassword(home), unavailable)
})

test('damaged records are refused without quoting them', async () => {
  const home = await openHome(join(scratch, 'damaged'))
  await writeFile(home.credentials, 'hunter2')
  await assert.rejects(createCredentials(home).read(), (error: unknown) => {
    return unavailable(error) && !spellsOut(error).includes('hunter2')
  })
  for (const text of ['', '[]', '{"data":1,"sockets":null,"port":5432}', '{"data":null,"sockets":null}']) {
    await writeFile(home.place, text)
    await assert.rejects(readPlace(home), unavailable)
  }
})

test('a folder that cannot be made is a coded error', async () => {
  await writeFile(join(scratch, 'file'), '')
  await assert.rejects(startEmbedded({ folder: join(scratch, 'file'), logger }), unavailable)
})

test('lines that are none of the protocol are refused', () => {
  const lines = ['', 'x', '[]', '{}', '{"kind":"ready"}', '{"kind":"progress","event":1}', '{"kind":"failed","code":1}']
  for (const line of lines) {
    assert.throws(() => decodeMessage(line))
    assert.throws(() => decodeGreeting(line))
    assert.throws(() => decodeOrder(line))
  }
  const unknown = decodeMessage('{"kind":"failed","code":"ERR_OF_A_LATER_VERSION","message":"m"}')
  assert.deepEqual(unknown, { kind: 'failed', code: 'ERR_EMBEDDED_UNAVAILABLE', message: 'm' })
})

async function folder(name: string): Promise<string> {
  const path = join(scratch, name)
  await mkdir(path, { recursive: true })
  return path
}

const spellsOut = (error: unknown): string => (error instanceof Error ? `${error.stack} ${String(error.cause)}` : '')

/** The installed programs as `npm ci --ignore-scripts` leaves them, without what these tests do not need. */
async function nativeWithoutLinks(name: string): Promise<string> {
  const { native = '' } = await locateBinaries({})
  const copy = join(await folder(name), 'native')
  for (const part of ['bin', 'lib']) await mkdir(join(copy, part), { recursive: true })
  await copyFile(join(native, 'pg-symlinks.json'), join(copy, 'pg-symlinks.json'))
  for (const program of ['bin/postgres', 'bin/initdb']) await copyFile(join(native, program), join(copy, program))
  for (const entry of await readdir(join(native, 'lib'), { withFileTypes: true })) {
    if (entry.isFile() && entry.name.includes('.so'))
      await copyFile(join(native, 'lib', entry.name), join(copy, 'lib', entry.name))
  }
  return copy
}
