// `partywall keys rotate` on a real database: an app installed under the first key, rotated to the second, read without the first.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseKeys } from '../../src/postgres/keys.ts'
import { createRegistry } from '../../src/postgres/registry.ts'
import { createDataKeys } from '../../src/postgres/secrets.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const clock = { now: () => Date.now(), monotonic: () => performance.now() }
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const [first, second] = ['first', 'second'].map(id => `${id}:${randomBytes(32).toString('base64')}`)
const key = { app: 'com.example.rotation', environment: 'test', dialect: 'hipchat', externalId: 'one' } as const

let database: TestDatabase
before(async () => {
  database = await createTestDatabase()
})
after(() => database?.close())

const registryWith = (keys: string) =>
  createRegistry({
    database: database.database,
    dataKeys: createDataKeys({ keys: parseKeys(keys, 'test') }),
    clock,
    logger: silent,
  })

async function rotate(keys: string) {
  const { app, system, jobs } = database.urls
  const { stdout } = await run(
    process.execPath,
    ['--conditions=partywall-source', '--import', 'tsx', 'src/cli/main.ts', 'keys', 'rotate', '--json'],
    {
      cwd: root,
      env: {
        ...process.env,
        PARTYWALL_KEYS: keys,
        DATABASE_URL: app,
        DATABASE_SYSTEM_URL: system,
        DATABASE_JOBS_URL: jobs,
      },
    },
  )
  return JSON.parse(stdout) as unknown
}

test('E 56: keys are rotated by a command while everything runs, and the old key is not needed afterwards', async () => {
  const registry = registryWith(first ?? '')
  const secrets = { secret: 'a shared secret of the host' }
  const installed = await registry.apply({
    kind: 'install',
    key,
    at: clock.now(),
    reason: 'install',
    host: 'host.test',
    secrets,
    attributes: {},
    state: 'installed',
  })
  assert.equal(installed.outcome, 'created')
  assert.deepEqual(await rotate(`${second},${first}`), { rewrapped: 1, current: 'second' })
  assert.deepEqual(await rotate(`${second},${first}`), { rewrapped: 0, current: 'second' })
  const found = await registryWith(second ?? '').find(key)
  assert.equal(found?.secrets.get('secret'), secrets.secret)
  await assert.rejects(registryWith(first ?? '').find(key), { code: 'ERR_KEY_UNKNOWN' })
})
