// The case list of Connect over a listening server of each framework.
import { after, before, describe, test } from 'node:test'
import { connectAdapterCases } from '../support/adapters/connect-cases.ts'
import { type ConnectAdapterWorld, createConnectAdapterWorld } from '../support/adapters/connect-world.ts'
import { FRAMEWORKS } from '../support/adapters/frameworks.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
before(async () => {
  database = await createTestDatabase()
})
after(() => database?.close())

for (const framework of FRAMEWORKS) {
  describe(framework.name, () => {
    let world: ConnectAdapterWorld
    before(async () => {
      world = await createConnectAdapterWorld(framework, database)
    })
    after(() => world?.close())
    for (const one of connectAdapterCases) test(`${framework.name}: ${one.name}`, () => one.run(world))
  })
}
