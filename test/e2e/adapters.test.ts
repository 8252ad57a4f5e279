// One case list over a listening server of each framework. `ADAPTERS=koa,hono npm test -- --only e2e/adapters` runs some of them.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { adapterCases } from '../support/adapter-cases.ts'
import type { Framework } from '../support/adapters/author.ts'
import { expressFramework } from '../support/adapters/express.ts'
import { fastifyFramework } from '../support/adapters/fastify.ts'
import { fetchAlone, fetchOnNode } from '../support/adapters/fetch.ts'
import { hono } from '../support/adapters/hono.ts'
import { koa } from '../support/adapters/koa.ts'
import { node } from '../support/adapters/node.ts'
import { type AdapterWorld, createAdapterWorld } from '../support/adapters/world.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const ALL: readonly Framework[] = [koa, expressFramework, fastifyFramework, hono, fetchOnNode, fetchAlone, node]
const wanted = (process.env.ADAPTERS ?? '')
  .toLowerCase()
  .split(',')
  .filter(name => name !== '')
const frameworks = ALL.filter(({ name }) => wanted.length === 0 || wanted.some(one => name.toLowerCase().includes(one)))
assert.ok(frameworks.length > 0, `ADAPTERS names none of ${ALL.map(({ name }) => name).join(', ')}`)
if (frameworks.length < ALL.length)
  console.log(`NOTICE: ADAPTERS leaves out ${ALL.length - frameworks.length} of the frameworks`)

let database: TestDatabase
before(async () => {
  database = await createTestDatabase()
})
after(() => database?.close())

for (const framework of frameworks) {
  describe(framework.name, () => {
    let world: AdapterWorld
    before(async () => {
      world = await createAdapterWorld(framework, database)
    })
    after(() => world?.close())
    for (const one of adapterCases) test(`${framework.name}: ${one.name}`, () => one.run(world))
  })
}
