import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isPartywallError } from '../../../src/core/errors.ts'
import { newTenantUid } from '../../../src/core/ids.ts'
import type { Statement } from '../../../src/postgres/database.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'

const PUT: Statement = {
  name: 't_put',
  text: `insert into pw.kv (tenant_id, space, scope, key, value) values ($1, 'store', '', $2, $3)
    on conflict (tenant_id, space, scope, key) do update set value = excluded.value`,
}
const GET: Statement = { name: 't_get', text: 'select key, value from pw.kv order by key' }
const FAIL: Statement = { name: 't_fail', text: 'select 1 / $1::int' }

let testDatabase: TestDatabase
before(async () => {
  testDatabase = await createTestDatabase()
})
after(() => testDatabase.close())

const hasCode = (code: string) => (error: unknown) => {
  assert.ok(isPartywallError(error), String(error))
  assert.equal(error.code, code)
  return true
}

test('a statement sees the rows of its tenant and no others', async () => {
  const { app } = testDatabase.database
  const [a, b] = [newTenantUid(), newTenantUid()]
  await Promise.all([app.query(a, PUT, [a, 'x', '1']), app.query(b, PUT, [b, 'y', '{"n":2}'])])
  assert.deepEqual(await app.query(a, GET, []), [['x', '1']])
  assert.deepEqual(await app.query(b, GET, []), [['y', '{"n":2}']])
})

test('a group is one transaction: it fails as a whole', async () => {
  const { app } = testDatabase.database
  const tenant = newTenantUid()
  const failing = app.group(tenant, [
    [PUT, [tenant, 'a', '1']],
    [FAIL, ['0']],
  ])
  await assert.rejects(failing, hasCode('ERR_STATEMENT_REFUSED'))
  assert.deepEqual(await app.query(tenant, GET, []), [])
})
