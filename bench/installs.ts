/**
 * Very many installs of a Connect app in the same moment, as a popular app gets them when the product comes back: how many are
 * answered with a 2xx, how many of those are still there after a SIGKILL, and how long the last one waits. Beside
 * atlassian-connect-express on its default store.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts'
import { type FakeProduct, type FakeSite, post, startFakeProduct } from '../test/support/fake-product.ts'
import { freePort } from '../test/support/free-port.ts'
import { CONNECT_PEER, findPeer, installPeer, nameOfPeer } from '../test/support/peer.ts'
import { TEST_KEYS } from '../test/support/registry.ts'
import { contendersWith, SEEDED, SERVERS } from './connect/rows.ts'
import { ascending, type BenchOptions, type FigureRow, quantile, round } from './measure.ts'
import { buildInto } from './pages/built.ts'
import type { Contender } from './pages/rows.ts'
import { type ServerProcess, startServer } from './pages/server-process.ts'

const INSTALLS = 1_000
const SITE = { baseUrl: 'https://acme.atlassian.net', displayUrl: 'https://acme.atlassian.net' }
const APP = 'com.example.connect'

interface World {
  readonly product: FakeProduct
  readonly database: TestDatabase
  readonly folder: string
}

/** Of one moment. */
interface Crowd {
  readonly answered: number
  readonly kept: number
  readonly lastMs: number
}

export async function benchInstalls({
  rounds,
  operations: count = INSTALLS,
  note,
  installPeers = false,
}: BenchOptions): Promise<FigureRow[]> {
  const peer = installPeers ? await installPeer(CONNECT_PEER) : findPeer(CONNECT_PEER)
  const opened: (() => Promise<unknown>)[] = []
  try {
    const database = await createTestDatabase()
    opened.push(() => database.close())
    const product = await startFakeProduct()
    opened.push(() => product.close())
    const folder = await mkdtemp(join(tmpdir(), 'pw-bench-'))
    opened.push(() => rm(folder, { recursive: true, force: true }))
    await buildInto(folder, SERVERS)
    const world = { product, database, folder }
    const other = contendersWith(peer).find(({ name }) => name === 'peer')
    const own: Crowd[] = []
    const others: Crowd[] = []
    for (let number = 1; number <= rounds; number += 1) {
      own.push(await crowd(SEEDED, world, count))
      if (other !== undefined) others.push(await crowd(other, world, count))
      note(`round ${number} of ${rounds}`)
    }
    return [
      ...rowsOf('partywall', own, count, rounds, true),
      ...(other === undefined ? [] : rowsOf(nameOfPeer(CONNECT_PEER), others, count, rounds, false)),
    ]
  } finally {
    for (const close of opened.reverse()) await close()
  }
}

async function crowd(contender: Contender, world: World, count: number): Promise<Crowd> {
  const environment = environmentOf(contender, world)
  const start = async (port: number) =>
    startServer(resolve(world.folder, contender.file), { port, log: join(world.folder, 'log'), environment })
  const port = await freePort()
  const server = await start(port)
  const { sites, lastMs } = await installAll(server, contender, world.product, count)
  // At once: what was only in memory, or on its way to the disk, is gone.
  await server.kill()
  const again = await start(port)
  const kept = await countGood(sites)
  await again.close()
  return { answered: sites.length, kept, lastMs }
}

async function installAll({ url }: ServerProcess, { environment }: Contender, product: FakeProduct, count: number) {
  const prepared = await Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const site = product.createSite(url, `crowd-${number}`)
      const token = await product.signLifecycle(product.lifecycleClaims(url, '/installed', site.clientKey))
      return { site, token, body: site.body('installed', { key: environment.APP_KEY ?? APP, ...SITE }) }
    }),
  )
  const begun = performance.now()
  const answers = await Promise.all(
    prepared.map(async ({ site, token, body }) => {
      const response = await post(`${url}/installed`, token, body)
      await response.arrayBuffer()
      return { site, isGood: response.ok }
    }),
  )
  const sites = answers.flatMap(({ site, isGood }) => (isGood ? [site] : []))
  return { sites, lastMs: performance.now() - begun }
}

/** Whose page still knows them. */
async function countGood(sites: readonly FakeSite[]): Promise<number> {
  let good = 0
  for (const site of sites) {
    const response = await site.ask('/page')
    await response.arrayBuffer()
    if (response.ok) good += 1
  }
  return good
}

const environmentOf = ({ environment }: Contender, { product, database: { urls } }: World) => ({
  KEY_SERVER: product.url,
  CONNECT_KEYS_CDN_URL: product.url,
  DATABASE_URL: urls.app,
  DATABASE_SYSTEM_URL: urls.system,
  DATABASE_JOBS_URL: urls.jobs,
  PARTYWALL_KEYS: TEST_KEYS,
  NODE_ENV: undefined,
  ...environment,
})

function rowsOf(name: string, crowds: readonly Crowd[], count: number, rounds: number, hasGoal: boolean): FigureRow[] {
  const row = (what: string, unit: FigureRow['unit'], values: readonly number[], all?: number): FigureRow => {
    const sorted = ascending(values)
    const spread = [round(sorted[0] ?? Number.NaN, 0), round(sorted.at(-1) ?? Number.NaN, 0)] as const
    return {
      kind: 'figure',
      row: `${name}: ${count} installs at once, ${what}`,
      unit,
      value: round(quantile(sorted, 0.5), 0),
      spread,
      base: undefined,
      ratio: undefined,
      goal: all === undefined ? undefined : `= ${all}`,
      // Of every round, not of the one in the middle.
      met: all === undefined || spread[0] === all,
      n: `${rounds} x ${count}`,
    }
  }
  const goal = hasGoal ? count : undefined
  const of = (key: keyof Crowd) => crowds.map(one => one[key])
  return [
    row('answered 2xx', 'installs', of('answered'), goal),
    row('there after a SIGKILL', 'installs', of('kept'), goal),
    row('last answer', 'ms', of('lastMs')),
  ]
}
