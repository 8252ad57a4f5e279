// Forge's storage as apps meet it: @forge/kvs against the tenant store, operation by operation, and what the old API sees of it.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { JsonValue } from 'partywall'
import { type Bench, type Customer, createBench } from '../../support/forge-bench.ts'
import { forgePackages } from '../../support/forge-packages.ts'

const { folder: packages, skip } = await forgePackages('8.3')
const ENTITIES = `
  storage:
    entities:
      - name: employee
        attributes:
          surname: { type: string }
          age: { type: integer }
          salary: { type: float }
          active: { type: boolean }
          notes: { type: any }
        indexes:
          - surname
          - name: by-age
            range: [age]
          - name: by-active-age
            partition: [active]
            range: [age]`

let bench: Bench
let one: Customer
let other: Customer
const files: (() => void | Promise<void>)[] = []
before(async () => {
  if (skip.skip !== undefined) return
  bench = await createBench({ after: work => void files.push(work) }, packages, { app: ENTITIES })
  one = await bench.customer('one')
  other = await bench.customer('other')
})
test.after(async () => {
  for (const work of files) await work()
})

/** The code of the error that the SDK throws. */
const codeOf = (customer: Customer, code: string, value?: never) =>
  customer.run(`try { ${code}; return 'no error' } catch (error) { return error.code ?? error.message }`, value)

test('set, get, delete: values of every kind, last write wins, a missing key is undefined', skip, async () => {
  const values: readonly JsonValue[] = [
    'text',
    0,
    -1.5,
    true,
    false,
    null,
    [],
    {},
    { nested: [1, { deeper: null }] },
    '\u{1F600}',
  ]
  for (const value of values) {
    assert.deepEqual(await one.run(`await sdk.kvs.set('k', payload); return sdk.kvs.get('k')`, value), value)
  }
  assert.deepEqual(
    await one.run(`await sdk.kvs.delete('k'); await sdk.kvs.delete('k'); return (await sdk.kvs.get('k')) ?? 'none'`),
    'none',
  )
})

test('two installations have the same keys and never the same values', skip, async () => {
  await one.run(
    `await sdk.kvs.set('same', 'of one'); await sdk.kvs.setSecret('same', 'secret of one'); await sdk.kvs.entity('employee').set('same', { surname: 'One' })`,
  )
  const read = `return [await sdk.kvs.get('same'), await sdk.kvs.getSecret('same'), await sdk.kvs.entity('employee').get('same'), (await sdk.kvs.query().getMany()).results.length].map(one => one ?? null)`
  assert.deepEqual(await other.run(read), [null, null, null, 0])
  assert.deepEqual(await one.run(read), ['of one', 'secret of one', { surname: 'One' }, 1])
  await one.run(`await sdk.kvs.delete('same'); await sdk.kvs.entity('employee').delete('same')`)
})

test('secrets are a space of their own, are in no query, and lie sealed in the database', skip, async () => {
  await one.run(`await sdk.kvs.setSecret('token', 'of-one-5f3a'); await sdk.kvs.set('token', 'plain')`)
  assert.equal(await one.run(`return sdk.kvs.getSecret('token')`), 'of-one-5f3a')
  assert.equal(await one.run(`return sdk.kvs.get('token')`), 'plain')
  const rows = await bench.world.database.admin(
    `select value::text as value from pw.forge_value where space = 'secret'`,
  )
  assert.ok(rows.length > 0 && rows.every(({ value }) => !String(value).includes('of-one')))
  const found = await one.run(`return (await sdk.kvs.query().getMany()).results`)
  assert.doesNotMatch(JSON.stringify(found), /of-one-5f3a/)
  await one.run(`await sdk.kvs.deleteSecret('token'); await sdk.kvs.delete('token')`)
  assert.equal(await one.run(`return (await sdk.kvs.getSecret('token')) ?? 'none'`), 'none')
})

test('set options: key policy, previous and newest value, metadata, time to live', skip, async () => {
  assert.equal(
    await codeOf(
      one,
      `await sdk.kvs.set('once', 1, { keyPolicy: 'FAIL_IF_EXISTS' }); await sdk.kvs.set('once', 2, { keyPolicy: 'FAIL_IF_EXISTS' })`,
    ),
    'KEY_CONFLICT',
  )
  assert.equal(await one.run(`return sdk.kvs.get('once')`), 1)
  const swapped = await one.run<{ key: string; value: number; createdAt: number }>(
    `return sdk.kvs.set('once', 3, { keyPolicy: 'OVERRIDE', returnValue: 'PREVIOUS', returnMetadataFields: ['CREATED_AT'] })`,
  )
  assert.deepEqual([swapped.key, swapped.value, typeof swapped.createdAt], ['once', 1, 'number'])
  const latest = await one.run<{ value: number; updatedAt: number }>(
    `return sdk.kvs.set('once', 4, { keyPolicy: 'OVERRIDE', returnValue: 'LATEST', returnMetadataFields: ['UPDATED_AT'] })`,
  )
  assert.deepEqual([latest.value, typeof latest.updatedAt], [4, 'number'])
  await one.run(`await sdk.kvs.set('short', 1, { ttl: { unit: 'MINUTES', value: 5 } })`)
  const kept = await one.run<{ expireTime: string }>(`return sdk.kvs.get('short', { metadataFields: ['EXPIRE_TIME'] })`)
  assert.ok(Date.parse(kept.expireTime) > Date.now())
  await bench.app.time.advance(5 * 60_000 + 1000)
  assert.equal(await one.run(`return (await sdk.kvs.get('short')) ?? 'gone'`), 'gone')
  await one.run(`await sdk.kvs.delete('once')`)
})

test('limits answer with the platform’s codes', skip, async () => {
  const refused = [
    [`await sdk.kvs.set('', 1)`, /EMPTY_KEY|KEY_TOO_SHORT|INVALID_KEY/],
    [`await sdk.kvs.set('k'.repeat(501), 1)`, /KEY_TOO_LONG/],
    [`await sdk.kvs.set('no/slash', 1)`, /INVALID_KEY/],
    [`await sdk.kvs.set('  ', 1)`, /INVALID_KEY/],
    [`await sdk.kvs.set('big', 'x'.repeat(240 * 1024))`, /MAX_SIZE/],
    [`await sdk.kvs.set('deep', JSON.parse('['.repeat(32) + ']'.repeat(32)))`, /MAX_DEPTH/],
    [`await sdk.kvs.query().limit(101).getMany()`, /LIST_QUERY_LIMIT_EXCEEDED|LIMIT/],
    [`await sdk.kvs.entity('unknown').get('k')`, /INVALID_ENTITY_TYPE/],
    [`await sdk.kvs.entity('employee').set('k', { surname: 1 })`, /INVALID_ENTITY_VALUE/],
    [`await sdk.kvs.entity('employee').set('k', { nick: 'x' })`, /INVALID_ENTITY_ATTRIBUTE/],
    [`await sdk.kvs.entity('employee').set('k', { age: 2 ** 31 })`, /INVALID_ENTITY_VALUE/],
    [`await sdk.kvs.entity('employee').query().index('nope').getMany()`, /INVALID_ENTITY_INDEX/],
  ] as const
  for (const [code, expected] of refused) assert.match(String(await codeOf(one, code)), expected, code)
  assert.equal(
    await one.run(
      `await sdk.kvs.set('k'.repeat(500), 'x'.repeat(240 * 1024 - 2)); return (await sdk.kvs.get('k'.repeat(500))).length`,
    ),
    240 * 1024 - 2,
  )
  await one.run(`await sdk.kvs.delete('k'.repeat(500))`)
})

test('queries: prefixes, pages, cursors that fit their own query alone', skip, async () => {
  await one.run(
    `for (let i = 0; i < 25; i++) await sdk.kvs.set('page-' + String(i).padStart(2, '0'), i); await sdk.kvs.set('other', 1)`,
  )
  const all = await one.run(`
    const query = cursor => { const q = sdk.kvs.query().where('key', sdk.WhereConditions.beginsWith('page-')).limit(10); return cursor ? q.cursor(cursor) : q }
    const pages = []
    for (let cursor; ;) { const { results, nextCursor } = await query(cursor).getMany(); pages.push(results.map(({ value }) => value)); cursor = nextCursor; if (!cursor) break }
    return pages`)
  assert.deepEqual(all, [range(0, 10), range(10, 20), range(20, 25)])
  assert.equal(await one.run(`return (await sdk.kvs.query().getMany()).results.length`), 10)
  assert.equal(
    await one.run(`return (await sdk.kvs.query().where('key', sdk.WhereConditions.beginsWith('page-')).getOne()).key`),
    'page-00',
  )
  const cursor = await one.run<string>(`return (await sdk.kvs.query().limit(2).getMany()).nextCursor`)
  // A cursor of another tenant, and one that somebody made.
  for (const stolen of [cursor, 'eyJhbGciOiJub25lIn0', `${cursor}x`]) {
    assert.match(
      String(
        await other.run(
          `try { return (await sdk.kvs.query().limit(2).cursor(payload).getMany()).results } catch (error) { return error.code }`,
          stolen,
        ),
      ),
      /^INVALID_CURSOR$/,
    )
  }
  await one.run(
    `for (let i = 0; i < 25; i++) await sdk.kvs.delete('page-' + String(i).padStart(2, '0')); await sdk.kvs.delete('other')`,
  )
})

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

test('entities: every condition of ranges and filters, partitions, both orders', skip, async () => {
  await one.run(`
    const people = [['a', 'Adams', 30, 1.5, true], ['b', 'Baker', 41, 2.5, true], ['c', 'Clark', 25, -3, false], ['d', 'Davis', 41, 0, false], ['e', 'Evans', 60, 9e10, true]]
    for (const [key, surname, age, salary, active] of people) await sdk.kvs.entity('employee').set(key, { surname, age, salary, active, notes: [key, 'all'] })
    await sdk.kvs.entity('employee').set('z', { surname: 'Zed' })`)
  const query = (parts: string) =>
    one.run(
      `const { WhereConditions: W, FilterConditions: F, Filter, Sort } = sdk; const { results } = await sdk.kvs.entity('employee').query()${parts}.limit(100).getMany(); return results.map(({ key }) => key).join('')`,
    )
  const cases = [
    [`.index('surname')`, 'abcdez'],
    [`.index('by-age')`, 'cabde'],
    [`.index('by-age').sort(Sort.DESC)`, 'edbac'],
    [`.index('by-age').where(W.equalTo(41))`, 'bd'],
    [`.index('by-age').where(W.greaterThan(41))`, 'e'],
    [`.index('by-age').where(W.greaterThanEqualTo(41))`, 'bde'],
    [`.index('by-age').where(W.lessThan(30))`, 'c'],
    [`.index('by-age').where(W.lessThanEqualTo(30))`, 'ca'],
    [`.index('by-age').where(W.between(26, 41))`, 'abd'],
    [`.index('surname').where(W.beginsWith('B'))`, 'b'],
    [`.index('by-active-age', { partition: [true] })`, 'abe'],
    [`.index('by-active-age', { partition: [false] }).where(W.greaterThan(25))`, 'd'],
    [`.index('surname').filters(new Filter().and('age', F.equalTo(41)).and('active', F.equalTo(true)))`, 'b'],
    [`.index('surname').filters(new Filter().or('age', F.equalTo(25)).or('surname', F.beginsWith('E')))`, 'ce'],
    [`.index('surname').filters(new Filter().and('age', F.notEqualTo(41)))`, 'acez'],
    [`.index('surname').filters(new Filter().and('salary', F.greaterThan(0)))`, 'abe'],
    [`.index('surname').filters(new Filter().and('salary', F.lessThanEqualTo(0)))`, 'cd'],
    [`.index('surname').filters(new Filter().and('salary', F.between(-3, 2)))`, 'acd'],
    [`.index('surname').filters(new Filter().and('surname', F.contains('a')))`, 'abcde'],
    [`.index('surname').filters(new Filter().and('surname', F.notContains('a')))`, 'z'],
    [`.index('surname').filters(new Filter().and('notes', F.contains('b')))`, 'b'],
    [`.index('surname').filters(new Filter().and('age', F.exists()))`, 'abcde'],
    [`.index('surname').filters(new Filter().and('age', F.notExists()))`, 'z'],
  ] as const
  for (const [parts, keys] of cases) assert.equal(await query(parts), keys, parts)
  // An index follows its entity.
  await one.run(
    `await sdk.kvs.entity('employee').set('a', { surname: 'Adams', age: 99 }); await sdk.kvs.entity('employee').delete('b')`,
  )
  assert.equal(await query(`.index('by-age')`), 'cdea')
  assert.equal(await query(`.index('by-active-age', { partition: [true] })`), 'e')
  const pages = await one.run(`
    const pages = []
    for (let cursor; ;) { let q = sdk.kvs.entity('employee').query().index('surname').limit(2); if (cursor) q = q.cursor(cursor); const { results, nextCursor } = await q.getMany(); pages.push(results.map(({ key }) => key).join('')); cursor = nextCursor; if (!cursor) break }
    return pages.filter(page => page !== '')`)
  assert.deepEqual(pages, ['ac', 'de', 'z'])
})

test('transactions: all or nothing, conditions, each key once', skip, async () => {
  await one.run(`await sdk.kvs.entity('employee').set('t', { surname: 'Tee', age: 1 }); await sdk.kvs.set('plain', 1)`)
  const transact = (code: string) =>
    one.run(
      `const { Filter, FilterConditions: F } = sdk; try { await ${code}.execute(); return 'done' } catch (error) { return error.code }`,
    )
  assert.equal(
    await transact(
      `sdk.kvs.transact().set('plain', 2).set('t', { surname: 'Tee', age: 2 }, { entityName: 'employee', conditions: new Filter().and('age', F.equalTo(1)) }).delete('never')`,
    ),
    'done',
  )
  assert.equal(
    await transact(
      `sdk.kvs.transact().set('plain', 3).check('t', { entityName: 'employee', conditions: new Filter().and('age', F.equalTo(1)) })`,
    ),
    'CONDITIONAL_CHECK_FAILED',
  )
  assert.equal(await one.run(`return sdk.kvs.get('plain')`), 2)
  assert.equal(await transact(`sdk.kvs.transact().set('plain', 3).delete('plain')`), 'INVALID_TRANSACTION_REQUEST')
  assert.equal(
    await transact(`Array.from({ length: 26 }, (_, i) => i).reduce((t, i) => t.set('x' + i, i), sdk.kvs.transact())`),
    'INVALID_TRANSACTION_REQUEST',
  )
  // Two that want to count at once: each sees the other's.
  await one.run(`await sdk.kvs.entity('employee').set('n', { age: 0 })`)
  const count = `for (let tries = 0; tries < 50; tries++) {
      const { age } = await sdk.kvs.entity('employee').get('n')
      try { await sdk.kvs.transact().set('n', { age: age + 1 }, { entityName: 'employee', conditions: new sdk.Filter().and('age', sdk.FilterConditions.equalTo(age)) }).execute(); return } catch (error) { if (error.code !== 'CONDITIONAL_CHECK_FAILED') throw error }
    }`
  await one.run(`await Promise.all(Array.from({ length: 8 }, async () => { ${count} }))`)
  assert.equal(await one.run(`return (await sdk.kvs.entity('employee').get('n')).age`), 8)
})

test('batches: each key succeeds or fails by itself; an empty one and a key twice fail whole', skip, async () => {
  const result = await one.run<{
    successfulKeys: { key: string }[]
    failedKeys: { key: string; error: { code: string } }[]
  }>(
    `return sdk.kvs.batchSet([{ key: 'b1', value: 1 }, { key: 'no/slash', value: 2 }, { key: 'e', value: { surname: 'X' }, entityName: 'employee' }])`,
  )
  assert.deepEqual(
    result.successfulKeys.map(({ key }) => key),
    ['b1', 'e'],
  )
  assert.deepEqual(
    result.failedKeys.map(({ key, error }) => [key, error.code]),
    [['no/slash', 'INVALID_KEY']],
  )
  const got = await one.run<typeof result>(`return sdk.kvs.batchGet([{ key: 'b1' }, { key: 'missing' }])`)
  assert.deepEqual([got.successfulKeys.length, got.failedKeys.map(({ error }) => error.code)], [1, ['KEY_NOT_FOUND']])
  assert.equal(await codeOf(one, `await sdk.kvs.batchSet([])`), 'INVALID_BATCH_REQUEST')
  assert.equal(
    await codeOf(one, `await sdk.kvs.batchSet([{ key: 'a', value: 1 }, { key: 'a', value: 2 }])`),
    'INVALID_BATCH_REQUEST',
  )
  assert.equal((await one.run<typeof result>(`return sdk.kvs.batchDelete([{ key: 'b1' }])`)).successfulKeys.length, 1)
})

test('the old API and the new one address the same values, secrets and entities', skip, async t => {
  const { folder } = await forgePackages('6.4')
  const both = await createBench(t, folder, { app: ENTITIES })
  const { run } = await both.customer('both')
  const seen = await run(`
    const { storage } = sdk
    await sdk.kvs.set('a', 1); await storage.set('b', 2); await sdk.kvs.setSecret('s', 'secret'); await storage.entity('employee').set('e', { surname: 'Eve', age: 3 })
    const { results } = await storage.query().where('key', sdk.startsWith('')).getMany()
    const { results: found } = await storage.entity('employee').query().index('by-age').where(sdk.WhereConditions.equalTo(3)).getMany()
    return [await storage.get('a'), await sdk.kvs.get('b'), await storage.getSecret('s'), await sdk.kvs.entity('employee').get('e'), results.map(({ key }) => key), found.map(({ key }) => key)]`)
  assert.deepEqual(seen, [1, 2, 'secret', { surname: 'Eve', age: 3 }, ['a', 'b'], ['e']])
})

test('coming near a limit is said once, and other limits may be given', skip, async t => {
  const small = await createBench(t, packages, { storageLimits: { valueBytes: 1_000, transactionOperations: 5 } })
  const customer = await small.customer('small')
  const said = () =>
    small.world.log
      .filter(({ event }) => event === 'forge-storage-near-limit')
      .map(({ fields }) => [fields.tenant, fields.limit, fields.used, fields.of])
  await customer.run(`await sdk.kvs.set('k', 'x'.repeat(700))`)
  assert.deepEqual(said(), [])
  await customer.run(`await sdk.kvs.set('k', 'x'.repeat(900)); await sdk.kvs.set('k', 'x'.repeat(910))`)
  assert.deepEqual(said(), [[customer.installation.id, 'valueBytes', 902, 1_000]])
  assert.equal(await codeOf(customer, `await sdk.kvs.set('k', 'x'.repeat(1000))`), 'MAX_SIZE')
  await customer.run(`await sdk.kvs.transact().set('a', 1).set('b', 1).set('c', 1).set('d', 1).execute()`)
  assert.deepEqual(said()[1], [customer.installation.id, 'transactionOperations', 4, 5])
})

test('without the scope storage:app there is no storage', skip, async t => {
  const bare = await createBench(t, packages, { scopes: ['read:jira-work'] })
  const customer = await bare.customer('bare')
  assert.match(String(await codeOf(customer, `await sdk.kvs.set('k', 1)`)), /PERMISSION_DENIED/)
})

test(
  'an uninstalled installation’s data is nobody’s: a new installation of the same site begins empty',
  skip,
  async () => {
    const gone = await bench.customer('gone')
    await gone.run(`await sdk.kvs.set('k', 'old')`)
    await gone.installation.uninstall()
    const again = await bench.app.install({ url: gone.site.url })
    assert.notEqual(again.id, gone.installation.id)
    assert.equal(await again.invoke('run', { code: `return (await sdk.kvs.get('k')) ?? 'empty'` }), 'empty')
  },
)
