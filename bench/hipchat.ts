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
import { type Cost, type CostRow, costRow, missingRow } from './cost.ts'
import { buildInto } from './hipchat/built.ts'
import { drive, getRequest } from './hipchat/load.ts'
import { type Contender, contendersWith, PAGE_ROWS, type PageRow, SERVERS } from './hipchat/rows.ts'
import { type ServerProcess, startServer } from './hipchat/server-process.ts'
import type { BenchOptions } from './measure.ts'
import { inRounds } from './rounds.ts'

const MAX_TENANTS = 100
/** Of a tenant in a round, at least. */
const REQUESTS_EACH = 10
const CONNECTIONS = 16
const OPERATIONS = 4_000

export async function benchHipchat(options: BenchOptions): Promise<CostRow[]> {
  const operations = options.operations ?? OPERATIONS
  const opened: (() => Promise<unknown>)[] = []
  try {
    const tenants = Math.min(MAX_TENANTS, Math.ceil(operations / REQUESTS_EACH))
    const running = await startAll(options, tenants, opened)
    const variants = new Map<string, () => Promise<Cost>>()
    for (const row of PAGE_ROWS) {
      const contender = running.get(row.contender)
      if (contender !== undefined) variants.set(row.row, () => measure(contender, row, operations))
    }
    const costs = await inRounds(variants, options)
    return PAGE_ROWS.filter(({ row, base }) => row !== base).map(goal =>
      running.has(goal.contender)
        ? costRow(goal, costs, `${options.rounds} x ${operations}`)
        : missingRow(goal, costs, 'not installed: --peers'),
    )
  } finally {
    for (const close of opened.reverse()) await close()
  }
}

/** A server and the installations it knows. */
interface Running {
  readonly server: ServerProcess
  readonly tenants: readonly Installation[]
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
): Promise<Map<string, Running>> {
  const peer = options.installPeers === true ? await installPeer(HIPCHAT_PEER) : findPeer(HIPCHAT_PEER)
  const database = await createTestDatabase()
  opened.push(() => database.close())
  const host = await startHipchatHost({ rateLimit: false, callbackTimeoutMs: 60_000 })
  opened.push(() => host.close())
  const folder = await mkdtemp(join(tmpdir(), 'pw-bench-'))
  opened.push(() => rm(folder, { recursive: true, force: true }))
  await buildInto(folder, SERVERS)
  const world = { host, urls: database.urls, folder }
  const running = new Map<string, Running>()
  for (const contender of contendersWith(peer)) {
    const server = await startContender(contender, world)
    opened.push(() => server.close())
    running.set(contender.name, { server, tenants: await installTenants(world.host, server, tenants) })
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

async function measure({ server, tenants }: Running, row: PageRow, count: number): Promise<Cost> {
  const requests = requestsOf(tenants, row, count)
  const before = await server.cpuMicros()
  const load = await drive(server.url, requests, CONNECTIONS)
  return { ...load, cpuMicros: ((await server.cpuMicros()) - before) / count }
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
