// The store on real rows: what its statements cost, what fits, and that no order of calls lets tenants or scopes meet.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { newTenantUid, type TenantUid } from '../../src/core/ids.ts'
import type { TenantStore } from '../../src/core/store.ts'
import type { JsonValue } from '../../src/core/tenant.ts'
import { createTenantStore } from '../../src/core/tenant-store.ts'
import type { BoundPool } from '../../src/postgres/database.ts'
import { createKv } from '../../src/postgres/kv.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { clock, cursorKey, fakeContext } from '../support/store-context.ts'

let made: TestDatabase | undefined
const app = (): BoundPool => {
  assert.ok(made, 'the database is there')
  return made.database.app
}
const openStore = (tenant: TenantUid = newTenantUid()): TenantStore =>
  createTenantStore({ context: fakeContext(tenant), kv: createKv(app()), space: 'store', cursorKey, clock })

before(async () => {
  made = await createTestDatabase()
})
after(() => made?.close())

test('E 47: no order of calls lets two tenants or two scopes meet', async () => {
  const names = ['a', 'b', 'a:b', '1:a/', '%', '__proto__', 'é', 'e\u0301', '\u{10ffff}']
  const name = fc.constantFrom(...names)
  const target = fc.record({
    who: fc.nat({ max: 1 }),
    path: fc.array(fc.constantFrom('a', 'b', 'a:b', '1:a/'), { maxLength: 2 }),
  })
  const call = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('set' as const),
        target,
        key: name,
        value: fc.jsonValue({ maxDepth: 1 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('del' as const), target, key: name }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), target }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 5, maxLength: 25 }), async calls => {
      const stores = [openStore(), openStore()]
      const model = new Map<string, Map<string, string>>()
      for (const { target, ...step } of calls) {
        const store = target.path.reduce((scope, part) => scope.narrow(part), stores[target.who] ?? openStore())
        const place = JSON.stringify([target.who, ...target.path])
        const rows = model.get(place) ?? new Map<string, string>()
        model.set(place, rows)
        if (step.kind === 'set') {
          await store.set(step.key, step.value as JsonValue)
          rows.set(step.key, JSON.stringify(step.value))
        } else if (step.kind === 'del') {
          assert.equal(await store.del(step.key), rows.delete(step.key))
        } else {
          const below = [...model].filter(([other]) => isBelow(target, JSON.parse(other)))
          assert.equal(
            await store.clear(),
            below.reduce((count, [, found]) => count + found.size, 0),
          )
          for (const [, found] of below) found.clear()
        }
      }
      for (const [place, rows] of model) {
        const [who, ...path]: [number, ...string[]] = JSON.parse(place)
        const store = path.reduce((scope, part) => scope.narrow(part), stores[who] ?? openStore())
        const all = await store.all()
        assert.deepEqual(new Map(Object.entries(all).map(([key, value]) => [key, JSON.stringify(value)])), rows)
      }
    }),
    { numRuns: 25 },
  )
})

test('every statement of the store is a range of the primary key under the policies', async () => {
  const tenant = newTenantUid()
  await fill(tenant, 3_000)
  await made?.admin(`insert into pw.kv (tenant_id, space, scope, key, value)
    select tenant, 'store', '', 'key-' || n, '1' from (select gen_random_uuid() tenant from generate_series(1, 200)) t, generate_series(1, 100) n`)
  await made?.admin('analyze pw.kv')
  const plans = new Map<string, string>()
  const explaining: BoundPool = {
    ...app(),
    async query(bound, statement, values) {
      const explain = { name: `explain_${statement.name}`, text: `explain (costs off) ${statement.text}` }
      const lines = await app().transaction(bound, transaction => transaction.query(explain, values))
      plans.set(statement.name, lines.map(line => line[0]).join('\n'))
      return []
    },
  }
  const kv = createKv(explaining)
  const place = [tenant, 'store', ''] as const
  const nested = [tenant, 'store', '1:a/'] as const
  await kv.get(...place, 'key-7')
  await kv.getMany(...place, ['key-7', 'key-8'])
  await kv.list(...place, { limit: 10 })
  await kv.list(...place, { limit: 10, prefix: 'key-1', after: { scope: '', key: 'key-11' } })
  await kv.list(...nested, { limit: 10, below: true })
  await kv.list(...place, { limit: 10, below: true, after: { scope: '', key: 'key-2' } })
  await kv.del(...place, 'key-7', {})
  await kv.del(...place, 'key-7', { ifVersion: 1 })
  await assert.rejects(kv.set(...place, 'key-7', '1', { ifVersion: 1 }), { code: 'ERR_VERSION_CONFLICT' })
  await assert.rejects(kv.clear(...nested), TypeError)
  await assert.rejects(kv.clear(...place), TypeError)
  assert.equal(plans.size, 11)
  for (const [name, plan] of plans) {
    assert.doesNotMatch(plan, /Seq Scan/, `${name}\n${plan}`)
    assert.match(plan, /using kv_pkey|on kv_pkey/, `${name}\n${plan}`)
    const conditions = plan.split('\n').filter(line => line.includes('Index Cond'))
    for (const condition of conditions) {
      assert.match(condition, /tenant_id = .*space = /, `${name}\n${plan}`)
      if (!name.includes('below') && !name.includes('clear'))
        assert.match(condition, /scope = .*key/, `${name}\n${plan}`)
    }
  }
  assert.match(plans.get('pw_kv_list_to') ?? '', /Index Cond: .*key\)::text >= .*key\)::text < /)
  assert.match(plans.get('pw_kv_list_below_to') ?? '', /Index Cond: .*ROW\(.*scope.*key.*\) >= .*scope.* < /)
})

test('E 48: the longest path and key fit the index, even when they cannot be compressed', async () => {
  const text = (length: number) => randomBytes(length).toString('base64url').slice(0, length)
  const store = openStore().narrow(text(1_024)).narrow(text(493))
  const key = text(1_024)
  await store.set(key, 'fits')
  assert.deepEqual({ ...(await store.all()) }, { [key]: 'fits' })
  assert.equal(await store.clear(), 1)
})

test('pages of large values end early and lose nothing, all() refuses what memory should not hold', async () => {
  const tenant = newTenantUid()
  const store = openStore(tenant)
  await fill(tenant, 300, 250_000)
  const keys: string[] = []
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await store.list({ limit: 1_000, prefix: 'key-1', ...(cursor === undefined ? {} : { cursor }) })
    const names = Object.keys(page.items)
    assert.ok(names.length > 0 && names.length <= 67, `${names.length} large values in a page`)
    keys.push(...names)
    cursor = page.cursor
    pages++
  } while (cursor !== undefined)
  const expected = Array.from({ length: 300 }, (_, index) => `key-${index}`).filter(key => key.startsWith('key-1'))
  assert.deepEqual(keys, expected.sort())
  assert.equal(pages, 2)
  await assert.rejects(store.all(), { code: 'ERR_RESULT_TOO_LARGE', status: 413 })
})

test('clear() takes more rows than one statement does', async () => {
  const tenant = newTenantUid()
  await fill(tenant, 12_000)
  const store = openStore(tenant)
  await store.narrow('a').set('key', 1)
  assert.equal(await store.clear(), 12_001)
  assert.deepEqual(Object.keys(await store.all({ nested: true })), [])
})

/** Rows `key-0` ... written by the administrator, each value a text of `length` characters. */
async function fill(tenant: TenantUid, count: number, length = 10): Promise<void> {
  await made?.admin(
    `insert into pw.kv (tenant_id, space, scope, key, value)
     select $1, 'store', '', 'key-' || n, to_json(repeat('v', $3)) from generate_series(0, $2 - 1) n`,
    [tenant, String(count), String(length)],
  )
}

function isBelow(upper: { who: number; path: readonly string[] }, [who, ...path]: [number, ...string[]]): boolean {
  return who === upper.who && upper.path.every((part, index) => part === path[index])
}
