// Every case of the store, over real rows: two handles on one database stand for two processes.
import { after, before, test } from 'node:test'
import { newTenantUid, type TenantUid } from '../../src/core/ids.ts'
import { createTenantStore } from '../../src/core/tenant-store.ts'
import { createKv } from '../../src/postgres/kv.ts'
import { storeCases } from '../../src/testing/store-cases.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { clock, cursorKey, fakeContext } from '../support/store-context.ts'

let made: TestDatabase | undefined
let stores: { one: (tenant: TenantUid) => ReturnType<typeof createTenantStore>; elsewhere: typeof stores.one }

before(async () => {
  made = await createTestDatabase()
  const opener = (kv: ReturnType<typeof createKv>) => (tenant: TenantUid) =>
    createTenantStore({ context: fakeContext(tenant), kv, space: 'store', cursorKey, clock })
  stores = { one: opener(createKv(made.database.app)), elsewhere: opener(createKv((await made.open()).app)) }
})
after(() => made?.close())

for (const { name, run } of storeCases) {
  test(name, async () => {
    const [one, other] = [newTenantUid(), newTenantUid()]
    await run({ one: stores.one(one), oneElsewhere: stores.elsewhere(one), other: stores.one(other) })
  })
}
