// Stores of atlassian-connect-express, imported: tenants whose tokens pass at once, their data, and nobody else's. From the tables of a
// real PostgreSQL, a real Redis, exports, and the file that the real framework has written, where it is installed.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type App, type ConnectApp, createApp, type Listening, listen } from 'partywall'
import {
  type ConnectStoreSource,
  connectRedis,
  databaseRows,
  importConnectStore,
  jsonLinesRows,
  redisRows,
} from 'partywall/connect'
import { type ConnectHost, type ConnectInstallation, startConnectHost } from 'partywall/host'
import pg from 'pg'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { freePort } from '../support/free-port.ts'
import { CONNECT_PEER, peerForTests } from '../support/peer.ts'
import { eventually, startProcess } from '../support/processes.ts'
import { findRedis, startRedis } from '../support/redis.ts'

const KEY = 'com.example.flags'
const { folder: peer, skip } = await peerForTests(CONNECT_PEER)
const redisProgram = findRedis()
const withRedis = redisProgram === undefined ? { skip: 'redis-server not found' } : {}

let database: TestDatabase
let host: ConnectHost
let old: Server
let oldUrl: string
let app: App
let connect: ConnectApp
let server: Listening
before(async () => {
  database = await createTestDatabase()
  host = await startConnectHost()
  // The old app, as far as a product sees it: it installs and forgets.
  old = createServer((request, response) => {
    const lifecycle = { installed: '/installed' }
    const descriptor = {
      key: KEY,
      name: 'Old',
      baseUrl: oldUrl,
      authentication: { type: 'jwt' },
      lifecycle,
      scopes: ['READ'],
      modules: {},
    }
    if (request.method === 'GET') response.end(JSON.stringify(descriptor))
    else response.writeHead(204).end()
  })
  await new Promise<void>(resolve => old.listen(0, '127.0.0.1', resolve))
  oldUrl = `http://127.0.0.1:${(old.address() as AddressInfo).port}`
  const port = await freePort()
  const { app: appUrl, system, jobs } = database.urls
  app = await createApp({
    key: KEY,
    baseUrl: `http://127.0.0.1:${port}`,
    database: { urls: { app: appUrl, system, jobs } },
    keys: { current: { id: 'test', key: Buffer.alloc(32, 9) }, find: () => Buffer.alloc(32, 9) },
    developmentHosts: [new URL(host.url).host],
    logLevel: 'silent',
    requestLog: false,
  })
  connect = app.connect({ name: 'Flags', keyServers: [host.keyServerUrl] })
  connect
    .page('/all', ctx => ctx.tenantStore.all({ nested: true }))
    .page('/me', ctx => ({ installationId: ctx.tenant.installationId ?? null }))
  server = await listen(app, { port })
})
after(async () => {
  await server?.close()
  await app?.close()
  old?.close()
  await host?.close()
  await database?.close()
})

let sites = 0
async function installOld(): Promise<ConnectInstallation> {
  const installation = await host.install(oldUrl, host.createSite({ name: `old-${sites++}` }).jira)
  assert.equal(installation.state, 'enabled')
  return installation
}

/** The record as the framework keeps it: the body of the install. */
const recordOf = (installation: ConnectInstallation, more: object = {}) => ({
  ...installation.results.find(({ event }) => event === 'installed')?.body,
  ...more,
})
const rowsOf = (...rows: readonly (readonly [string, string, unknown])[]): ConnectStoreSource => ({
  async *rows() {
    for (const [clientKey, key, value] of rows) yield { clientKey, key, value }
  },
})
const ask = async (installation: ConnectInstallation, path: string) => {
  const token = installation.signRequest({ method: 'GET', url: app.baseUrl + path })
  // The simulated product knows the old app's address alone; the hash covers the path.
  const response = await fetch(app.baseUrl + path, { headers: { authorization: `JWT ${token}` } })
  return { status: response.status, json: response.status === 200 ? await response.json() : undefined }
}

test('tenants come with their secret and data, so that their next request passes; a second run changes nothing', async () => {
  const [one, two] = [await installOld(), await installOld()]
  const source = rowsOf(
    [one.clientKey, 'flag-A', { color: 'red' }],
    [one.clientKey, 'clientInfo', recordOf(one)],
    [two.clientKey, 'clientInfo', JSON.stringify(recordOf(two))],
    [two.clientKey, 'flag-A', '{"color":"green"}'],
    ['nobody', 'flag-A', 1],
  )
  const look = await importConnectStore(connect, source, { dryRun: true })
  assert.deepEqual(
    look.tenants.map(({ outcome, stored }) => [outcome, stored]),
    [
      ['checked', 1],
      ['checked', 1],
    ],
  )
  assert.equal((await ask(one, '/all')).status, 401)

  const report = await importConnectStore(connect, source)
  assert.equal(report.orphans, 1)
  assert.deepEqual(
    report.tenants.map(({ outcome, stored, refused }) => [outcome, stored, refused]),
    [
      ['created', 1, []],
      ['created', 1, []],
    ],
  )
  assert.deepEqual((await ask(one, '/all')).json, { 'flag-A': { color: 'red' } })
  assert.deepEqual((await ask(two, '/all')).json, { 'flag-A': { color: 'green' } })

  const again = await importConnectStore(connect, source)
  assert.deepEqual(
    again.tenants.map(({ outcome, stored, kept }) => [outcome, stored, kept]),
    [
      ['present', 0, 1],
      ['present', 0, 1],
    ],
  )
  const over = rowsOf([one.clientKey, 'clientInfo', recordOf(one)], [one.clientKey, 'flag-A', { color: 'blue' }])
  await importConnectStore(connect, over, { overwrite: true })
  assert.deepEqual((await ask(one, '/all')).json, { 'flag-A': { color: 'blue' } })
  assert.deepEqual((await ask(two, '/all')).json, { 'flag-A': { color: 'green' } })
})

test('a record counts only when its product honours it, it is this app’s, and its site may install', async () => {
  const one = await installOld()
  const refused = async (value: unknown, clientKey = one.clientKey) => {
    const { tenants } = await importConnectStore(connect, rowsOf([clientKey, 'clientInfo', value], [clientKey, 'x', 1]))
    assert.equal((await ask(one, '/all')).status, 401)
    return [tenants[0]?.outcome, tenants[0]?.code, tenants[0]?.stored]
  }
  const code = (name: string) => ['refused', name, 0]
  assert.deepEqual(await refused(recordOf(one, { sharedSecret: 'x'.repeat(40) })), code('ERR_INSTALL_TOKEN_REFUSED'))
  assert.deepEqual(await refused(recordOf(one, { key: 'com.example.other' })), code('ERR_TENANT_MISMATCH'))
  assert.deepEqual(await refused(recordOf(one), 'another-name'), code('ERR_TENANT_MISMATCH'))
  assert.deepEqual(await refused(recordOf(one, { baseUrl: 'https://evil.example' })), code('ERR_INSTALL_HOST_REFUSED'))
  assert.deepEqual(await refused(recordOf(one, { sharedSecret: undefined })), code('ERR_INSTALL_INVALID'))
  assert.deepEqual(await refused('not a record'), code('ERR_TENANT_MISMATCH'))
  // Of two records of one tenant the one that the product honours counts.
  const both = rowsOf(
    [one.clientKey, 'clientInfo', recordOf(one, { sharedSecret: 'x'.repeat(40) })],
    [one.clientKey, 'clientInfo', recordOf(one)],
  )
  assert.deepEqual(
    (await importConnectStore(connect, both)).tenants.map(({ outcome }) => outcome),
    ['created'],
  )
  assert.equal((await ask(one, '/all')).status, 200)
})

test('what has happened here is newer: a re-install keeps its secret, an uninstall stays one', async () => {
  const one = await installOld()
  const source = rowsOf([one.clientKey, 'clientInfo', recordOf(one)], [one.clientKey, 'x', 1])
  await importConnectStore(connect, source)
  await one.upgrade(`${app.baseUrl}/atlassian-connect.json`)
  assert.equal(one.state, 'enabled', JSON.stringify(one.result))
  assert.equal((await one.openPage('', {}).catch(() => ({ status: 0 }))).status, 0)
  assert.deepEqual(
    (await importConnectStore(connect, source)).tenants.map(({ outcome }) => outcome),
    ['present'],
  )
  assert.deepEqual((await ask(one, '/all')).json, { x: 1 })
  await one.uninstall()
  const [tenant] = (await importConnectStore(connect, source, { verify: false })).tenants
  assert.deepEqual([tenant?.outcome, tenant?.code], ['refused', 'ERR_INSTALL_CONFLICT'])
  assert.equal((await ask(one, '/all')).status, 401)
})

test('keys can be mapped and left behind; values that cannot be stored are named, and the others stay whole', async () => {
  const one = await installOld()
  const source = rowsOf(
    [one.clientKey, 'clientInfo', recordOf(one)],
    [one.clientKey, 'flag:A', 1],
    [one.clientKey, 'cache', 2],
    [one.clientKey, 'large', 'x'.repeat(300 * 1024)],
    [one.clientKey, 'k'.repeat(2_000), 3],
    [one.clientKey, 'unread', undefined],
  )
  const mapKey = (key: string) => {
    const [scope = '', name] = key.split(':')
    if (key === 'cache') return undefined
    return name === undefined ? key : { scopes: [scope], key: name }
  }
  const [tenant] = (await importConnectStore(connect, source, { mapKey })).tenants
  assert.deepEqual([tenant?.stored, tenant?.skipped], [1, 1])
  assert.deepEqual(
    new Map(tenant?.refused.map(({ key, code }) => [key.slice(0, 6), code])),
    new Map([
      ['large', 'ERR_VALUE_TOO_LARGE'],
      ['kkkkkk', 'ERR_KEY_INVALID'],
      ['unread', 'ERR_VALUE_INVALID'],
    ]),
  )
  assert.deepEqual((await ask(one, '/all')).json, { 'flag:A': 1 })
})

test('from its tables in PostgreSQL, with the Forge installations beside them', async () => {
  const one = await installOld()
  const client = new pg.Client({ connectionString: database.urls.admin })
  await client.connect()
  try {
    // As Sequelize makes them.
    await client.query(`create schema old; set search_path to old;
      create table "AddonSettings" (id serial primary key, "clientKey" varchar(255), key varchar(255), val json);
      create table "InstallationClientKeys" (id serial primary key, "installationId" varchar(255) not null, "clientKey" varchar(255) not null)`)
    const insert = 'insert into "AddonSettings" ("clientKey", key, val) values ($1, $2, $3)'
    await client.query(insert, [one.clientKey, 'clientInfo', JSON.stringify(recordOf(one))])
    await client.query(
      `insert into "AddonSettings" ("clientKey", key, val) select $1, 'row-' || n, to_json(n) from generate_series(1, 2500) n`,
      [one.clientKey],
    )
    await client.query(insert, [null, 'global', '1'])
    await client.query('insert into "InstallationClientKeys" ("installationId", "clientKey") values ($1, $2)', [
      'ari:cloud:ecosystem::installation/1',
      one.clientKey,
    ])
    const report = await importConnectStore(
      connect,
      databaseRows(async text => (await client.query(text)).rows),
    )
    assert.deepEqual(
      report.tenants.map(({ outcome, stored }) => [outcome, stored]),
      [['created', 2500]],
    )
    assert.deepEqual((await ask(one, '/me')).json, { installationId: 'ari:cloud:ecosystem::installation/1' })
    await assert.rejects(
      importConnectStore(
        connect,
        databaseRows(async text => (await client.query(text)).rows, { table: 'Nothing' }),
      ),
      { code: 'ERR_IMPORT_SOURCE' },
    )
  } finally {
    await client.end()
  }
})

test('from exports of MongoDB and DynamoDB, a line each; a broken line is named', async () => {
  const [one, two] = [await installOld(), await installOld()]
  const lines = (...texts: readonly string[]) =>
    jsonLinesRows(async function* () {
      yield* texts
    })
  const mongo = { _id: { $oid: '1' }, clientKey: one.clientKey, key: 'clientInfo', val: recordOf(one) }
  const dynamo = {
    Item: { clientKey: { S: two.clientKey }, key: { S: 'clientInfo' }, val: { S: JSON.stringify(recordOf(two)) } },
  }
  const report = await importConnectStore(connect, lines(JSON.stringify(mongo), '', JSON.stringify(dynamo)))
  assert.deepEqual(
    report.tenants.map(({ outcome }) => outcome),
    ['created', 'created'],
  )
  await assert.rejects(importConnectStore(connect, lines('{}', '{"a"')), {
    code: 'ERR_IMPORT_SOURCE',
    message: /line 2/,
  })
})

test('from its Redis, where keys are joined without escaping', withRedis, async t => {
  const redis = await startRedis(redisProgram ?? '')
  t.after(() => redis.close())
  const one = await installOld()
  const client = await connectRedis(redis.url)
  t.after(() => client.close())
  const set = (key: string, value: string) => client.sendCommand(['SET', key, value])
  await set(`${one.clientKey}:clientInfo`, JSON.stringify(recordOf(one)))
  await set(`${one.clientKey}:flag:A`, '"red"')
  await set('stray:key', '1')
  await set(`installation:${one.clientKey}-i;`, one.clientKey)
  const report = await importConnectStore(connect, redisRows(client))
  assert.deepEqual(
    report.tenants.map(({ outcome, stored }) => [outcome, stored]),
    [['created', 1]],
  )
  // One key, not a key of a scope.
  assert.deepEqual((await ask(one, '/all')).json, { 'flag%3AA': 'red' })
  assert.deepEqual((await ask(one, '/me')).json, { installationId: `${one.clientKey}-i` })
})

test('from the file that the real framework has written', skip, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'ace-import-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await cp(fileURLToPath(new URL('../../examples/porting-ace', import.meta.url)), folder, { recursive: true })
  await symlink(join(peer ?? '', 'node_modules'), join(folder, 'node_modules'))
  const store = { adapter: 'sequelize', dialect: 'sqlite', storage: join(folder, 'store.db'), logging: false }
  const port = await freePort()
  const localBaseUrl = `http://127.0.0.1:${port}`
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({ development: { port, localBaseUrl, product: 'jira', store } }),
  )
  const environment = {
    NODE_ENV: undefined,
    CONNECT_KEYS_CDN_URL: host.keyServerUrl,
    AC_OPTS: 'no-reg',
    PORT: String(port),
    NODE_OPTIONS: '--no-deprecation',
  }
  const running = startProcess(t, join(folder, 'before.cjs'), { environment, cwd: folder })
  void running.eachLine(() => undefined)
  const descriptorUrl = `${localBaseUrl}/atlassian-connect.json`
  await eventually(
    'the old app serves',
    () =>
      fetch(descriptorUrl).then(
        ({ ok }) => ok,
        () => false,
      ),
    60_000,
  )
  const one = await host.install(descriptorUrl, host.createSite({ name: `old-${sites++}` }).jira)
  const site = one.product.site
  const issue = site.createIssue(site.createProject({ key: 'CAR' }), { summary: 'x' })
  const headers = {
    authorization: `JWT ${one.contextToken({ user: site.createUser({ displayName: 'Ada' }), issue })}`,
    'content-type': 'application/json',
  }
  assert.equal(
    (await fetch(`${localBaseUrl}/api/flag`, { method: 'POST', headers, body: '{"color":"green"}' })).status,
    200,
  )
  await running.kill()

  const query = async (text: string) => {
    const script = `const { Database } = require('sqlite3'); new Database(process.argv[1]).all(process.argv[2], (error, rows) => process.stdout.write(JSON.stringify(rows)))`
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script, store.storage, text], { cwd: folder })
    return JSON.parse(stdout) as Readonly<Record<string, unknown>>[]
  }
  const report = await importConnectStore(connect, databaseRows(query))
  assert.deepEqual(
    report.tenants.map(({ outcome, stored, code }) => [outcome, stored, code]),
    [['created', 1, undefined]],
  )
  const [flag] = Object.values((await ask(one, '/all')).json as Record<string, { color: string }>)
  assert.equal(flag?.color, 'green')
})
