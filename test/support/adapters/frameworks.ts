/** The frameworks of the case lists. `ADAPTERS=koa,hono npm test -- --only e2e/adapters` runs some of them. */

import assert from 'node:assert/strict'
import type { Framework } from './author.ts'
import { expressFramework } from './express.ts'
import { fastifyFramework } from './fastify.ts'
import { fetchAlone, fetchOnNode } from './fetch.ts'
import { hono } from './hono.ts'
import { koa } from './koa.ts'
import { node } from './node.ts'

const ALL: readonly Framework[] = [koa, expressFramework, fastifyFramework, hono, fetchOnNode, fetchAlone, node]
const wanted = (process.env.ADAPTERS ?? '')
  .toLowerCase()
  .split(',')
  .filter(name => name !== '')

export const FRAMEWORKS = ALL.filter(
  ({ name }) => wanted.length === 0 || wanted.some(one => name.toLowerCase().includes(one)),
)
assert.ok(FRAMEWORKS.length > 0, `ADAPTERS names none of ${ALL.map(({ name }) => name).join(', ')}`)
if (FRAMEWORKS.length < ALL.length)
  console.log(`NOTICE: ADAPTERS leaves out ${ALL.length - FRAMEWORKS.length} of the frameworks`)
