/** The store: what it lists, copies, counts and leaves behind: defects 18 to 20, 27. */

import assert from 'node:assert/strict'
import type { DefectCase } from '../case.ts'
import { call, install, perform, type Tenant } from '../target.ts'

export const STORAGE_CASES: readonly DefectCase[] = [
  {
    defect: 18,
    name: 'all() tells keys as they were set',
    async run(target) {
      const tenant = await install(target)
      await call(tenant, 'tenantStore', 'set', ['one', 1])
      const { value } = await call(tenant, 'tenantStore', 'all')
      assert.deepEqual(Object.keys(value as object), ['one'])
    },
  },
  {
    defect: 18,
    name: 'a listing that was asked for one key gives one',
    async run(target) {
      const tenant = await install(target)
      await call(tenant, 'tenantStore', 'set', ['one', 1])
      await call(tenant, 'tenantStore', 'set', ['two', 2])
      assert.equal(await listOne(tenant), 1)
    },
  },
  {
    defect: 19,
    name: 'an uninstall leaves nothing behind, nested scopes included',
    shownBy: 'its own MongoStore, on a stand-in for the driver: no MongoDB of today speaks the old protocol',
    async run(target) {
      const tenant = await install(target, { addon: await target.start({ STORE: 'mongo' }) })
      await call(tenant, 'tenantStore', 'set', ['note', LEFT_BEHIND], { narrow: ['deep'] })
      assert.ok((await target.stored(tenant.addon)).includes(LEFT_BEHIND), 'nothing was stored')
      await tenant.installation.uninstall()
      const stored = await target.stored(tenant.addon)
      assert.ok(!stored.includes(LEFT_BEHIND), 'a value of a nested scope is still there')
    },
  },
  {
    defect: 20,
    name: 'a stored value does not change with the object it came from',
    async run(target) {
      const { value } = await perform(await install(target), 'keep')
      assert.deepEqual(value, { n: 1 })
    },
  },
  {
    defect: 27,
    name: 'ten visits counted at once are ten',
    async run(target) {
      const { value } = await perform(await install(target), 'count')
      assert.equal(value, 10)
    },
  },
]

const LEFT_BEHIND = 'a value that must be gone'

/** `list({ limit })` where there is one, else `all(limit)`, as each library documents it. */
async function listOne(tenant: Tenant): Promise<number> {
  const { value: kind } = await call(tenant, 'tenantStore', 'typeof', ['list'])
  if (kind !== 'function') return Object.keys((await call(tenant, 'tenantStore', 'all', [1])).value as object).length
  const { value } = await call(tenant, 'tenantStore', 'list', [{ limit: 1 }])
  return Object.keys((value as { readonly items: object }).items).length
}
