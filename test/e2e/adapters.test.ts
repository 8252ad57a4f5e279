// One case list over a listening server of each framework. `ADAPTERS=koa,hono npm test -- --only e2e/adapters` runs some of them.
import { after, before, describe, test } from 'node:test'
import { adapterCases } from '../support/adapter-cases.ts'
import { FRAMEWORKS } from '../support/adapters/frameworks.ts'
import { type AdapterWorld, createAdapterWorld } from '../support/adapters/world.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
before(async () => {
  database = await createTestDatabase()
})
after(() => database?.close())

for (const framework of FRAMEWORKS) {
  describe(framework.name, () => {
    let world: AdapterWorld
    before(async () => {
      world = await createAdapterWorld(framework, database)
    })
    after(() => world?.close())
    for (const one of adapterCases) test(`${framework.name}: ${one.name}`, () => one.run(world))
  })
}
