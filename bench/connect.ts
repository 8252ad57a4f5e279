/**
 * What a page of a Connect app costs: Partywall on every framework, and atlassian-connect-express, against a bare server that makes
 * the same checks as carefully; and whether it matters how many tenants there are. Every server is a process of its own.
 *
 * A family of rows for `main.ts`. Tenants are installed by signed requests; the very many are written into the database.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts'
import { type FakeProduct, post, startFakeProduct } from '../test/support/fake-product.ts'
import { freePort } from '../test/support/free-port.ts'
import { CONNECT_PEER, findPeer, installPeer } from '../test/support/peer.ts'
import { TEST_KEYS } from '../test/support/registry.ts'
import { pageRequest, type Signer } from './connect/requests.ts'
import { contendersWith, PAGE_ROWS, type PageRow, SEEDED, SERVERS } from './connect/rows.ts'
import { seedTenants } from './connect/seed.ts'
import type { CostRow } from './cost.ts'
import type { BenchOptions } from './measure.ts'
import { buildInto } from './pages/built.ts'
import { type Contender, type Running, runRows } from './pages/rows.ts'
import { type ServerProcess, startServer } from './pages/server-process.ts'

const MAX_TENANTS = 100
/** Of a tenant in a round, at least. */
const REQUESTS_EACH = 10
const OPERATIONS = 4_000
/** Beside those that were installed; a small run writes fewer. */
const SEEDED_TENANTS = 1_000_000
const SEEDED_PER_OPERATION = 250
const APP = 'com.example.connect'
const SITE = { baseUrl: 'https://acme.atlassian.net', displayUrl: 'https://acme.atlassian.net' }

export async function benchConnect(options: BenchOptions): Promise<CostRow[]> {
  const operations = options.operations ?? OPERATIONS
  const opened: (() => Promise<unknown>)[] = []
  try {
    return await runRows(PAGE_ROWS, await startAll(options, operations, opened), options, operations)
  } finally {
    for (const close of opened.reverse()) await close()
  }
}

async function startAll(
  options: BenchOptions,
  operations: number,
  opened: (() => Promise<unknown>)[],
): Promise<Map<string, Running<PageRow>>> {
  const peer = options.installPeers === true ? await installPeer(CONNECT_PEER) : findPeer(CONNECT_PEER)
  const database = await createTestDatabase()
  opened.push(() => database.close())
  const product = await startFakeProduct()
  opened.push(() => product.close())
  const folder = await mkdtemp(join(tmpdir(), 'pw-bench-'))
  opened.push(() => rm(folder, { recursive: true, force: true }))
  await buildInto(folder, SERVERS)
  const seeded = await seed(database, operations)
  options.note(`${seeded.length} tenants written`)
  const running = new Map<string, Running<PageRow>>()
  for (const contender of contendersWith(peer)) {
    const server = await startContender(contender, { product, database, folder })
    opened.push(() => server.close())
    const count = Math.min(MAX_TENANTS, Math.ceil(operations / REQUESTS_EACH))
    const installed = await installTenants(product, server, keyOf(contender), count)
    running.set(contender.name, { server, requests: requestsOf(installed, seeded) })
    options.note(`${contender.name}: ${count} tenants`)
  }
  return running
}

interface World {
  readonly product: FakeProduct
  readonly database: TestDatabase
  /** Where the built servers are, and what they write. */
  readonly folder: string
}

const keyOf = ({ environment }: Contender): string => environment.APP_KEY ?? APP

const startContender = async ({ file, environment }: Contender, { product, database: { urls }, folder }: World) =>
  startServer(resolve(folder, file), {
    port: await freePort(),
    log: join(folder, 'requests.log'),
    environment: {
      KEY_SERVER: product.url,
      CONNECT_KEYS_CDN_URL: product.url,
      DATABASE_URL: urls.app,
      DATABASE_SYSTEM_URL: urls.system,
      DATABASE_JOBS_URL: urls.jobs,
      PARTYWALL_KEYS: TEST_KEYS,
      NODE_ENV: undefined,
      ...environment,
    },
  })

async function seed(database: TestDatabase, operations: number): Promise<readonly Signer[]> {
  const [id = '', key = ''] = TEST_KEYS.split(':')
  const count = Math.min(SEEDED_TENANTS, operations * SEEDED_PER_OPERATION)
  const app = SEEDED.environment.APP_KEY ?? ''
  return seedTenants(database, count, { app, environment: 'production', key: { id, key: Buffer.from(key, 'base64') } })
}

/** One after the other: the framework of before refuses installs that come at the same time. */
async function installTenants(
  product: FakeProduct,
  { url }: ServerProcess,
  app: string,
  count: number,
): Promise<Signer[]> {
  const installed: Signer[] = []
  for (let number = 0; number < count; number++) {
    const site = product.createSite(url, `bench-${number}`)
    const token = await product.signLifecycle(product.lifecycleClaims(url, '/installed', site.clientKey))
    const { status } = await post(`${url}/installed`, token, site.body('installed', { key: app, ...SITE }))
    if (status !== 204) throw new Error(`${url} refused an install: ${status}`)
    installed.push({ clientKey: site.clientKey, secret: site.secret })
  }
  return installed
}

/** Tenants take turns; seeded ones are asked for once, as long as there are any. */
function requestsOf(installed: readonly Signer[], seeded: readonly Signer[]): Running<PageRow>['requests'] {
  let number = 0
  let nextSeeded = 0
  const kept = installed.map(tenant => pageRequest(tenant, number++))
  return ({ tokens, tenants = installed.length, seeded: takesSeeded = false }, count) =>
    Array.from({ length: count }, (_, index) => {
      const turn = index % tenants
      if (tokens === 'repeated') return kept[turn] as Buffer
      const tenant = takesSeeded ? seeded[nextSeeded++ % seeded.length] : installed[turn]
      return pageRequest(tenant as Signer, number++)
    })
}
