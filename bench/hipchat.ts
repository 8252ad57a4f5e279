/**
 * What an authenticated page request costs: Partywall on Koa and by `listen`, and the library of before, against a bare server
 * that makes one HS256 check and one Map read. Every server is a process of its own; the load comes from this one.
 *
 * A family of rows for `main.ts`. 100 tenants are installed by real requests of the simulated host and take turns; tokens are
 * signed before the clock starts.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type HipchatHost, type Installation, startHipchatHost } from 'partywall/host'
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts'
import { freePort } from '../test/support/free-port.ts'
import { findPeer, HIPCHAT_PEER, installPeer } from '../test/support/peer.ts'
import type { CostRow } from './cost.ts'
import { contendersWith, PAGE_ROWS, type PageRow, SERVERS } from './hipchat/rows.ts'
import type { BenchOptions } from './measure.ts'
import { buildInto } from './pages/built.ts'
import { getRequest } from './pages/load.ts'
import { type Contender, type Running, runRows } from './pages/rows.ts'
import { type ServerProcess, startServer } from './pages/server-process.ts'

const MAX_TENANTS = 100
/** Of a tenant in a round, at least. */
const REQUESTS_EACH = 10
const OPERATIONS = 4_000

export async function benchHipchat(options: BenchOptions): Promise<CostRow[]> {
  const operations = options.operations ?? OPERATIONS
  const opened: (() => Promise<unknown>)[] = []
  try {
    const tenants = Math.min(MAX_TENANTS, Math.ceil(operations / REQUESTS_EACH))
    return await runRows(PAGE_ROWS, await startAll(options, tenants, opened), options, operations)
  } finally {
    for (const close of opened.reverse()) await close()
  }
}

interface World {
  readonly host: HipchatHost
  readonly urls: TestDatabase['urls']
  /** Where the built servers are, and what they write. */
  readonly folder: string
}

async function startAll(
  options: BenchOptions,
  tenants: number,
  opened: (() => Promise<unknown>)[],
): Promise<Map<string, Running<PageRow>>> {
  const peer = options.installPeers === true ? await installPeer(HIPCHAT_PEER) : findPeer(HIPCHAT_PEER)
  const database = await createTestDatabase()
  opened.push(() => database.close())
  const host = await startHipchatHost({ rateLimit: false, callbackTimeoutMs: 60_000 })
  opened.push(() => host.close())
  const folder = await mkdtemp(join(tmpdir(), 'pw-bench-'))
  opened.push(() => rm(folder, { recursive: true, force: true }))
  await buildInto(folder, SERVERS)
  const world = { host, urls: database.urls, folder }
  const running = new Map<string, Running<PageRow>>()
  for (const contender of contendersWith(peer)) {
    const server = await startContender(contender, world)
    opened.push(() => server.close())
    const installed = await installTenants(world.host, server, tenants)
    running.set(contender.name, { server, requests: (row, count) => requestsOf(installed, row, count) })
    options.note(`${contender.name}: ${tenants} tenants`)
  }
  return running
}

const startContender = async (
  { file, environment }: Contender,
  { host, urls, folder }: World,
): Promise<ServerProcess> =>
  startServer(resolve(folder, file), {
    port: await freePort(),
    log: join(folder, 'requests.log'),
    environment: {
      HOSTS: new URL(host.url).host,
      DATABASE_URL: urls.app,
      DATABASE_SYSTEM_URL: urls.system,
      DATABASE_JOBS_URL: urls.jobs,
      NODE_ENV: undefined,
      ...environment,
    },
  })

async function installTenants(host: HipchatHost, { url }: ServerProcess, count: number): Promise<Installation[]> {
  const group = host.createGroup({ name: 'Acme' })
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const room = group.createRoom({ name: `Room ${index}` })
      const installation = await host.install(`${url}/addon/capabilities`, { group, room })
      if (installation.state !== 'installed') throw new Error(`${url} refused: ${JSON.stringify(installation.result)}`)
      return installation
    }),
  )
}

/** Tenants take turns. The rest of the target is what a host puts on it. */
function requestsOf(tenants: readonly Installation[], { path, tokens }: PageRow, count: number): Buffer[] {
  const request = (one: Installation) => getRequest(`${path}?signed_request=${one.signRequest()}&theme=light`)
  const kept = tokens === 'repeated' ? tenants.map(request) : undefined
  return Array.from({ length: count }, (_, index) => {
    const turn = index % tenants.length
    return kept?.[turn] ?? request(tenants[turn] as Installation)
  })
}
