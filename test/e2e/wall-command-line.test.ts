import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runCommandLine } from '../../src/cli/command-line.ts'
import { newTenantUid } from '../../src/core/ids.ts'
import { withDatabase } from '../../src/postgres/administration.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let testDatabase: TestDatabase
before(async () => {
  testDatabase = await createTestDatabase()
})
after(() => testDatabase.close())

async function run(...arguments_: string[]): Promise<{ code: number; out: string; error: string }> {
  let [out, error] = ['', '']
  const code = await runCommandLine(arguments_, {
    out: text => {
      out += text
    },
    error: text => {
      error += text
    },
  })
  return { code, out, error }
}

test('db prepare makes a new database and prints three URLs and the next step', async () => {
  const database = `pwt_${newTenantUid().replaceAll('-', '').slice(-16)}`
  try {
    const { code, out } = await run('db', 'prepare', '--admin-url', testDatabase.urls.admin, '--database', database)
    assert.equal(code, 0)
    for (const name of ['DATABASE_URL', 'DATABASE_SYSTEM_URL', 'DATABASE_JOBS_URL']) {
      assert.match(out, new RegExp(`^${name}=postgres.*/${database}`, 'm'))
    }
    assert.match(out, /--renew-passwords/)
    const json = await run('db', 'prepare', '--admin-url', withDatabase(testDatabase.urls.admin, database), '--json')
    const data: unknown = JSON.parse(json.out)
    assert.ok(typeof data === 'object' && data !== null && 'migrated' in data && data.migrated === 0)
  } finally {
    await testDatabase.admin(`drop database if exists ${database} with (force)`)
  }
})

test('db prepare says what is wrong, with the code, and shows no password', async () => {
  const failed = await run('db', 'prepare', '--admin-url', 'postgres://admin:geheim@127.0.0.1:1/x')
  assert.equal(failed.code, 1)
  assert.match(failed.error, /^ERR_STORE_UNAVAILABLE: /)
  assert.doesNotMatch(failed.error, /geheim/)
  assert.equal((await run('db', 'prepare')).code, 2)
  assert.equal((await run('--help')).code, 0)
})
